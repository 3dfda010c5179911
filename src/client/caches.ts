import type { MlflowBackup } from "../api/backup.ts";
import type { MlflowBackupSchedule } from "../api/backup-schedule.ts";
import type { MlflowServer } from "../api/server.ts";
import type { MlflowWorkspaceAccess } from "../api/workspace-access.ts";
import { type ApiClient, find } from "../kube/client/api-client.ts";
import type { Change, EventHandler } from "../kube/client/event-handler.ts";
import type { ListWatchObserver } from "../kube/client/list-watch.ts";
import { Store } from "../kube/client/store.ts";
import { defaultTiming, type ListWatchTiming } from "../kube/client/timing.ts";
import { type Kind, kindsWith, resourcePath, rowOf } from "../kube/kinds.ts";
import type { ConfigMap, Namespace, OtherResource, Owned, Secret } from "../kube/manifests.ts";
import { label, managedSelector, manager } from "../kube/names.ts";
import type { Key } from "../kube/object.ts";
import { needsKind } from "../reconcile/unconfirmed-kind.ts";
import { isWorkspaceObject } from "../resources/workspace/workspace.ts";
import { BackupRequests } from "./backup-requests.ts";
import { cachedServer } from "./cached-object.ts";
import { type HostIndex, hostIndex } from "./host-index.ts";
import { byNamespace, namespaceEntry, serverKeyOf } from "./indexes.ts";
import { mapped } from "./mapped-handler.ts";
import { type OtherResources, otherResources } from "./other-resources.ts";
import { keptKinds, OwnedObjects } from "./owned-objects.ts";
import { References } from "./references.ts";
import { type Scope, Scoped } from "./scoped.ts";
import { trimmed } from "./trimmed.ts";
import { Watches } from "./watches.ts";
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

/**
 * The objects of the cluster that watches keep in memory. Servers are listed first, and what belongs to them when there is one: a watched namespace
 * without servers needs only the watches of servers and of requests for backups.
 */
export class Caches {
  readonly #options: CachesOptions;
  readonly #watches: Watches;
  readonly #scopes: readonly Scope[];
  readonly #servers: Scoped<Store<MlflowServer>>;
  readonly #requests: BackupRequests;
  readonly #others: Scoped<readonly OtherResources[]>;
  readonly #objects: OwnedObjects;
  readonly #addresses: HostIndex;
  /** The watches of objects of servers, by scope; resolves when they are listed. */
  readonly #opened = new Map<Scope, Promise<boolean>>();
  /** Scopes whose servers are listed. */
  readonly #listed = new Set<Scope>();
  /** Scopes in which all kinds are listed. */
  readonly #ready = new Set<Scope>();
  #isStopped = false;

  readonly workspaces: WorkspaceCache;
  readonly secrets: References<Secret>;
  readonly configMaps: References<ConfigMap>;
  /** True when the first list of each kind is complete, false if the caches were stopped before. */
  readonly synced: Promise<boolean>;

