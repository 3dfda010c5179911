import type { V1Affinity, V1Container, V1PodSpec } from "@kubernetes/client-node";
import type { ServerModel } from "../features/server-model.ts";
import type { Job } from "../kube/manifests.ts";
import { annotation, label } from "../kube/names.ts";
import { literal } from "../kube/variable.ts";
import { type Component, labels, ownedMetadata, podSelector } from "../model/metadata.ts";
import { objectNames } from "../model/names.ts";
import { withAppliedFieldsHash } from "./applied-fields-hash.ts";
import { artifactCheck } from "./artifact-check.ts";
import { podSpec } from "./pod/pod-spec.ts";
import { program } from "./pod/program.ts";
import { taskContainer, taskPodMetadata } from "./pod/task.ts";
import { data, temporary, temporaryVariables } from "./pod/volumes.ts";
import { migrateProgram, preflightProgram } from "./python-programs.ts";

/**
 * Returns the Job that migrates the databases to this version. Its name depends on image, databases (without
 * credentials) and bucket, so a completed Job of that name proves that no migration is needed; it is created once and
 * never patched. It checks that the bucket is writable before it changes a database. It retries until it succeeds, so it recovers
 * without intervention when a database is available again or a Secret is corrected.
 */
export function migrationJob(model: ServerModel): Job | undefined {
  const { owner, pod, migration, database, version } = model;
  const { mode } = migration;
  if (mode === undefined) return undefined;
  const spec = {
    ...taskSpec(model, migrateContainer(model, mode), { mounts: database.volume !== undefined, checksArtifacts: true }),
    // The program exits immediately on SIGTERM, unless it is changing a database: then it finishes the change.
    terminationGracePeriodSeconds: 3600,
  };
  const metadata = {
    ...ownedMetadata(owner, migration.job, "migration"),
    labels: { ...labels(owner, "migration"), [label.version]: version },
    annotations: {
      [annotation.inputs]: model.keyedHash(JSON.stringify([spec, pod.annotations, model.inputsHash])),
      [annotation.database]: migration.databaseHash,
    },
  };
  return job(model, metadata, spec, "migration");
}

/**
 * Returns the Job that checks, with the image of this version, that the server can be changed to it. It changes nothing. Its name depends on
 * everything that it reads and on `attempt`, so a completed Job of that name proves that the checks have passed.
 */
export function preflightJob(model: ServerModel, attempt: string): Job {
  const { owner, pod, migration, database, volume, version } = model;
  // A volume that only one pod can mount is in use.
  const isUsed = volume?.accessModes.includes("ReadWriteOncePod") === true;
  const isConnected = migration.mode !== undefined && !(database.volume !== undefined && isUsed);
  const mounts = isConnected && database.volume !== undefined;
  const spec = taskSpec(model, preflightContainer(model, isConnected), { mounts, checksArtifacts: true });
  const inputs = model.keyedHash(JSON.stringify([spec, pod.annotations, model.inputsHash, migration.job, attempt]));
  const metadata = {
    ...ownedMetadata(owner, objectNames.preflightJob(model.name, inputs.slice(0, 10)), "preflight"),
    labels: { ...labels(owner, "preflight"), [label.version]: version },
  };
  return withAppliedFieldsHash(job(model, metadata, spec, "preflight"));
}

/** A program that runs to completion. */
interface Task {
  /** Whether it mounts the volume of the database, which can be attached to one node only. */
  readonly mounts: boolean;
  /** Whether the artifact store is checked before. */
  readonly checksArtifacts?: boolean;
}

/** Returns the spec of the pods of a program that uses the databases. */
export function taskSpec(model: ServerModel, container: V1Container, { mounts, checksArtifacts = false }: Task) {
  const mounted = [temporary(model), ...(mounts ? data(model) : []), ...model.databaseFiles];
  const check = checksArtifacts ? artifactCheck(model) : undefined;
  return {
    ...podSpec(model, { init: check === undefined ? [] : [check], main: [{ container, mounted }] }),
    ...(mounts && { affinity: nearServer(model) }),
    restartPolicy: "OnFailure",
  };
}

export function job(model: ServerModel, metadata: Job["metadata"], spec: V1PodSpec, component: Component): Job {
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata,
    spec: {
      backoffLimit: 100_000,
      completions: 1,
      parallelism: 1,
      template: { metadata: taskPodMetadata(model, component), spec },
    },
  };
}

function migrateContainer(model: ServerModel, mode: "upgrade" | "check"): V1Container {
  const { users } = model.authentication;
  const { command, variable } = program(migrateProgram);
  return taskContainer(model, "migrate", command, [
    variable,
    ...programVariables(model, mode),
    ...databaseVariables(model),
    ...model.artifacts.rootVariables,
    ...(users?.administrator ?? []),
  ]);
}

function preflightContainer(model: ServerModel, isConnected: boolean): V1Container {
  const { command, variable } = program(preflightProgram);
  return taskContainer(model, "preflight", command, [
    variable,
    ...programVariables(model, model.migration.mode ?? "check"),
    literal("PREFLIGHT_VERSION", model.version),
    ...(isConnected ? databaseVariables(model) : []),
  ]);
}

function programVariables({ authentication: { packages = [] } }: ServerModel, mode: "upgrade" | "check") {
  return [
    literal("MIGRATION_MODE", mode),
    ...(packages.length === 0 ? [] : [literal("MIGRATION_PACKAGES", packages.join(","))]),
    ...temporaryVariables,
  ];
}

/** Returns the connections of the databases, for programs that read or change their schema. */
export function databaseVariables({ database, authentication: { users } }: ServerModel) {
  return [
    ...database.migrationVariables("TRACKING"),
    ...(users?.database.migrationVariables("AUTH") ?? []),
    ...(users?.application === "oidc-auth" ? [literal("AUTH_APPLICATION", users.application)] : []),
  ];
}

/** Returns an affinity to the server's pods. */
export function nearServer({ owner, pod }: ServerModel): V1Affinity {
  const { affinity } = pod.scheduling;
  const near = {
    weight: 100,
    podAffinityTerm: { labelSelector: { matchLabels: podSelector(owner) }, topologyKey: "kubernetes.io/hostname" },
  };
  const others = affinity?.podAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  return {
    ...affinity,
    podAffinity: { ...affinity?.podAffinity, preferredDuringSchedulingIgnoredDuringExecution: [...others, near] },
  };
}
