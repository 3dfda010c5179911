import type { MlflowServer } from "../../api/server.ts";
import type { MlflowWorkspaceAccess, MlflowWorkspaceAccessStatus } from "../../api/workspace-access.ts";
import type { ConfigMap, Namespace, RoleBinding } from "../../kube/manifests.ts";
import type { Cluster } from "../cluster.ts";

/** An object that the operator applies in a workspace. */
export type WorkspaceObject = RoleBinding | ConfigMap;

/**
 * The access of a workspace reconciliation to the cluster. Reads come from caches; every method that calls the API server throws
 * {@link ApiError} if the request is rejected or fails.
 */
export interface WorkspaceCluster
  extends Pick<
    Cluster,
    | "read"
    | "create"
    | "apply"
    | "delete"
    | "isMutatedByAdmission"
    | "skew"
    | "violations"
    | "secondsPruned"
    | "repeatedConflict"
    | "identity"
    | "recordEvent"
  > {
  /** The namespace, if it is labeled as a workspace. */
  namespace(name: string): Namespace | undefined;
  /** The servers of a namespace. */
  servers(namespace: string): readonly MlflowServer[];
  /** The MlflowWorkspaceAccess objects of a namespace. */
  accesses(namespace: string): readonly MlflowWorkspaceAccess[];
  /** Objects in a namespace with the operator's label that belong to a server in another namespace. */
  granted(namespace: string): readonly WorkspaceObject[];
  /** Replaces the status of an access. */
  reportAccess(access: MlflowWorkspaceAccess, status: MlflowWorkspaceAccessStatus): Promise<void>;
}
