import type { KubeObject } from "../kube/object.ts";
import type { MlflowWorkspaceAccessStatus } from "./workspace-access-schema.ts";
import type { MlflowWorkspaceAccessSpec } from "./workspace-access-spec.ts";

export type { MlflowWorkspaceAccessStatus } from "./workspace-access-schema.ts";

/** A grant in the workspace that its namespace is. */
export interface MlflowWorkspaceAccess extends KubeObject {
  spec: MlflowWorkspaceAccessSpec;
  status?: MlflowWorkspaceAccessStatus;
  /** Not of the API: paths of the spec that somebody wrote and that the API server has taken away, since its definition lacks them. */
  pruned?: readonly string[];
}
