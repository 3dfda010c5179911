import type { MlflowServer } from "../../api/server.ts";
import type { ConfigMap } from "../../kube/manifests.ts";
import { label, manager } from "../../kube/names.ts";
import { objectNames, serviceUrl } from "../../model/names.ts";
import type { Workspace } from "./workspace.ts";

/**
 * Returns the ConfigMap for clients: a pod in the workspace with `envFrom` and a token needs nothing else. The variables for
 * traces do not have OpenTelemetry's names: MLflow's client would send its traces there, without a token.
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

/** Without the label for objects in the server's namespace. */
function clientLabels({ metadata }: MlflowServer): Record<string, string> {
  return {
    [label.application]: "mlflow",
    [label.managedBy]: manager,
    [label.clientOf]: metadata.name,
    [label.serverNamespace]: metadata.namespace,
  };
}
