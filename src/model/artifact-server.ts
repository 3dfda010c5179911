import type { V1ResourceRequirements, V1TopologySpreadConstraint } from "@kubernetes/client-node";
import type { MlflowServer } from "../api/server.ts";
import { computeResources, defaultRequests, withMemoryLimit } from "./compute-resources.ts";
import { spreadOf } from "./pod-settings.ts";
import { isHibernated } from "./replicas.ts";

/** The pods for requests that transfer artifacts. All else is as in the server's pods. */
export interface ArtifactServerSettings {
  readonly replicas: number;
  readonly hasDisruptionBudget: boolean;
  readonly resources: V1ResourceRequirements;
  readonly topologySpreadConstraints: V1TopologySpreadConstraint[];
}

/** Returns the settings of the pods for artifacts; undefined if the server has none. */
export function artifactServerOf(server: Pick<MlflowServer, "metadata" | "spec">): ArtifactServerSettings | undefined {
  const { artifactServer, pod, server: process, podDisruptionBudget } = server.spec;
  if (artifactServer === undefined) return undefined;
  const { replicas = 1, resources = pod?.resources } = artifactServer;
  // They run no jobs.
  const requests = defaultRequests({ ...process, jobExecution: false });
  return {
    replicas: isHibernated(server.spec) ? 0 : replicas,
    hasDisruptionBudget: replicas > 1 && podDisruptionBudget?.enabled !== false,
    resources: computeResources(requests, withMemoryLimit(requests, resources)),
    topologySpreadConstraints: spreadOf(server, "artifacts"),
  };
}

/**
 * The paths below which MLflow transfers artifacts (mlflow/server/__init__.py and the service MlflowArtifactsService), of clients and of
 * its user interface.
 */
export const artifactPaths = [
  "/api/2.0/mlflow-artifacts",
  "/ajax-api/2.0/mlflow-artifacts",
  "/ajax-api/2.0/mlflow/upload-artifact",
  "/get-artifact",
  "/model-versions/get-artifact",
] as const;
