import type { MlflowServer } from "../api/server.ts";
import type { MlflowWorkspaceAccess } from "../api/workspace-access.ts";
import { isKind, type Kind, kinds, kindsWith, resourcePath, rowOf } from "../kube/kinds.ts";
import type { ConfigMap, Namespace, Neighbour, Owned, Secret } from "../kube/manifests.ts";
import { label, managedSelector, manager } from "../kube/names.ts";
import type { Key, KubeObject } from "../kube/object.ts";
import { needsKind } from "../resources/optional-kinds.ts";
import { isWorkspaceObject } from "../resources/workspace/ownership.ts";
import { needsOptIn } from "../resources/workspaces.ts";
import { type ApiClient, find } from "./api-client.ts";
import { claims } from "./claims.ts";
import { held, heldServer, isExpected } from "./held.ts";
import { type ListWatch, type ListWatchObserver, type ListWatchState, listWatch } from "./list-watch.ts";
import { type Neighbours, neighbours } from "./neighbours.ts";
import { type References, references } from "./references.ts";
import type { Sink } from "./sink.ts";
import { watchProblem } from "./staleness.ts";
import { type Store, serverKeyOf, store } from "./store.ts";
import { defaultTiming, type ListWatchTiming } from "./timing.ts";
import { trimmed } from "./trimmed.ts";
import { isOtherServer, type WorkspaceCache, workspaceCache } from "./workspace-cache.ts";

export interface CachesOptions {
  readonly client: ApiClient;
  /** The namespaces to watch; without it all of them, by one watch for a kind. */
  readonly namespaces?: readonly string[] | undefined;
  /** Told of every change that can matter to a server: its own, of what belongs to it, of what its passes have read. */
  readonly onServer: (key: Key) => void;
  /** Told of every change that can matter to what is in a workspace; never where not all namespaces are watched. */
  readonly onWorkspace?: (namespace: string) => void;
  /**
   * Told when a CustomResourceDefinition of ours may have changed: its watches end then (`isEnded`), and a spec that has changed
   * may be the first to show it.
   */
  readonly onDefinition?: (isEnded: boolean) => void;
  readonly observer?: ListWatchObserver;
  readonly timing?: ListWatchTiming;
}

/** What watches keep of the cluster. */
export interface Caches {
  server(key: Key): MlflowServer | undefined;
  /** What is labelled as ours and as this server's. */
  owned(key: Key): Owned[];
  /**
   * Reads the content of what belongs to this server and was there before it, such as the Secrets of a former server of its
   * name. A pass must not begin without: it would take them for empty. Throws what the calls throw.
   */
  completed(key: Key): Promise<void>;
  /** Namespaces that consent to be workspaces of servers in this one; none where not all namespaces are watched. */
  consenting(namespace: string): Namespace[];
  /** What is in workspaces because of this server, but for what goes with its namespace. */
  granted(key: Key): Owned[];
  readonly workspaces: WorkspaceCache;
  /** False where the cluster does not have the kind; undefined while only a recent answer says so. */
  knows(kind: Kind, namespace: string): boolean | undefined;
  /** The other servers that want or have an address outside of this one. */
  rivals(key: Key): MlflowServer[];
  /** What others have in a namespace; undefined until it is known. It is watched from the first question on. */
  neighbours(namespace: string): Neighbour[] | undefined;
  readonly secrets: References<Secret>;
  readonly configMaps: References<ConfigMap>;
  /** Takes the API server's answer to a report, so that the next pass sees it before the watch tells. */
  reported(server: MlflowServer): void;
  /** The same of a report to an access. */
  reportedAccess(access: MlflowWorkspaceAccess): void;
  /** The same of an answer to a write. */
  wrote(object: Owned, created: boolean): void;
  /** Takes note that this very object is deleted. */
  removed(object: Owned): void;
  /** True when everything has been listed once, false when it was stopped before. */
  readonly synced: Promise<boolean>;
  /** By resource, as metrics and messages call it. */
  states(): Record<string, ListWatchState>;
  /** Why what is kept of this server, or of what belongs to it, may be outdated. */
  watchProblem(server: MlflowServer): string | undefined;
  /** All servers that are known. */
  servers(): Iterable<MlflowServer>;
  stop(): void;
}

