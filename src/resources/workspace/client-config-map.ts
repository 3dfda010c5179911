import type { MlflowServer } from "../../api/server.ts";
import type { ConfigMap } from "../../kube/manifests.ts";
import { label, manager } from "../../kube/names.ts";
import { objectNames, serviceUrl } from "../names.ts";
import type { Workspace } from "./workspace.ts";

/**
 * A pod of the workspace with `envFrom` and a token needs nothing else to use MLflow. The names of what is for the intake of
 * traces are not OpenTelemetry's own: MLflow's client would send its traces there instead, without a token.
 */
export function clientConfigMap({
  namespace,
  servers,
}: Pick<Workspace, "namespace" | "servers">): ConfigMap | undefined {
  const server = servers.find(({ spec }) => spec.workspaces?.clientConfigMaps !== false);
  if (server === undefined) return undefined;
  const { name } = namespace.metadata;
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: objectNames.client, namespace: name, labels: clientLabels(server) },
    data: {
      MLFLOW_TRACKING_URI: serviceUrl(server),
      MLFLOW_TRACKING_AUTH: "kubernetes-namespaced",
      MLFLOW_WORKSPACE: name,
      OTLP_TRACES_ENDPOINT: `${serviceUrl(server)}/v1/traces`,
      OTLP_TRACES_HEADERS: `x-mlflow-workspace=${name}`,
    },
  };
}

/** Not the label by which a server finds its own: that is for objects of its namespace. */
function clientLabels({ metadata }: MlflowServer): Record<string, string> {
  return {
    [label.application]: "mlflow",
    [label.managedBy]: manager,
    [label.clientOf]: metadata.name,
    [label.serverNamespace]: metadata.namespace ?? "default",
  };
}
