import type { MlflowServer } from "../api/server.ts";
import { type Kind, kinds, kindsWith, resourcePath, rowOf } from "../kube/kinds.ts";
import type { ConfigMap, Namespace, Owned, Secret } from "../kube/manifests.ts";
import { label, managedSelector, manager } from "../kube/names.ts";
import type { Key, KubeObject } from "../kube/object.ts";
import { needsConsent } from "../resources/workspaces.ts";
import { type ApiClient, find } from "./api-client.ts";
import { consents } from "./consents.ts";
import { type ListWatch, type ListWatchObserver, type ListWatchState, listWatch } from "./list-watch.ts";
import { type References, references } from "./references.ts";
import type { Sink } from "./sink.ts";
import { type Store, serverKeyOf, store } from "./store.ts";
import { defaultTiming, type ListWatchTiming } from "./timing.ts";
import { trimmed } from "./trimmed.ts";

export interface CachesOptions {
  readonly client: ApiClient;
  /** The namespaces to watch; without it all of them, by one watch for a kind. */
  readonly namespaces?: readonly string[] | undefined;
  /** Told of every change that can matter to a server: its own, of what belongs to it, of what its passes have read. */
  readonly onServer: (key: Key) => void;
  readonly observer?: ListWatchObserver;
  readonly timing?: ListWatchTiming;
}

/** What watches keep of the cluster. */
export interface Caches {
  server(key: Key): MlflowServer | undefined;
  /** What is labelled as ours and as this server's. */
  owned(key: Key): Owned[];
  /** Namespaces that consent to be workspaces of servers in this one; none where not all namespaces are watched. */
  consenting(namespace: string): Namespace[];
  readonly secrets: References<Secret>;
  readonly configMaps: References<ConfigMap>;
  /** Takes the API server's answer to a report, so that the next pass sees it before the watch tells. */
  reported(server: MlflowServer): void;
  /** The same of an answer to a write. */
  wrote(object: Owned, created: boolean): void;
  /** Takes note that this very object is deleted. */
  removed(object: Owned): void;
  /** True when everything has been listed once, false when it was stopped before. */
  readonly synced: Promise<boolean>;
  /** By resource, as metrics and messages call it. */
  states(): Record<string, ListWatchState>;
  stop(): void;
}

const keptKinds = [...kindsWith("owned"), ...kindsWith("observed")];

/** Starts the watches that the table of kinds asks for. They go on until they are stopped, whatever fails. */
export function caches({ client, namespaces, onServer, observer, timing = defaultTiming }: CachesOptions): Caches {
  const watches = new Map<string, ListWatch>();
  const servers = new Map<string, Store<MlflowServer>>();
  const kept = new Map<string, Store<Owned>>();
  const consenting = consents((namespace) => {
    for (const { metadata, spec } of serversOf(namespace)?.all() ?? []) {
      if (metadata.namespace === namespace && needsConsent(spec)) onServer({ namespace, name: metadata.name });
    }
  });

  /** The watch that tells of objects of a namespace: its own, or that of all. */
  const scopeOf = (namespace: string | undefined) => (namespaces === undefined ? undefined : namespace);
  const placeOf = (plural: string, scope: string | undefined) => (scope === undefined ? plural : `${scope}/${plural}`);
  const serversOf = (namespace: string | undefined) => servers.get(scopeOf(namespace) ?? "");
  const keptOf = (kind: Kind, namespace: string | undefined) => kept.get(placeOf(kind, scopeOf(namespace)));

  function start<T extends KubeObject>(kind: Kind, scope: string | undefined, sink: Sink<T>, selector?: string): void {
    const { apiVersion, plural } = kinds[kind];
    const name = placeOf(sink.listing === undefined ? `referenced ${plural}` : plural, scope);
    const labelSelector = selector === undefined ? {} : { labelSelector: selector };
    const resource = { name, path: resourcePath(kind, scope), apiVersion, kind, ...labelSelector };
    watches.set(name, listWatch(client, resource, sink, observer, timing));
  }

  function changed(object: Owned, before: Owned | undefined): void {
    const server = serverKeyOf(object);
    if (server !== undefined) onServer(server);
    const former = before === undefined ? undefined : serverKeyOf(before);
    if (former !== undefined && (former.name !== server?.name || former.namespace !== server.namespace))
      onServer(former);
    const { namespace = "", name } = object.metadata;
    if (object.kind === "Secret") secrets.touched(namespace, name);
    if (object.kind === "ConfigMap") configMaps.touched(namespace, name);
  }

  function fetched<T extends Secret | ConfigMap>(kind: Kind) {
    return async (namespace: string, name: string): Promise<T | undefined> => {
      const object = await find<T>(client, resourcePath(kind, namespace, name));
      return object === undefined ? undefined : trimmed(object);
    };
  }

  const secrets = references<Secret>({
    fetch: fetched("Secret"),
    held: (namespace, name) => {
      const object = keptOf("Secret", namespace)?.get({ namespace, name });
      return object?.kind === "Secret" ? object : undefined;
    },
    changed: onServer,
  });
  const configMaps = references<ConfigMap>({
    fetch: fetched("ConfigMap"),
    held: (namespace, name) => {
      const object = keptOf("ConfigMap", namespace)?.get({ namespace, name });
      return object?.kind === "ConfigMap" ? object : undefined;
    },
    changed: onServer,
  });

  for (const scope of namespaces ?? [undefined]) {
    const ofServers = store<MlflowServer>((_change, { metadata }) =>
      onServer({ namespace: metadata.namespace ?? "", name: metadata.name }),
    );
    servers.set(scope ?? "", ofServers);
    start("MlflowServer", scope, ofServers);
    for (const kind of keptKinds) {
      if (scope !== undefined && rowOf(kind).scope === "Cluster") continue;
      const ofKind = store<Owned>((_change, object, before) => changed(object, before));
      kept.set(placeOf(kind, scope), ofKind);
      start(kind, scope, ofKind, managedSelector);
    }
    // Only what is not ours, so that no object is told by two watches.
    const foreign = `${label.managedBy}!=${manager}`;
    start("Secret", scope, secrets, foreign);
    start("ConfigMap", scope, configMaps, foreign);
  }

  if (namespaces === undefined) start("Namespace", undefined, consenting, label.workspaceOf);

  return {
    consenting: consenting.of,
    server: (key) => serversOf(key.namespace)?.get(key),
    owned: (key) => keptKinds.flatMap((kind) => keptOf(kind, key.namespace)?.ofServer(key) ?? []),
    secrets,
    configMaps,
    reported: (server) => serversOf(server.metadata.namespace)?.wrote(trimmed(server), false),
    wrote: (object, created) => {
      // The watch would never tell of it, and what it does not tell is never removed.
      if (object.metadata.labels?.[label.managedBy] !== manager) return;
      keptOf(object.kind, object.metadata.namespace)?.wrote(trimmed(object), created);
    },
    removed: (object) => keptOf(object.kind, object.metadata.namespace)?.removed(object),
    synced: Promise.all([...watches.values()].map(({ synced }) => synced)).then((all) => all.every(Boolean)),
    states: () => Object.fromEntries([...watches].map(([name, { state }]) => [name, state()])),
    stop: () => {
      for (const watch of watches.values()) watch.stop();
    },
  };
}
