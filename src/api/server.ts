import type { KubeObject } from "../kube/object.ts";
import type { MlflowServerSpec } from "./spec.ts";
import type { MlflowServerStatus } from "./status.ts";

export type { MlflowServerStatus } from "./status.ts";

export const apiVersion = "mlflow-operator.dev/v1alpha1";

/** A secured MLflow tracking server. */
export interface MlflowServer extends KubeObject {
  spec: MlflowServerSpec;
  status?: MlflowServerStatus;
  /** Not of the API: paths of the spec that somebody wrote and that the API server has taken away, since its definition lacks them. */
  pruned?: readonly string[];
}
