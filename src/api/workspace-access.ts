import type { KubeObject } from "../kube/object.ts";
import type { MlflowWorkspaceAccessStatus } from "./workspace-access-schema.ts";
import type { MlflowWorkspaceAccessSpec } from "./workspace-access-spec.ts";

export type { MlflowWorkspaceAccessStatus } from "./workspace-access-schema.ts";

/** A grant in the workspace that its namespace is. */
export interface MlflowWorkspaceAccess extends KubeObject {
  spec: MlflowWorkspaceAccessSpec;
  status?: MlflowWorkspaceAccessStatus;
}
