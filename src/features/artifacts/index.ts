import type { V1EnvVar } from "@kubernetes/client-node";
import { choice, choose } from "../../api/choose.ts";
import type { ArtifactStore } from "../../api/fields/artifact-store.ts";
import type { MlflowServerSpec } from "../../api/spec.ts";
import { literal } from "../../kube/variable.ts";
import { backendDatabase } from "../database/index.ts";
import { volumeStorage } from "./persistent-volume.ts";
import { s3Storage } from "./s3.ts";
import type { ArtifactStorage } from "./storage.ts";

/** The kinds of stores, by the field of `artifactStore` that selects them. */
const stores = {
  persistentVolume: volumeStorage,
  s3: s3Storage,
} as const;

/** Returns the store of artifacts of a spec. */
export function artifactStorageOf({ artifactStore }: Pick<MlflowServerSpec, "artifactStore">): ArtifactStorage {
  return choose<ArtifactStore, keyof typeof stores, ArtifactStorage>(artifactStore, "spec.artifactStore", stores);
}

/** Returns the variables for the location of artifacts, and whether clients access them through MLflow. */
export function artifactVariables(spec: Pick<MlflowServerSpec, "artifactStore">): V1EnvVar[] {
  const { location, env } = artifactStorageOf(spec);
  return [
    ...choice(spec.artifactStore.access ?? "Proxied", "spec.artifactStore.access", {
      Proxied: [literal("MLFLOW_SERVE_ARTIFACTS", "true"), literal("MLFLOW_ARTIFACTS_DESTINATION", location)],
      Direct: [literal("MLFLOW_SERVE_ARTIFACTS", "false"), literal("MLFLOW_DEFAULT_ARTIFACT_ROOT", location)],
    }),
    ...env,
  ];
}

/** Whether MLflow itself writes to a store that a check can write to before pods start. */
export function isWriteChecked(spec: Pick<MlflowServerSpec, "artifactStore">): boolean {
  const { access, connectionCheck } = spec.artifactStore;
  return artifactStorageOf(spec).check !== undefined && access !== "Direct" && connectionCheck !== false;
}

/** Whether a server has a volume, for artifacts or for its SQLite file. */
export function hasVolume(spec: Pick<MlflowServerSpec, "artifactStore" | "backendStore">) {
  return backendDatabase(spec).volume !== undefined || artifactStorageOf(spec).volume !== undefined;
}
