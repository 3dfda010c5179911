import type { Skew } from "../api/schema-skew.ts";
import type { MlflowServer, MlflowServerStatus } from "../api/server.ts";
import type { MigrationRecord } from "../api/status.ts";
import type { KnownKind } from "../api/unsupported-fields.ts";
import type { MlflowWorkspaceAccess } from "../api/workspace-access.ts";
import type { Kind } from "../kube/kinds.ts";
import type { ConfigMap, Manifest, Namespace, OtherResource, Owned, Secret } from "../kube/manifests.ts";
import type { Key, KubeObject } from "../kube/object.ts";
import type { ContentSummary } from "../resources/content.ts";
import type { ProbeResults } from "./probe-results.ts";
import type { TracesEndpoint } from "./traces-endpoints.ts";
import type { Warning } from "./warnings.ts";
import type { WorkspaceSummary } from "./workspace/summary.ts";

/** Something a person should know, told once when it happens (events.k8s.io/v1). */
export interface Notice {
  readonly type: "Normal" | "Warning";
  /** One of the reasons of `status.conditions`. */
  readonly reason: string;
  /** What the operator was doing, UpperCamelCase: `Migrate`, `Reconcile`. */
  readonly action: string;
  readonly message: string;
}

/** Another client changes or deletes again and again what the operator writes. */
export interface Contest {
  /** The field, or "" where the object is deleted. */
  readonly path: string;
  /** The field managers that own it besides the operator, where they are known. */
  readonly managers: readonly string[];
  /** How long the operator waits before it writes again. */
  readonly seconds: number;
}

/** How creating an object ended: `exists` when the API server already has one of that name, whoever it belongs to. */
export type Creation = "created" | "exists";

/**
 * All that a pass needs of a cluster. Reads come from caches that watches keep, so they cost no call; only the content
 * of a referenced Secret or ConfigMap is fetched, once per version of it. Every method that calls the API server throws
 * {@link ApiError} when it is refused or fails.
 */
export interface Cluster {
  /** This operator, among several in a cluster: namespace and name of its Lease. Undefined where it is the only one for certain. */
  readonly identity?: string | undefined;

  /** The server as last seen, or undefined where there is none. */
  server(key: Key): MlflowServer | undefined;

  /** What carries our label and names this server, wherever it is: what we wrote, and the pods that came of it. */
  owned(key: Key): readonly Owned[];

  /** The namespaces that consent to be workspaces of servers in this one. */
  consenting(namespace: string): readonly Namespace[];

  /** How the server's workspaces are; undefined where that is not known yet. */
  workspaces(server: MlflowServer): WorkspaceSummary | undefined;

  /** What is in workspaces because of this server, and cannot go by an owner reference. */
  granted(key: Key): readonly Owned[];

  /**
   * Whether the cluster has this kind; undefined while only a recent answer says that it does not. When that changes, servers that need
   * it get a pass.
   */
  knows(kind: Kind, namespace: string): boolean | undefined;

  /** The other servers that want or have an address outside of this one. When that changes, it gets a pass. */
  competitors(key: Key): readonly MlflowServer[];

  /** Services and AuthorizationPolicies in a namespace, whoever's, in brief; undefined until they are known. */
  neighbours(namespace: string): readonly OtherResource[] | undefined;

  /**
   * What the operator's own requests at these endpoints of the server came to, which the mesh must deny; undefined until they
   * are made. They are repeated while passes want to know, and the server gets a pass when the result changes.
   */
  probes(endpoints: readonly TracesEndpoint[]): ProbeResults | undefined;

  /**
   * Why what the caches say of this server may be outdated: a watch that it depends on has been rejected, or has delivered nothing,
   * for some time. When that changes, the server gets a pass.
   */
  watchProblem(server: MlflowServer): string | undefined;

  /**
   * What the installed CustomResourceDefinition of a kind lacks or admits otherwise than this operator's own. Throws ApiError
   * where that cannot be told.
   */
  skew(kind: KnownKind): Promise<Skew>;

  /** What the operator's own CustomResourceDefinition would refuse of an object that another one has admitted. */
  violations(
    kind: KnownKind,
    object: Pick<MlflowServer | MlflowWorkspaceAccess, "metadata" | "spec">,
  ): Promise<readonly string[]>;

  /** For how many seconds this process has seen an object without fields that its managers own. */
  secondsPruned(object: KubeObject): number;

  /**
   * A Secret that a spec names, or undefined where there is none: with the values of these keys, empty values for all others,
   * and a digest of the whole.
   */
  secret(namespace: string, name: string, keys: ReadonlySet<string>): Promise<(Secret & ContentSummary) | undefined>;

  /** The same of a ConfigMap. */
  configMap(
    namespace: string,
    name: string,
    keys: ReadonlySet<string>,
  ): Promise<(ConfigMap & ContentSummary) | undefined>;

  /** Warning events about an object, the newest first; none where they cannot be read. */
  warnings(object: KubeObject): Promise<readonly Warning[]>;

  /** An object of a kind that we write, straight from the API server: who has the name that we want. */
  read(object: KubeObject): Promise<Owned | undefined>;

  /** Writes an object that the cache says is absent. */
  create(manifest: Manifest): Promise<Creation>;

  /**
   * Writes all fields of the manifest by server-side apply, taking them over from whoever changed them. Fields that we
   * wrote before and that the manifest no longer has are removed, also when `live` was created by {@link create}.
   */
  apply(manifest: Manifest, live: Owned): Promise<void>;

  /**
   * Whether this manifest has just been applied to become this very version of the object, and admission (a mutating
   * webhook) changed it: applying it again would only be changed again.
   */
  isOverruled(manifest: Manifest, live: Owned): boolean;

  /**
   * Another client's contest of the field at this path (the object itself: ""), for whose sake a write of this manifest has to
   * wait; undefined where it may be made now.
   */
  contest(manifest: Manifest, path: string): Contest | undefined;

  /** Deletes this very object (by uid), with all that it owns; one that is already gone is fine. */
  delete(object: Owned): Promise<void>;

  /** Has the server stay, when it is deleted, until {@link letGo}. */
  hold(server: MlflowServer): Promise<void>;

  /** Lets the server go, now or when it is deleted; one that is already gone is fine. */
  letGo(server: MlflowServer): Promise<void>;

  /** Writes `status.migration` alone, if the server is still at this very resource version. */
  record(server: MlflowServer, migration: MigrationRecord): Promise<void>;

  /** Replaces the status of the server. */
  report(server: MlflowServer, status: MlflowServerStatus): Promise<void>;

  /** Records an event about the server. Losing one must not fail a pass. */
  notify(server: MlflowServer, notice: Notice): Promise<void>;
}
