import type { V1Affinity, V1Container } from "@kubernetes/client-node";
import type { ServerModel } from "../features/server-model.ts";
import type { Job } from "../kube/manifests.ts";
import { annotation, label } from "../kube/names.ts";
import { literal } from "../kube/variable.ts";
import { labels, ownedMetadata, podSelector } from "../model/metadata.ts";
import { artifactCheck } from "./artifact-check.ts";
import { containerSecurityContext, podSpec } from "./pod/pod-spec.ts";
import { program } from "./pod/program.ts";
import { data, temporary, temporaryPath } from "./pod/volumes.ts";
import { migrateProgram } from "./python-programs.ts";

/**
 * Returns the Job that migrates the databases to this version. Its name depends on image, databases (without
 * credentials) and bucket, so a completed Job of that name proves that no migration is needed; it is created once and
 * never patched. It checks that the bucket is writable before it changes a database. It retries until it succeeds, so it recovers
 * without intervention when a database is available again or a Secret is corrected.
 */
export function migrationJob(model: ServerModel): Job | undefined {
  const { owner, pod, migration, database } = model;
  const { mode } = migration;
  if (mode === undefined) return undefined;
  // A volume with a database can be attached to one node only.
  const isOnVolume = database.volume !== undefined;
  const mounted = [temporary(model), ...(isOnVolume ? data(model) : []), ...model.databaseFiles];
  const check = artifactCheck(model);
  const spec = {
    ...podSpec(model, {
      init: check === undefined ? [] : [check],
      main: [{ container: container(model, mode), mounted }],
    }),
    ...(isOnVolume && { affinity: nearServer(model) }),
    restartPolicy: "OnFailure",
    // The program exits immediately on SIGTERM, unless it is changing a database: then it finishes the change.
    terminationGracePeriodSeconds: 3600,
  };
  const { annotations } = pod;
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: {
      ...ownedMetadata(owner, migration.job, "migration"),
      labels: { ...labels(owner, "migration"), [label.version]: model.version },
      annotations: {
        [annotation.inputs]: model.keyedHash(JSON.stringify([spec, annotations, model.inputsHash])),
        [annotation.database]: migration.databaseHash,
      },
    },
    spec: {
      backoffLimit: 100_000,
      completions: 1,
      parallelism: 1,
      template: {
        metadata: {
          labels: { ...model.artifacts.podLabels, ...pod.labels, ...labels(owner, "migration") },
          ...(annotations && { annotations }),
        },
        spec,
      },
    },
  };
}

function container(model: ServerModel, mode: "upgrade" | "check"): V1Container {
  const { image, authentication, database, artifacts, pod } = model;
  const { users, packages = [] } = authentication;
  const { command, variable } = program(migrateProgram);
  return {
    name: "migrate",
    image: image.name,
    imagePullPolicy: image.pullPolicy,
    workingDir: "/",
    command,
    env: [
      variable,
      literal("MIGRATION_MODE", mode),
      ...(packages.length === 0 ? [] : [literal("MIGRATION_PACKAGES", packages.join(","))]),
      literal("HOME", temporaryPath),
      literal("TMPDIR", temporaryPath),
      ...database.migrationVariables("TRACKING"),
      ...(users?.database.migrationVariables("AUTH") ?? []),
      ...(users?.application === "oidc-auth" ? [literal("AUTH_APPLICATION", users.application)] : []),
      ...artifacts.rootVariables,
      ...(users?.administrator ?? []),
    ],
    resources: pod.resources.migration,
    securityContext: containerSecurityContext,
  };
}

/** Returns an affinity to the server's pods. */
function nearServer({ owner, pod }: ServerModel): V1Affinity {
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
