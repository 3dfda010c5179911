import type { MlflowBackup, MlflowBackupStatus, NewBackup } from "../api/backup.ts";
import type { MlflowBackupSchedule, MlflowBackupScheduleStatus } from "../api/backup-schedule.ts";
import type { CustomResource } from "../api/definitions.ts";
import type { EventAction, EventReason } from "../api/event-reasons.ts";
import type { Skew } from "../api/schema-skew.ts";
import type { MlflowServer, MlflowServerStatus } from "../api/server.ts";
import type { MigrationRecord } from "../api/status.ts";
import type { Condition } from "../kube/conditions.ts";
import type { Kind, OwnKind } from "../kube/kinds.ts";
import type { ConfigMap, Deployment, Manifest, Namespace, OtherResource, Owned, Secret } from "../kube/manifests.ts";
import type { Key, KubeObject } from "../kube/object.ts";
import type { ContentSummary } from "../model/content.ts";
import type { EndpointChecks, EndpointResults } from "./endpoint-checks.ts";
import type { ProbeEndpoint } from "./probe.ts";
import type { ProbeResults } from "./probe-results.ts";
import type { Warning } from "./warnings.ts";
import type { WorkspaceSummary } from "./workspace/summary.ts";

/** An Event about a server or an access (events.k8s.io/v1), recorded once. */
export interface ReportedEvent {
  readonly type: "Normal" | "Warning";
  readonly reason: EventReason;
  readonly action: EventAction;
  readonly message: string;
}

/** Another client repeatedly changes or deletes an object that the operator applies. */
export interface RepeatedConflict {
  /** The field, or "" if the object is deleted. */
  readonly path: string;
  /** The other field managers that own the field, if known. */
  readonly managers: readonly string[];
  /** Seconds until the operator writes again. */
  readonly seconds: number;
}

/** The result of a creation: `exists` if the API server already has an object of that name, regardless of its owner. */
export type Creation = "created" | "exists";

/**
 * The access of a reconciliation to the cluster. Reads come from watch caches and make no API calls; only the content
 * of a referenced Secret or ConfigMap is fetched, once per version. Every method that calls the API server throws
 * {@link ApiError} if the request is rejected or fails.
 */
export interface Cluster {
  /** The identity of this operator among several in a cluster: namespace and name of its Lease. Undefined if there is only one. */
  readonly identity?: string | undefined;

  /** The server as last seen, or undefined if it does not exist. */
  server(key: Key): MlflowServer | undefined;

  /** All servers as last seen. */
  servers(): Iterable<MlflowServer>;

  /** The servers in a namespace as last seen. */
  serversIn(namespace: string): readonly MlflowServer[];

  /** The Deployment with this name as last seen, or undefined if there is none with the operator's label. */
  deployment(key: Key): Deployment | undefined;

  /** Servers, as `namespace/name`, with a {@link startUpgrade} request that has no response yet. */
  startingUpgrades(): ReadonlySet<string>;

  /** Objects in all namespaces with the operator's label and the name of this server: applied objects and their pods, except those of backups. */
  owned(key: Key): readonly Owned[];

  /** The MlflowBackups that name this server, which need not exist. */
  backups(key: Key): readonly MlflowBackup[];

  /** The MlflowBackup as last seen, or undefined if it does not exist. The servers that are restored from it are reconciled when it changes. */
  backup(key: Key): MlflowBackup | undefined;

  /** The MlflowBackupSchedules that name this server, which need not exist. */
  backupSchedules(key: Key): readonly MlflowBackupSchedule[];

  /** The Jobs of backups of this server, and their pods. */
  backupObjects(key: Key): readonly Owned[];

  /** The namespaces that are labeled as workspaces of servers in this namespace. */
  optedInNamespaces(namespace: string): readonly Namespace[];

  /** The state of the server's workspaces; undefined until it is known. */
  workspaces(server: MlflowServer): WorkspaceSummary | undefined;

  /** Objects of this server in workspaces, which have no owner reference. */
  granted(key: Key): readonly Owned[];

  /**
   * Whether the cluster has this kind; undefined while only one recent answer reports it as missing. Servers that need the kind are
   * reconciled when this changes.
   */
  knows(kind: Kind, namespace: string): boolean | undefined;

  /** Other servers that request or have an external address of this one, which is reconciled when this changes. */
  competitors(key: Key): readonly MlflowServer[];

