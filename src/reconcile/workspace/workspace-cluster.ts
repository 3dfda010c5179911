import type { MlflowServer } from "../../api/server.ts";
import type { MlflowWorkspaceAccess, MlflowWorkspaceAccessStatus } from "../../api/workspace-access.ts";
import type { ConfigMap, Namespace, RoleBinding } from "../../kube/manifests.ts";
import type { Cluster } from "../cluster.ts";

/** What is written into a workspace. */
export type WorkspaceObject = RoleBinding | ConfigMap;

/**
 * All that a pass over a workspace needs of a cluster. Reads come from caches; every method that calls the API server throws
 * {@link ApiError} when it is refused or fails.
 */
export interface WorkspaceCluster
  extends Pick<
    Cluster,
    "read" | "create" | "delete" | "isOverruled" | "skew" | "violations" | "secondsPruned" | "contest" | "identity"
  > {
  /** The namespace, where it says whose workspace it is. */
  namespace(name: string): Namespace | undefined;
  /** The servers of a namespace. */
  servers(namespace: string): readonly MlflowServer[];
  /** What the people of a namespace grant in it. */
  accesses(namespace: string): readonly MlflowWorkspaceAccess[];
  /** What carries our label in a namespace and belongs to a server of another one. */
  granted(namespace: string): readonly WorkspaceObject[];
  /** Writes the fields of the manifest that differ, lists as a whole, in one call. What others added stays. */
  mend(manifest: WorkspaceObject, live: WorkspaceObject): Promise<void>;
  /** Replaces the status of an access. */
  reportAccess(access: MlflowWorkspaceAccess, status: MlflowWorkspaceAccessStatus): Promise<void>;
}
