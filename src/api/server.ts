import type { KubeObject, NamespacedMeta } from "../kube/object.ts";
import type { MlflowServerSpec } from "./spec.ts";
import type { MlflowServerStatus } from "./status.ts";

export type { MlflowServerStatus } from "./status.ts";

export const apiVersion = "mlflow-operator.dev/v1alpha1";

/** A secured MLflow tracking server. */
export interface MlflowServer extends KubeObject {
  metadata: NamespacedMeta;
  spec: MlflowServerSpec;
  status?: MlflowServerStatus;
  /** Not part of the API: paths of the spec that the API server has pruned, since its CustomResourceDefinition does not have them. */
  pruned?: readonly string[];
}