  /** All Services and AuthorizationPolicies in a namespace, with the fields that matter; undefined until they are known. */
  otherResources(namespace: string): readonly OtherResource[] | undefined;

  /**
   * Results of the operator's own requests to these endpoints, which the mesh must deny; undefined until the first probe.
   * Probes are repeated while reconciliations call this, and the server is reconciled when the result changes.
   */
  probes(endpoints: readonly ProbeEndpoint[]): ProbeResults | undefined;

  /** The same for requests to the endpoints for clients, which the server must reject. */
  endpointResults(checks: EndpointChecks): EndpointResults | undefined;

  /**
   * Why the cached state of this server may be outdated: a watch that it depends on is rejected or has not delivered
   * for some time. The server is reconciled when this changes.
   */
  watchProblem(server: MlflowServer): string | undefined;

  /**
   * The differences between the installed CustomResourceDefinition of a kind and this operator's own. Throws ApiError
   * if they cannot be determined.
   */
  skew(kind: OwnKind): Promise<Skew>;

  /** The fields of an object that the operator's own CustomResourceDefinition would reject. */
  violations(kind: OwnKind, object: Pick<CustomResource, "metadata" | "spec">): Promise<readonly string[]>;

  /** Seconds for which this process has seen an object without fields that its managers own. */
  secondsPruned(object: KubeObject): number;

  /**
   * A Secret that a spec refers to, or undefined if it does not exist: with the values of these keys, empty values for all others,
   * and a digest of all data.
   */
  secret(namespace: string, name: string, keys: ReadonlySet<string>): Promise<(Secret & ContentSummary) | undefined>;

  /** The same for a ConfigMap. */
  configMap(
    namespace: string,
    name: string,
    keys: ReadonlySet<string>,
  ): Promise<(ConfigMap & ContentSummary) | undefined>;

  /** Warning events about an object, the newest first; empty if they cannot be read. */
  warnings(object: KubeObject): Promise<readonly Warning[]>;

  /** The object with this kind and name, read from the API server. */
  read(object: KubeObject): Promise<Owned | undefined>;

  /** Creates an object that is not in the cache. */
  create(manifest: Manifest): Promise<Creation>;

  /**
   * Changes `live` to the manifest: by server-side apply with forced ownership, so that fields that the operator applied before and
   * that the manifest no longer has are removed, also if it was created by {@link create}; or as the table of kinds says.
   */
  apply(manifest: Manifest, live: Owned): Promise<void>;

  /**
   * Whether this version of the object results from applying this manifest and admission (a mutating webhook) changed
   * it: applying it again would have the same result.
   */
  isMutatedByAdmission(manifest: Manifest, live: Owned): boolean;

  /**
   * A repeated conflict with another client about the field at this path ("" for the object itself), because of which a write of this
   * manifest must wait; undefined if it can be made now.
   */
  repeatedConflict(manifest: Manifest, path: string): RepeatedConflict | undefined;

  /** Deletes this object (by uid) with its dependents. Does nothing if it does not exist. */
  delete(object: Owned): Promise<void>;

  /** Sets the annotation `upgrade` of a Deployment, if it is still at this resource version. */
  startUpgrade(live: Deployment, marker: string): Promise<void>;

  /** Adds the finalizer to the server. */
  addFinalizer(server: MlflowServer): Promise<void>;

  /** Removes the finalizer from the server. Does nothing if the server does not exist. */
  removeFinalizer(server: MlflowServer): Promise<void>;

  /** Writes `status.migration`, and the conditions if there are any, if the server still has this resource version. */
  record(server: MlflowServer, migration: MigrationRecord, conditions?: readonly Condition[]): Promise<void>;

  /** Replaces the status of the server. */
  report(server: MlflowServer, status: MlflowServerStatus): Promise<void>;

  /** Creates an MlflowBackup. */
  createBackup(backup: NewBackup): Promise<Creation>;

  /** Deletes this MlflowBackup (by uid), which keeps its files. Does nothing if it does not exist. */
  deleteBackup(backup: MlflowBackup): Promise<void>;

  /** Replaces the status of the schedule. */
  reportBackupSchedule(schedule: MlflowBackupSchedule, status: MlflowBackupScheduleStatus): Promise<void>;

  /** Replaces the status of the backup. */
  reportBackup(backup: MlflowBackup, status: MlflowBackupStatus): Promise<void>;

  /** Records an Event about the object. A failure must not fail the reconciliation. */
  recordEvent(object: CustomResource, event: ReportedEvent): Promise<void>;
}
