import type { MlflowBackup } from "../api/backup.ts";
import type { MlflowServer } from "../api/server.ts";
import type { MlflowWorkspaceAccess } from "../api/workspace-access.ts";
import { type ApiClient, find } from "../kube/client/api-client.ts";
import type { EventHandler } from "../kube/client/event-handler.ts";
import { ListWatch, type ListWatchObserver, type ListWatchState } from "../kube/client/list-watch.ts";
import { watchProblem } from "../kube/client/staleness.ts";
import { Store } from "../kube/client/store.ts";
import { defaultTiming, type ListWatchTiming } from "../kube/client/timing.ts";
import { isKind, type Kind, kinds, kindsWith, resourcePath, rowOf } from "../kube/kinds.ts";
import type { ConfigMap, Deployment, Namespace, OtherResource, Owned, Secret } from "../kube/manifests.ts";
import { label, managedSelector, manager } from "../kube/names.ts";
import type { Key, KubeObject } from "../kube/object.ts";
import { isOfBackup } from "../model/names.ts";
import { needsOptIn } from "../model/workspaces.ts";
import { needsKind } from "../reconcile/unconfirmed-kind.ts";
import { isWorkspaceObject } from "../resources/workspace/workspace.ts";
import { cachedObject, cachedServer, isExpected } from "./cached-object.ts";
import { hostIndex } from "./host-index.ts";
import { byNamespace, byServer, namespaceEntry, serverEntry, serverKeyOf } from "./indexes.ts";
import { type OtherResources, otherResources } from "./other-resources.ts";
import { References } from "./references.ts";
import { trimmed } from "./trimmed.ts";
import { isOtherServer, type WorkspaceCache, workspaceCache } from "./workspace-cache.ts";

export interface CachesOptions {
  readonly client: ApiClient;
  /** The namespaces to watch. Default: all, with one watch for each kind. */
  readonly namespaces?: readonly string[] | undefined;
  /** Called for each change that can affect a server: of itself, its objects, or objects that its reconciliations have read. */
  readonly onServer: (key: Key) => void;
  /** Called for each change that can affect a workspace. Not called if only some namespaces are watched. */
  readonly onWorkspace?: (namespace: string) => void;
  /**
   * Called when a CustomResourceDefinition of the operator may have changed: its watches have ended (`isEnded`), or a spec
   * has changed, which can be the first sign of a new definition.
   */
  readonly onDefinition?: (isEnded: boolean) => void;
  readonly observer?: ListWatchObserver;
  readonly timing?: ListWatchTiming;
}

/** The objects of the cluster that watches keep in memory. */
export interface Caches {
  server(key: Key): MlflowServer | undefined;
  /** The Deployment with this name, if it has the label of the operator. */
  deployment(key: Key): Deployment | undefined;
  /** The objects with the labels of the operator and of this server, except those of backups. */
  owned(key: Key): Owned[];
  /** The MlflowBackups of this server, which need not exist. */
  backups(key: Key): MlflowBackup[];
  /** The Jobs of backups of this server, and their pods. */
  backupObjects(key: Key): Owned[];
  /**
   * Reads the content of objects of this server that are older than it, such as the Secrets of a deleted server with the same
   * name. Must run before a reconciliation, which would otherwise see empty objects. Throws the errors of the requests.
   */
  completed(key: Key): Promise<void>;
  /** Namespaces that opted in as workspaces of servers in this namespace. Empty if only some namespaces are watched. */
  optedInNamespaces(namespace: string): Namespace[];
  /** The objects in workspaces for this server, except those in terminating namespaces. */
  granted(key: Key): Owned[];
  readonly workspaces: WorkspaceCache;
  /** False if the cluster does not have the kind; undefined until that is confirmed. */
  knows(kind: Kind, namespace: string): boolean | undefined;
  /** The other servers that request or have an external address of this server. */
  competitors(key: Key): MlflowServer[];
  /** Services and AuthorizationPolicies in a namespace, of all owners; undefined until they are listed. The first call starts the watches. */
  otherResources(namespace: string): OtherResource[] | undefined;
  readonly secrets: References<Secret>;
  readonly configMaps: References<ConfigMap>;
  /** Stores the response to a status write, so that the next reconciliation sees it before the watch event. */
  reported(server: MlflowServer): void;
  /** The same for the status of an MlflowWorkspaceAccess. */
  reportedAccess(access: MlflowWorkspaceAccess): void;
  /** The same for the status of an MlflowBackup. */
  reportedBackup(backup: MlflowBackup): void;
  /** The same for the response to a write of an owned object. */
  wrote(object: Owned, created: boolean): void;
  /** Removes an object that the operator has deleted. */
  removed(object: Owned): void;
  /** True when the first list of each kind is complete, false if the caches were stopped before. */
  readonly synced: Promise<boolean>;
  /** By the name of the resource in metrics and messages. */
  states(): Record<string, ListWatchState>;
  /** Why the cached state of this server or its objects may be outdated; undefined if it is current. */
  watchProblem(server: MlflowServer): string | undefined;
  /** All cached servers. */
  servers(): Iterable<MlflowServer>;
  stop(): void;
}