  /** Starts the watches of the kinds in `kube/kinds.ts`. They are retried after failures until `stop`. */
  constructor(options: CachesOptions) {
    const { client, namespaces, onServer, onWorkspace = () => undefined, onDefinition, observer } = options;
    const isNamespaced = namespaces !== undefined;
    this.#options = options;
    this.#scopes = namespaces ?? [undefined];
    this.#servers = new Scoped(isNamespaced);
    this.#requests = new BackupRequests(
      isNamespaced,
      (scope, server) => {
        if (this.#isReady(scope)) onServer(server);
      },
      (scope, backup) => {
        if (this.#isReady(scope)) for (const server of this.#restoredFrom(backup)) onServer(server);
      },
    );
    this.#others = new Scoped(isNamespaced);
    this.#addresses = hostIndex(onServer);
    this.#watches = new Watches({
      client,
      timing: options.timing ?? defaultTiming,
      observer,
      onDefinition,
      isNeeded: (kind, scope) => this.#needing(kind, scope).length > 0,
    });
    this.#objects = new OwnedObjects({
      client,
      isNamespaced,
      isServer: (key) => this.server(key) !== undefined,
      onChange: (_change, object, before) => this.#objectChanged(object, before),
    });
    this.secrets = new References<Secret>({ fetch: this.#fetched("Secret"), changed: onServer });
    this.configMaps = new References<ConfigMap>({ fetch: this.#fetched("ConfigMap"), changed: onServer });
    this.workspaces = workspaceCache({
      servers: this.serversIn,
      configMap: (key) => this.#objects.get("ConfigMap", key),
      onServer,
      onWorkspace,
    });
    const first = this.#scopes.map((scope) => this.#startServers(scope));
    const begun = first.map((servers, index) => this.#begin(this.#scopes[index], servers));
    const requests = this.#scopes.flatMap((scope) => this.#requests.start(this.#watches, scope));
    const ofWorkspaces = isNamespaced ? [] : this.#startWorkspaces();
    this.synced = Promise.all([...first, ...requests, ...ofWorkspaces, ...begun]).then((all) => all.every(Boolean));
  }

  readonly server = (key: Key): MlflowServer | undefined => this.#servers.of(key.namespace)?.get(key);

  /** All cached servers. */
  readonly servers = (): Iterable<MlflowServer> => [...this.#servers.all()].flatMap((each) => [...each.all()]);

  /** The cached servers in a namespace. */
  readonly serversIn = (namespace: string): MlflowServer[] =>
    this.#servers.of(namespace)?.indexed(namespaceEntry(namespace)) ?? [];

  /** The Deployment with this name, if it has the label of the operator. */
  readonly deployment = (key: Key) => this.#objects.deployment(key);

  /** The objects with the labels of the operator and of this server, except those of backups. */
  readonly owned = (key: Key): Owned[] => this.#objects.owned(key);

  /** The MlflowBackups of this server, which need not exist. */
  readonly backups = (key: Key): MlflowBackup[] => this.#requests.backups(key);

  /** The MlflowBackup, or undefined if it does not exist. */
  readonly backup = (key: Key): MlflowBackup | undefined => this.#requests.backup(key);

  /** The MlflowBackupSchedules of this server, which need not exist. */
  readonly backupSchedules = (key: Key): MlflowBackupSchedule[] => this.#requests.schedules(key);

  /** All of them. */
  readonly allBackupSchedules = (): Iterable<MlflowBackupSchedule> => this.#requests.allSchedules();

  /** The Jobs of backups of this server, and their pods. */
  readonly backupObjects = (key: Key): Owned[] => this.#objects.ofBackups(key);

  /** Namespaces that opted in as workspaces of servers in this namespace. Empty if only some namespaces are watched. */
  readonly optedInNamespaces = (namespace: string): Namespace[] => this.workspaces.optedInNamespaces.of(namespace);

  /** The objects in workspaces for this server, except those in terminating namespaces. */
  readonly granted = (key: Key): Owned[] => this.workspaces.granted(key);

  /** False if the cluster does not have the kind; undefined until that is confirmed. */
  readonly knows = (kind: Kind, namespace: string): boolean | undefined =>
    this.#watches.knows(kind, this.#servers.scopeOf(namespace));

  /** The other servers that request or have an external address of this server. */
  readonly competitors = (key: Key): MlflowServer[] =>
    this.#addresses.competitors(key).flatMap((other) => this.server(other) ?? []);

  /** Services and AuthorizationPolicies in a namespace, of all owners; undefined until they are listed. The first call starts the watches. */
  readonly otherResources = (namespace: string): OtherResource[] | undefined => {
    const found: OtherResource[] = [];
    for (const each of this.#otherResourcesIn(this.#servers.scopeOf(namespace))) {
      const those = each.of(namespace);
      if (those === undefined) return undefined;
      found.push(...those);
    }
    return found;
  };

  /** By the name of the resource in metrics and messages. */
  readonly states = () => this.#watches.states();

  /** Why the cached state of this server or its objects may be outdated; undefined if it is current. */
  readonly watchProblem = ({ metadata, spec }: MlflowServer): string | undefined =>
    this.#watches.problem(spec, this.#servers.scopeOf(metadata.namespace));

  /**
   * Reads the content of objects of this server that are older than it. Must run before a reconciliation, which would otherwise see
   * empty objects. Throws the errors of the requests.
   */
  completed(key: Key): Promise<void> {
    return this.#objects.complete(key);
  }

  /** Stores the response to a status write, so that the next reconciliation sees it before the watch event. */
  reported(server: MlflowServer): void {
    const { namespace, name } = server.metadata;
    const before = this.server({ namespace, name });
    const answer = cachedServer(trimmed(server));
    this.#servers.of(namespace)?.wrote(answer, false);
    // The watch event for this version is not reported as a change.
    this.#noted(answer, before);
  }

  /** The same for the status of an MlflowWorkspaceAccess. */
  reportedAccess(access: MlflowWorkspaceAccess): void {
    this.workspaces.accesses.wrote(trimmed(access), false);
  }

  /** The same for an MlflowBackup that the operator has created, or whose status it has written. */
  reportedBackup(backup: MlflowBackup, created: boolean): void {
    this.#requests.wrote(backup, created);
  }

  /** Removes an MlflowBackup that the operator has deleted. */
  removedBackup(backup: MlflowBackup): void {
    this.#requests.removed(backup);
  }

  /** The same for the status of an MlflowBackupSchedule. */
  reportedBackupSchedule(schedule: MlflowBackupSchedule): void {
    this.#requests.reportedSchedule(schedule);
  }

  /** The same for the response to a write of an owned object. */
  wrote(object: Owned, created: boolean): void {
    this.#objects.wrote(object, created);
  }

  /** Removes an object that the operator has deleted. */
  removed(object: Owned): void {
    this.#objects.removed(object);
  }

  stop(): void {
    this.#isStopped = true;
    this.#watches.stop();
  }

  #startServers(scope: Scope): Promise<boolean> {
    const onChange = (change: Change, server: MlflowServer, before: MlflowServer | undefined) =>
      this.#serverChanged(scope, change, server, before);
    const store = new Store<MlflowServer>(onChange, { indexesOf: byNamespace, isCustom: true });
    this.#servers.set(scope, store);
    return this.#watches.start({ kind: "MlflowServer", scope, handler: mapped(store, cachedServer) });
  }

  #startWorkspaces(): Promise<boolean>[] {
    const { optedInNamespaces, bindings, accesses } = this.workspaces;
    const scope = undefined;
    this.#objects.add("RoleBinding", scope, bindings);
    return [
      this.#watches.start({ kind: "Namespace", scope, handler: optedInNamespaces, labelSelector: label.workspaceOf }),
      this.#watches.start({ kind: "RoleBinding", scope, handler: bindings, labelSelector: managedSelector }),
      this.#watches.start({ kind: "MlflowWorkspaceAccess", scope, handler: accesses }),
    ];
  }

  /** Servers are listed first: of objects without a server only metadata is cached. */
  async #begin(scope: Scope, servers: Promise<boolean>): Promise<boolean> {
    if (!(await servers) || this.#isStopped) return false;
    this.#listed.add(scope);
    const isNeeded = scope === undefined || [...(this.#servers.get(scope)?.all() ?? [])].length > 0;
    return isNeeded ? this.#open(scope) : true;
  }

  /** Starts the watches of objects of servers, once for each scope; resolves when they are listed. */
  #open(scope: Scope): Promise<boolean> {
    const known = this.#opened.get(scope);
    if (known !== undefined) return known;
    const started = [...this.#startOwned(scope), ...this.#startReferenced(scope)];
    const isListed = Promise.all(started).then((all) => {
      this.#ready.add(scope);
      if (scope !== undefined)
        for (const name of this.#namesIn(scope)) this.#options.onServer({ namespace: scope, name });
      return all.every(Boolean);
    });
    this.#opened.set(scope, isListed);
    return isListed;
  }

  #startOwned(scope: Scope): Promise<boolean>[] {
    const startedKinds = keptKinds.filter((kind) => scope === undefined || rowOf(kind).scope !== "Cluster");
    return startedKinds.map((kind) => {
      // If the kind was installed or removed, there is no event of an object.
      let wasKnown: boolean | undefined;
      const relisted = () => {
        const isKnown = this.#watches.knows(kind, scope);
        if (isKnown !== wasKnown) this.#enqueueNeeding(kind, scope);
        wasKnown = isKnown;
      };
      const handler: EventHandler<Owned> = {
        ...this.#objects.handler(kind, scope),
        ...(rowOf(kind).isOptional && { relisted }),
      };
      return this.#watches.start({ kind, scope, handler, labelSelector: managedSelector });
    });
  }

  /** The servers that wait to be restored from a backup. */
  #restoredFrom({ namespace, name }: Key): Key[] {
    return this.serversIn(namespace)
      .filter(({ spec, status }) => spec?.restore?.backupRef?.name === name && status?.restore === undefined)
      .map(({ metadata }) => ({ namespace, name: metadata.name }));
  }

  /** The names of the servers in a scope, and those that requests for backups name. */
  #namesIn(scope: Scope): ReadonlySet<string> {
    const servers = [...(this.#servers.get(scope)?.all() ?? [])].map(({ metadata }) => metadata.name);
    return new Set([...servers, ...this.#requests.serversIn(scope)]);
  }

  /** In a watched namespace, servers wait until all of their objects are listed. */
  #isReady(scope: Scope): boolean {
    return scope === undefined || !this.#listed.has(scope) || !this.#opened.has(scope) || this.#ready.has(scope);
  }

  /** Only objects without the label of the operator, so that no object is in two watches. */
  #startReferenced(scope: Scope): Promise<boolean>[] {
    const labelSelector = `${label.managedBy}!=${manager}`;
    const use = "referenced ";
    return [
      this.#watches.start({ kind: "Secret", scope, handler: this.secrets, labelSelector, use }),
      this.#watches.start({ kind: "ConfigMap", scope, handler: this.configMaps, labelSelector, use }),
    ];
  }

  #otherResourcesIn(scope: Scope): readonly OtherResources[] {
    const known = this.#others.get(scope);
    if (known !== undefined) return known;
    const started = kindsWith("inspected").map((kind) => {
      const handler = otherResources((namespace) => this.#enqueueNeeding(kind, scope, namespace));
      // Without a label selector: anyone with write access to an object can set labels that would hide it.
      this.#watches.start({ kind, scope, handler, use: "other " });
      return handler;
    });
    return this.#others.set(scope, started);
  }

  #serverChanged(scope: Scope, change: Change, server: MlflowServer, before: MlflowServer | undefined): void {
    if (server.metadata.generation !== before?.metadata.generation) this.#options.onDefinition?.(false);
    if (this.#listed.has(scope) && change !== "deleted") void this.#open(scope);
    if (this.#isReady(scope))
      this.#options.onServer({ namespace: server.metadata.namespace, name: server.metadata.name });
    this.#noted(server, before, change === "deleted");
  }

  /** Updates the indexes by which a server affects other objects. */
  #noted(server: MlflowServer, before: MlflowServer | undefined, isGone = false): void {
    const { namespace, name } = server.metadata;
    this.#addresses.noted({ namespace, name }, isGone ? undefined : server);
    if (isGone || isOtherServer(server, before)) this.workspaces.touched(server);
  }

  #objectChanged(object: Owned, before: Owned | undefined): void {
    const { onServer, onWorkspace } = this.#options;
    const server = serverKeyOf(object);
    if (server !== undefined) onServer(server);
    const previous = before === undefined ? undefined : serverKeyOf(before);
    if (previous !== undefined && (previous.name !== server?.name || previous.namespace !== server.namespace))
      onServer(previous);
    const { namespace = "", name } = object.metadata;
    if (object.kind === "Secret") this.secrets.touched(namespace, name);
    if (object.kind === "ConfigMap") this.configMaps.touched(namespace, name);
    if (isWorkspaceObject(object) || (before !== undefined && isWorkspaceObject(before))) onWorkspace?.(namespace);
  }

  /** The servers that need an optional kind. */
  #needing(kind: Kind, scope: Scope): Key[] {
    return [...(this.#servers.get(scope)?.all() ?? [])].flatMap(({ metadata, spec }) =>
      needsKind(spec, kind) ? [{ namespace: metadata.namespace, name: metadata.name }] : [],
    );
  }

  /** Enqueues them, of one namespace or of all. */
  #enqueueNeeding(kind: Kind, scope: Scope, namespace?: string): void {
    for (const key of this.#needing(kind, scope))
      if (namespace === undefined || namespace === key.namespace) this.#options.onServer(key);
  }

  #fetched<T extends Secret | ConfigMap>(kind: Kind) {
    return (namespace: string, name: string): Promise<T | undefined> =>
      find<T>(this.#options.client, resourcePath(kind, namespace, name));
  }
}
