import type { KubeObject } from "../kube/object.ts";
import type { MlflowWorkspaceAccessStatus } from "./workspace-access-schema.ts";
import type { MlflowWorkspaceAccessSpec } from "./workspace-access-spec.ts";

export type { MlflowWorkspaceAccessStatus } from "./workspace-access-schema.ts";

/** A grant in the workspace of its namespace. */
export interface MlflowWorkspaceAccess extends KubeObject {
  spec: MlflowWorkspaceAccessSpec;
  status?: MlflowWorkspaceAccessStatus;
  /** Not part of the API: paths of the spec that the API server has pruned, since its CustomResourceDefinition does not have them. */
  pruned?: readonly string[];
}
