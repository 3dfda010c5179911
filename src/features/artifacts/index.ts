import type { V1EnvVar } from "@kubernetes/client-node";
import { choice, choose } from "../../api/choose.ts";
import type { MlflowServerSpec } from "../../api/spec.ts";
import { literal } from "../../kube/variable.ts";
import { backendDatabase } from "../database/index.ts";
import { azureBlobStorage } from "./azure-blob.ts";
import { gcsStorage } from "./gcs.ts";
import { volumeStorage } from "./persistent-volume.ts";
import { s3Storage } from "./s3.ts";
import type { ArtifactStorage } from "./storage.ts";

/** The part of a spec that a store depends on. */
type StoreSpec = Pick<MlflowServerSpec, "artifactStore" | "serviceAccount">;

/** Returns the store of artifacts of a spec: one row for each field of `artifactStore` that selects a kind. */
export function artifactStorageOf(spec: StoreSpec): ArtifactStorage {
  return choose(spec.artifactStore, "spec.artifactStore", {
    persistentVolume: (settings): ArtifactStorage => volumeStorage(settings),
    s3: s3Storage,
    gcs: gcsStorage,
    azureBlob: (settings) => azureBlobStorage(settings, spec),
  });
}

/** Returns the variables for the location of artifacts, and whether clients access them through MLflow. */
export function artifactVariables(spec: StoreSpec): V1EnvVar[] {
  const { location, env } = artifactStorageOf(spec);
  // The variables that a location expands come before it.
  const expanded = env.filter(({ name }) => location.includes(`$(${name})`));
  const variable = (name: string) => ({ name, value: location });
  return [
    ...expanded,
    ...choice(spec.artifactStore.access ?? "Proxied", "spec.artifactStore.access", {
      Proxied: [literal("MLFLOW_SERVE_ARTIFACTS", "true"), variable("MLFLOW_ARTIFACTS_DESTINATION")],
      Direct: [literal("MLFLOW_SERVE_ARTIFACTS", "false"), variable("MLFLOW_DEFAULT_ARTIFACT_ROOT")],
    }),
    ...env.filter((each) => !expanded.includes(each)),
  ];
}

/**
 * Returns those of them that the root of new experiments depends on: the migration creates the Default experiment, which keeps the
 * artifact root of that time.
 */
export function artifactRootVariables(spec: StoreSpec): V1EnvVar[] {
  const variables = artifactVariables(spec);
  const root = variables.find(({ name }) => name === "MLFLOW_DEFAULT_ARTIFACT_ROOT");
  return variables.filter(
    (each) => each === root || each.name === "MLFLOW_SERVE_ARTIFACTS" || root?.value?.includes(`$(${each.name})`),
  );
}

/** Whether MLflow itself writes to a store that a check can write to before pods start. */
export function isWriteChecked(spec: StoreSpec): boolean {
  const { access, connectionCheck } = spec.artifactStore;
  return artifactStorageOf(spec).check !== undefined && access !== "Direct" && connectionCheck !== false;
}

/** Whether the operator creates a PersistentVolumeClaim, for artifacts or for the database. */
export function hasOwnClaim(spec: StoreSpec & Pick<MlflowServerSpec, "backendStore">): boolean {
  const { volume } = artifactStorageOf(spec);
  return (volume ?? backendDatabase(spec).volume) !== undefined && volume?.existingClaim === undefined;
}