const keptKinds = [...kindsWith("owned"), ...kindsWith("observed")];

/** Starts the watches of the kinds in `kube/kinds.ts`. They are retried after failures until `stop`. */
export function caches(options: CachesOptions): Caches {
  const { client, namespaces, onServer, onWorkspace = () => undefined, observer, timing = defaultTiming } = options;
  const watches = new Map<string, ListWatch>();
  /** Kind and scope of each watch. */
  const watched = new Map<string, { readonly kind: Kind; readonly scope: string | undefined }>();
  const servers = new Map<string, Store<MlflowServer>>();
  const kept = new Map<string, Store<Owned>>();
  const others = new Map<string, readonly OtherResources[]>();
  const backups = new Map<string, Store<MlflowBackup>>();
  const addresses = hostIndex(onServer);
  const workspaces = workspaceCache({
    servers: (namespace) => serversOf(namespace)?.indexed(namespaceEntry(namespace)) ?? [],
    configMap: (key) => keptOf("ConfigMap", key.namespace)?.get(key),
    onServer,
    onWorkspace,
  });

  /** The scope of the watch that covers a namespace: the namespace itself, or undefined for all. */
  const scopeOf = (namespace: string | undefined) => (namespaces === undefined ? undefined : namespace);
  const placeOf = (plural: string, scope: string | undefined) => (scope === undefined ? plural : `${scope}/${plural}`);
  const serversOf = (namespace: string | undefined) => servers.get(scopeOf(namespace) ?? "");
  const keptOf = (kind: Kind, namespace: string | undefined) => kept.get(placeOf(kind, scopeOf(namespace)));

  function start<T extends KubeObject>(
    kind: Kind,
    scope: string | undefined,
    handler: EventHandler<T>,
    selector?: string,
    which: "" | "referenced " | "other " = "",
  ): void {
    const { apiVersion, plural, isOptional = false } = rowOf(kind);
    const name = placeOf(`${which}${plural}`, scope);
    const labelSelector = selector === undefined ? {} : { labelSelector: selector };
    const isPartial = kind === "Namespace" || which === "referenced ";
    const isMetadataOnly = isPartial ? { isMetadataOnly: true as const } : {};
    const isOwn = kind === "MlflowServer" || kind === "MlflowWorkspaceAccess" || kind === "MlflowBackup";
    const resource = {
      name,
      path: resourcePath(kind, scope),
      apiVersion,
      kind,
      isCustom: isOwn,
      transform: trimmed,
      ...(isOptional && { optional: { isWanted: () => needing(kind, scope).length > 0 } }),
      ...labelSelector,
      ...isMetadataOnly,
    };
    watches.set(name, new ListWatch(client, resource, handler, isOwn ? definitionObserver : observer, timing));
    watched.set(name, { kind, scope });
  }

  const definitionMayHaveChanged = (isEnded = false) => options.onDefinition?.(isEnded);
  /** The API server ends the watches of a kind when its CustomResourceDefinition changes. */
  const definitionObserver: ListWatchObserver = {
    listed: (resource, again) => {
      definitionMayHaveChanged(true);
      observer?.listed?.(resource, again);
    },
    resumed: (resource) => {
      definitionMayHaveChanged(true);
      observer?.resumed?.(resource);
    },
    failed: (resource, error, delaySeconds) => {
      definitionMayHaveChanged();
      observer?.failed?.(resource, error, delaySeconds);
    },
  };

  /** The servers that need an optional kind. */
  function needing(kind: Kind, scope: string | undefined): Key[] {
    return [...(servers.get(scope ?? "")?.all() ?? [])].flatMap(({ metadata, spec }) =>
      needsKind(spec, kind) ? [{ namespace: metadata.namespace, name: metadata.name }] : [],
    );
  }

  /** Enqueues them, of one namespace or of all. */
  function needed(kind: Kind, scope: string | undefined, namespace?: string): void {
    for (const key of needing(kind, scope)) if (namespace === undefined || namespace === key.namespace) onServer(key);
  }

  /** Updates the indexes by which a server affects other objects. */
  function noted(server: MlflowServer, before: MlflowServer | undefined, isGone = false): void {
    const { namespace, name } = server.metadata;
    addresses.noted({ namespace, name }, isGone ? undefined : server);
    if (isGone || isOtherServer(server, before)) workspaces.touched(server);
  }

  function otherResourcesIn(scope: string | undefined): readonly OtherResources[] {
    const known = others.get(scope ?? "");
    if (known !== undefined) return known;
    const started = kindsWith("inspected").map((kind) => {
      const ofKind = otherResources((namespace) => needed(kind, scope, namespace));
      // Without a label selector: anyone with write access to an object can set labels that would hide it.
      start(kind, scope, ofKind, undefined, "other ");
      return ofKind;
    });
    others.set(scope ?? "", started);
    return started;
  }

  function changed(object: Owned, before: Owned | undefined): void {
    const server = serverKeyOf(object);
    if (server !== undefined) onServer(server);
    const previous = before === undefined ? undefined : serverKeyOf(before);
    if (previous !== undefined && (previous.name !== server?.name || previous.namespace !== server.namespace))
      onServer(previous);
    const { namespace = "", name } = object.metadata;
    if (object.kind === "Secret") secrets.touched(namespace, name);
    if (object.kind === "ConfigMap") configMaps.touched(namespace, name);
    if (isWorkspaceObject(object) || (before !== undefined && isWorkspaceObject(before))) onWorkspace(namespace);
  }

  function fetched<T extends Secret | ConfigMap>(kind: Kind) {
    return async (namespace: string, name: string): Promise<T | undefined> => {
      return find<T>(client, resourcePath(kind, namespace, name));
    };
  }

  const secrets = new References<Secret>({
    fetch: fetched("Secret"),
    changed: onServer,
  });
  const configMaps = new References<ConfigMap>({
    fetch: fetched("ConfigMap"),
    changed: onServer,
  });

  const isServer = (key: Key) => serversOf(key.namespace)?.get(key) !== undefined;

  /** The store, which keeps `map` of each object. */
  function mapping<T extends KubeObject>(handler: Store<T>, map: (object: T) => T): EventHandler<T> {
    return {
      reached: handler.reached,
      changed: (change, object) => handler.changed(change, map(object)),
      listing: () => {
        const { item, complete } = handler.listing();
        return { item: (object) => item(map(object)), complete };
      },
    };
  }

  const scopes: readonly (string | undefined)[] = namespaces ?? [undefined];
  /** The watches of objects of servers, by scope; resolves when they are listed. */
  const opened = new Map<string, Promise<boolean>>();
  /** Scopes whose servers are listed. */
  const listed = new Set<string>();
  /** Scopes in which all kinds are listed. */
  const ready = new Set<string>();
  let isStopped = false;

  /** Whether all objects of the servers in this scope are cached. */
  function isReady(scope: string | undefined): boolean {
    return scope === undefined || !listed.has(scope) || ready.has(scope);
  }

  function startServers(scope: string | undefined): void {
    const ofServers = new Store<MlflowServer>(
      (change, server, before) => {
        if (server.metadata.generation !== before?.metadata.generation) definitionMayHaveChanged();
        const key = { namespace: server.metadata.namespace, name: server.metadata.name };
        if (listed.has(scope ?? "") && change !== "deleted") void open(scope);
        if (isReady(scope)) onServer(key);
        noted(server, before, change === "deleted");
      },
      { indexesOf: byNamespace, isCustom: true },
    );
    servers.set(scope ?? "", ofServers);
    start("MlflowServer", scope, mapping(ofServers, cachedServer));
  }

  /** Starts the watches of objects of servers, when there is a server: a namespace without servers needs only one watch. */
  function open(scope: string | undefined): Promise<boolean> {
    const known = opened.get(scope ?? "");
    if (known !== undefined) return known;
    const before = new Set(watches.keys());
    for (const kind of keptKinds) {
      if (scope !== undefined && rowOf(kind).scope === "Cluster") continue;
      const ofKind = new Store<Owned>((_change, object, previous) => changed(object, previous), {
        indexesOf: byServer,
      });
      kept.set(placeOf(kind, scope), ofKind);
      // If the kind was installed or removed, there is no event of an object.
      let wasKnown: boolean | undefined;
      const relisted = () => {
        const isKnown = watches.get(placeOf(rowOf(kind).plural, scope))?.isKnown();
        if (isKnown !== wasKnown) needed(kind, scope);
        wasKnown = isKnown;
      };
      const handler = mapping(ofKind, (object) => cachedObject(object, isServer));
      start(kind, scope, { ...handler, ...(rowOf(kind).isOptional && { relisted }) }, managedSelector);
    }
    const ofBackups = new Store<MlflowBackup>(
      (_change, { metadata: { namespace }, spec }) => onServer({ namespace, name: spec.serverRef.name }),
      { indexesOf: byNamespace, isCustom: true },
    );
    backups.set(scope ?? "", ofBackups);
    start("MlflowBackup", scope, ofBackups);
    // Only objects without the label of the operator, so that no object is in two watches.
    const notManaged = `${label.managedBy}!=${manager}`;
    start("Secret", scope, secrets, notManaged, "referenced ");
    start("ConfigMap", scope, configMaps, notManaged, "referenced ");
    const started = [...watches].flatMap(([name, { synced }]) => (before.has(name) ? [] : [synced]));
    const isListed = Promise.all(started).then((all) => {
      ready.add(scope ?? "");
      for (const { metadata } of serversOf(scope)?.all() ?? [])
        if (scope !== undefined) onServer({ namespace: scope, name: metadata.name });
      return all.every(Boolean);
    });
    opened.set(scope ?? "", isListed);
    return isListed;
  }

  /** Servers are listed first: of objects without a server only metadata is cached. */
  async function begin(scope: string | undefined): Promise<boolean> {
    const isListed = (await watches.get(placeOf(kinds.MlflowServer.plural, scope))?.synced) === true;
    if (!isListed || isStopped) return false;
    listed.add(scope ?? "");
    const isNeeded = scope === undefined || [...(serversOf(scope)?.all() ?? [])].length > 0;
    return isNeeded ? open(scope) : true;
  }

  for (const scope of scopes) startServers(scope);
  if (namespaces === undefined) {
    kept.set("RoleBinding", workspaces.bindings);
    start("Namespace", undefined, workspaces.optedInNamespaces, label.workspaceOf);
    start("RoleBinding", undefined, workspaces.bindings, managedSelector);
    start("MlflowWorkspaceAccess", undefined, workspaces.accesses);
  }
  const first = [...watches.values()].map(({ synced }) => synced);

  const labelled = (key: Key) =>
    keptKinds.flatMap((kind) => keptOf(kind, key.namespace)?.indexed(serverEntry(key)) ?? []);
  const owned = (key: Key) => labelled(key).filter((object) => !isOfBackup(object, key.name));
  const backupsOf = (namespace: string | undefined) => backups.get(scopeOf(namespace) ?? "");

  const states = () => Object.fromEntries([...watches].map(([name, watch]) => [name, watch.state()]));

  return {
    optedInNamespaces: workspaces.optedInNamespaces.of,
    granted: workspaces.granted,
    workspaces,
    server: (key) => serversOf(key.namespace)?.get(key),
    deployment: (key) => {
      const found = keptOf("Deployment", key.namespace)?.get(key);
      return found?.kind === "Deployment" ? found : undefined;
    },
    owned,
    backups: ({ namespace, name }) =>
      (backupsOf(namespace)?.indexed(namespaceEntry(namespace)) ?? []).filter(
        ({ spec }) => spec.serverRef.name === name,
      ),
    backupObjects: (key) =>
      (["Job", "Pod"] as const).flatMap((kind) =>
        (keptOf(kind, key.namespace)?.indexed(serverEntry(key)) ?? []).filter((object) => isOfBackup(object, key.name)),
      ),
    completed: async (key) => {
      if (!isServer(key)) return;
      for (const object of labelled(key)) {
        if (object.omitted !== "unexpected" || !isExpected(object, isServer)) continue;
        const { kind, metadata } = object;
        if (!isKind(kind)) continue;
        const whole = await find<Owned>(client, resourcePath(kind, metadata.namespace, metadata.name));
        if (whole !== undefined) keptOf(kind, metadata.namespace)?.loaded(cachedObject(trimmed(whole), isServer));
      }
    },
    knows: (kind, namespace) => {
      const watch = watches.get(placeOf(kinds[kind].plural, scopeOf(namespace)));
      return watch === undefined || watch.isKnown();
    },
    competitors: (key) => addresses.competitors(key).flatMap((other) => serversOf(other.namespace)?.get(other) ?? []),
    otherResources: (namespace) => {
      const found: OtherResource[] = [];
      for (const each of otherResourcesIn(scopeOf(namespace))) {
        const those = each.of(namespace);
        if (those === undefined) return undefined;
        found.push(...those);
      }
      return found;
    },
    secrets,
    configMaps,
    reported: (server) => {
      const { namespace, name } = server.metadata;
      const before = serversOf(namespace)?.get({ namespace, name });
      const answer = cachedServer(trimmed(server));
      serversOf(namespace)?.wrote(answer, false);
      // The watch event for this version is not reported as a change.
      noted(answer, before);
    },
    reportedAccess: (access) => workspaces.accesses.wrote(trimmed(access), false),
    reportedBackup: (backup) => backupsOf(backup.metadata.namespace)?.wrote(trimmed(backup), false),
    wrote: (object, created) => {
      // The watch does not select it, so it would never be removed from the cache.
      if (object.metadata.labels?.[label.managedBy] !== manager) return;
      keptOf(object.kind, object.metadata.namespace)?.wrote(cachedObject(trimmed(object), isServer), created);
    },
    removed: (object) => keptOf(object.kind, object.metadata.namespace)?.removed(object),
    synced: Promise.all([...first, ...scopes.map(begin)]).then((all) => all.every(Boolean)),
    watchProblem: (server) => {
      const all = states();
      const scope = scopeOf(server.metadata.namespace);
      const isSynced = Object.values(all).every((state) => state.isSynced);
      const relevant = Object.entries(all).filter(([name]) => {
        const of = watched.get(name);
        // Until all kinds are listed, no server is reconciled.
        return of !== undefined && (!isSynced || (matters(of.kind, server.spec) && (of.scope ?? scope) === scope));
      });
      return watchProblem(Object.fromEntries(relevant), all, timing);
    },
    servers: () => [...servers.values()].flatMap((each) => [...each.all()]),
    states,
    stop: () => {
      isStopped = true;
      for (const watch of watches.values()) watch.stop();
    },
  };
}

/** Whether objects of a kind can affect a server with this spec. */
function matters(kind: Kind, spec: MlflowServer["spec"]): boolean {
  const { isOptional, roles } = rowOf(kind);
  if (isOptional) return needsKind(spec, kind);
  if (roles.includes("requesting")) return false;
  const isOfWorkspaces = roles.some((role) => role === "optingIn" || role === "granting" || role === "granted");
  return !isOfWorkspaces || spec.workspaces !== undefined || (kind === "Namespace" && needsOptIn(spec));
}