const keptKinds = [...kindsWith("owned"), ...kindsWith("observed")];

/** Starts the watches that the table of kinds asks for. They go on until they are stopped, whatever fails. */
export function caches(options: CachesOptions): Caches {
  const { client, namespaces, onServer, onWorkspace = () => undefined, observer, timing = defaultTiming } = options;
  const watches = new Map<string, ListWatch>();
  /** Of each watch: what it is of. */
  const watched = new Map<string, { readonly kind: Kind; readonly scope: string | undefined }>();
  const servers = new Map<string, Store<MlflowServer>>();
  const kept = new Map<string, Store<Owned>>();
  const others = new Map<string, readonly Neighbours[]>();
  const addresses = claims(onServer);
  const workspaces = workspaceCache({
    servers: (namespace) => serversOf(namespace)?.inNamespace(namespace) ?? [],
    configMap: (key) => keptOf("ConfigMap", key.namespace)?.get(key),
    onServer,
    onWorkspace,
  });

  /** The watch that tells of objects of a namespace: its own, or that of all. */
  const scopeOf = (namespace: string | undefined) => (namespaces === undefined ? undefined : namespace);
  const placeOf = (plural: string, scope: string | undefined) => (scope === undefined ? plural : `${scope}/${plural}`);
  const serversOf = (namespace: string | undefined) => servers.get(scopeOf(namespace) ?? "");
  const keptOf = (kind: Kind, namespace: string | undefined) => kept.get(placeOf(kind, scopeOf(namespace)));

  function start<T extends KubeObject>(
    kind: Kind,
    scope: string | undefined,
    sink: Sink<T>,
    selector?: string,
    which: "" | "referenced " | "neighbouring " = "",
  ): void {
    const { apiVersion, plural, isOptional = false } = rowOf(kind);
    const name = placeOf(`${which}${plural}`, scope);
    const labelSelector = selector === undefined ? {} : { labelSelector: selector };
    const isPartial = kind === "Namespace" || which === "referenced ";
    const isMetadataOnly = isPartial ? { isMetadataOnly: true as const } : {};
    const isOwn = kind === "MlflowServer" || kind === "MlflowWorkspaceAccess";
    const resource = {
      name,
      path: resourcePath(kind, scope),
      apiVersion,
      kind,
      isCustom: isOwn,
      ...(isOptional && { optional: { isWanted: () => needing(kind, scope).length > 0 } }),
      ...labelSelector,
      ...isMetadataOnly,
    };
    watches.set(name, listWatch(client, resource, sink, isOwn ? doubting : observer, timing));
    watched.set(name, { kind, scope });
  }

  const doubt = (isEnded = false) => options.onDefinition?.(isEnded);
  /** The API server ends the watches of a kind when its definition changes. */
  const doubting: ListWatchObserver = {
    listed: (resource, again) => {
      doubt(true);
      observer?.listed?.(resource, again);
    },
    resumed: (resource) => {
      doubt(true);
      observer?.resumed?.(resource);
    },
    failed: (resource, error, delaySeconds) => {
      doubt();
      observer?.failed?.(resource, error, delaySeconds);
    },
  };

  /** The servers that need a kind which clusters may lack. */
  function needing(kind: Kind, scope: string | undefined): Key[] {
    return [...(servers.get(scope ?? "")?.all() ?? [])].flatMap(({ metadata, spec }) =>
      needsKind(spec, kind) ? [{ namespace: metadata.namespace ?? "", name: metadata.name }] : [],
    );
  }

  /** Has passes over them, of one namespace or of all. */
  function needed(kind: Kind, scope: string | undefined, namespace?: string): void {
    for (const key of needing(kind, scope)) if (namespace === undefined || namespace === key.namespace) onServer(key);
  }

  /** Takes note of what of a server matters to others. */
  function noted(server: MlflowServer, before: MlflowServer | undefined, isGone = false): void {
    const { namespace = "", name } = server.metadata;
    addresses.noted({ namespace, name }, isGone ? undefined : server);
    if (isGone || isOtherServer(server, before)) workspaces.touched(server);
  }

  function neighboursIn(scope: string | undefined): readonly Neighbours[] {
    const known = others.get(scope ?? "");
    if (known !== undefined) return known;
    const started = kindsWith("neighbouring").map((kind) => {
      const ofKind = neighbours((namespace) => needed(kind, scope, namespace));
      // Not by label, which anybody may put on what shall not be seen here.
      start(kind, scope, ofKind, undefined, "neighbouring ");
      return ofKind;
    });
    others.set(scope ?? "", started);
    return started;
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
    if (isWorkspaceObject(object) || (before !== undefined && isWorkspaceObject(before))) onWorkspace(namespace);
  }

  function fetched<T extends Secret | ConfigMap>(kind: Kind) {
    return async (namespace: string, name: string): Promise<T | undefined> => {
      return find<T>(client, resourcePath(kind, namespace, name));
    };
  }

  const secrets = references<Secret>({
    fetch: fetched("Secret"),
    changed: onServer,
  });
  const configMaps = references<ConfigMap>({
    fetch: fetched("ConfigMap"),
    changed: onServer,
  });

  const isServer = (key: Key) => serversOf(key.namespace)?.get(key) !== undefined;

  /** The store, with what is held of each object that arrives. */
  function holding<T extends KubeObject>(sink: Store<T>, hold: (object: T) => T): Sink<T> {
    return {
      reached: sink.reached,
      changed: (change, object) => sink.changed(change, hold(object)),
      listing: () => {
        const { item, complete } = sink.listing();
        return { item: (object) => item(hold(object)), complete };
      },
    };
  }

  const scopes: readonly (string | undefined)[] = namespaces ?? [undefined];
  /** What is watched besides servers, by scope; resolves when all of it is listed. */
  const opened = new Map<string, Promise<boolean>>();
  /** Scopes of which the servers are listed. */
  const listed = new Set<string>();
  /** Scopes of which all is listed. */
  const ready = new Set<string>();
  let isStopped = false;

  /** Whether a pass over servers of this scope would see all that belongs to them. */
  function isReady(scope: string | undefined): boolean {
    return scope === undefined || !listed.has(scope) || ready.has(scope);
  }

  function startServers(scope: string | undefined): void {
    const ofServers = store<MlflowServer>(
      (change, server, before) => {
        if (server.metadata.generation !== before?.metadata.generation) doubt();
        const key = { namespace: server.metadata.namespace ?? "", name: server.metadata.name };
        if (listed.has(scope ?? "") && change !== "deleted") void open(scope);
        if (isReady(scope)) onServer(key);
        noted(server, before, change === "deleted");
      },
      { byNamespace: true, isCustom: true },
    );
    servers.set(scope ?? "", ofServers);
    start("MlflowServer", scope, holding(ofServers, heldServer));
  }

  /** Watches what belongs to servers, once there is one: a namespace without servers takes one watch. */
  function open(scope: string | undefined): Promise<boolean> {
    const known = opened.get(scope ?? "");
    if (known !== undefined) return known;
    const before = new Set(watches.keys());
    for (const kind of keptKinds) {
      if (scope !== undefined && rowOf(kind).scope === "Cluster") continue;
      const ofKind = store<Owned>((_change, object, former) => changed(object, former));
      kept.set(placeOf(kind, scope), ofKind);
      // Where the kind has just come, or gone, no object of it tells so.
      let wasKnown: boolean | undefined;
      const relisted = () => {
        const isKnown = watches.get(placeOf(rowOf(kind).plural, scope))?.isKnown();
        if (isKnown !== wasKnown) needed(kind, scope);
        wasKnown = isKnown;
      };
      const sink = holding(ofKind, (object) => held(object, isServer));
      start(kind, scope, { ...sink, ...(rowOf(kind).isOptional && { relisted }) }, managedSelector);
    }
    // Only what is not ours, so that no object is told by two watches.
    const foreign = `${label.managedBy}!=${manager}`;
    start("Secret", scope, secrets, foreign, "referenced ");
    start("ConfigMap", scope, configMaps, foreign, "referenced ");
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

  /** Servers come first: what belongs to none of them is held in brief. */
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
    start("Namespace", undefined, workspaces.consenting, label.workspaceOf);
    start("RoleBinding", undefined, workspaces.bindings, managedSelector);
    start("MlflowWorkspaceAccess", undefined, workspaces.accesses);
  }
  const first = [...watches.values()].map(({ synced }) => synced);

  const owned = (key: Key) => keptKinds.flatMap((kind) => keptOf(kind, key.namespace)?.ofServer(key) ?? []);

  const states = () => Object.fromEntries([...watches].map(([name, { state }]) => [name, state()]));

  return {
    consenting: workspaces.consenting.of,
    granted: workspaces.granted,
    workspaces,
    server: (key) => serversOf(key.namespace)?.get(key),
    owned,
    completed: async (key) => {
      if (!isServer(key)) return;
      for (const object of owned(key)) {
        if (object.omitted !== "unexpected" || !isExpected(object, isServer)) continue;
        const { kind, metadata } = object;
        if (!isKind(kind)) continue;
        const whole = await find<Owned>(client, resourcePath(kind, metadata.namespace, metadata.name));
        if (whole !== undefined) keptOf(kind, metadata.namespace)?.filled(held(trimmed(whole), isServer));
      }
    },
    knows: (kind, namespace) => {
      const watch = watches.get(placeOf(kinds[kind].plural, scopeOf(namespace)));
      return watch === undefined || watch.isKnown();
    },
    rivals: (key) => addresses.rivals(key).flatMap((other) => serversOf(other.namespace)?.get(other) ?? []),
    neighbours: (namespace) => {
      const found: Neighbour[] = [];
      for (const each of neighboursIn(scopeOf(namespace))) {
        const those = each.of(namespace);
        if (those === undefined) return undefined;
        found.push(...those);
      }
      return found;
    },
    secrets,
    configMaps,
    reported: (server) => {
      const { namespace = "", name } = server.metadata;
      const before = serversOf(namespace)?.get({ namespace, name });
      const answer = heldServer(trimmed(server));
      serversOf(namespace)?.wrote(answer, false);
      // The watch will tell it as nothing new.
      noted(answer, before);
    },
    reportedAccess: (access) => workspaces.accesses.wrote(trimmed(access), false),
    wrote: (object, created) => {
      // The watch would never tell of it, and what it does not tell is never removed.
      if (object.metadata.labels?.[label.managedBy] !== manager) return;
      keptOf(object.kind, object.metadata.namespace)?.wrote(held(trimmed(object), isServer), created);
    },
    removed: (object) => keptOf(object.kind, object.metadata.namespace)?.removed(object),
    synced: Promise.all([...first, ...scopes.map(begin)]).then((all) => all.every(Boolean)),
    watchProblem: (server) => {
      const all = states();
      const scope = scopeOf(server.metadata.namespace);
      const isSynced = Object.values(all).every((state) => state.isSynced);
      const relevant = Object.entries(all).filter(([name]) => {
        const of = watched.get(name);
        // Until all is listed no pass is made, whatever a server needs.
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

/** Whether the objects of a kind can matter to a server of this spec. */
function matters(kind: Kind, spec: MlflowServer["spec"]): boolean {
  const { isOptional, roles } = rowOf(kind);
  if (isOptional) return needsKind(spec, kind);
  const isOfWorkspaces = roles.some((role) => role === "consenting" || role === "granting" || role === "granted");
  return !isOfWorkspaces || spec.workspaces !== undefined || (kind === "Namespace" && needsOptIn(spec));
}
