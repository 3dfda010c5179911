import { createHash } from "node:crypto";
import type { V1Container, V1PodSpec } from "@kubernetes/client-node";
import { choice } from "../api/choose.ts";
import { artifactVariables } from "../features/artifacts/index.ts";
import type { Mounted } from "../features/common/mounted-volume.ts";
import { literal } from "../features/common/variable.ts";
import { backendDatabase } from "../features/database/index.ts";
import type { Job } from "../kube/manifests.ts";
import { annotation, label } from "../kube/names.ts";
import type { Inputs } from "../model/inputs.ts";
import { labels, ownedMetadata, podSelector } from "../model/metadata.ts";
import { objectNames } from "../model/names.ts";
import { artifactCheck, artifactCheckHash } from "./artifact-check.ts";
import { authenticationOf } from "./authentication/index.ts";
import { inputsHash, keyedHash } from "./inputs-hash.ts";
import { setupResources } from "./pod/compute-resources.ts";
import { imageOf } from "./pod/image.ts";
import { podSpec } from "./pod/pod-spec.ts";
import { program } from "./pod/program.ts";
import { containerSecurityContext } from "./pod/security.ts";
import { data, databaseFiles, temporary, temporaryPath } from "./pod/volumes.ts";
import { migrateProgram } from "./python-programs.ts";

/** Returns whether the Job migrates the schema or only checks its version. Undefined if the spec disables both. */
export function migrationMode({ server }: Inputs): "upgrade" | "check" | undefined {
  const { migration = "Automatic", connectionCheck } = server.spec.backendStore;
  return choice(migration, "spec.backendStore.migration", {
    Automatic: "upgrade",
    Manual: connectionCheck === false ? undefined : "check",
  } as const);
}

/**
 * Returns the Job that migrates the databases to this version. Its name depends on image, databases (without
 * credentials) and bucket, so a completed Job of that name proves that no migration is needed; it is created once and
 * never patched. It checks that the bucket is writable before it changes a database. It retries until it succeeds, so it recovers
 * without intervention when a database is available again or a Secret is corrected.
 */
export function migrationJob(inputs: Inputs): Job | undefined {
  const mode = migrationMode(inputs);
  if (mode === undefined) return undefined;
  const { server } = inputs;
  const { annotations } = server.spec.pod ?? {};
  const caFiles = databaseFiles(inputs, authenticationOf(inputs));
  const mounted = [temporary(inputs), ...database(inputs), ...caFiles];
  const check = artifactCheck(inputs);
  const spec = {
    ...podSpec(inputs, {
      init: check === undefined ? [] : [check],
      main: [{ container: container(inputs, mode), mounted }],
    }),
    ...serverAffinity(inputs),
    restartPolicy: "OnFailure",
    // The program exits on SIGTERM at once, unless it is changing a database: then it finishes the change.
    terminationGracePeriodSeconds: 3600,
  };
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: {
      ...ownedMetadata(server, objectNames.migrationJob(server.metadata.name, migrationHash(inputs)), "migration"),
      labels: { ...labels(server, "migration"), [label.version]: server.spec.version },
      annotations: {
        [annotation.inputs]: keyedHash(inputs, JSON.stringify([spec, annotations, inputsHash(inputs)])),
        [annotation.database]: databaseHash(inputs),
      },
    },
    spec: {
      backoffLimit: 100_000,
      completions: 1,
      parallelism: 1,
      template: {
        metadata: {
          labels: { ...server.spec.pod?.labels, ...labels(server, "migration") },
          ...(annotations && { annotations }),
        },
        spec,
      },
    },
  };
}

/**
 * Returns ten hexadecimal digits that change with version, image, databases, migration mode, and bucket with its credentials;
 * never with a database password.
 */
function migrationHash(inputs: Inputs): string {
  return digest({
    version: inputs.server.spec.version,
    image: imageOf(inputs),
    mode: migrationMode(inputs),
    databases: databases(inputs),
    artifacts: artifactCheckHash(inputs),
    packages: authenticationOf(inputs).packages,
  });
}

/** Returns ten hexadecimal digits that change when the server uses other databases, or they were restored. */
function databaseHash(inputs: Inputs): string {
  return digest(databases(inputs));
}

/** Returns the identity of the databases, without user and password. */
function databases(inputs: Inputs): unknown {
  const { server, references, volumeClaim } = inputs;
  const { users } = authenticationOf(inputs);
  const identity = {
    references,
    volumeUid: volumeClaim?.uid,
    keyedHash: (text: string) => keyedHash(inputs, text),
  };
  return {
    tracking: backendDatabase(server.spec).identity(identity),
    auth: users && (users.isSeparate ? users.database.identity(identity) : "tracking"),
    restored: server.metadata.annotations?.[annotation.restored],
  };
}

function digest(identity: unknown): string {
  return createHash("sha256").update(JSON.stringify(identity)).digest("hex").slice(0, 10);
}

function container(inputs: Inputs, mode: "upgrade" | "check"): V1Container {
  const { server } = inputs;
  const { users, packages = [] } = authenticationOf(inputs);
  const { command, variable } = program(migrateProgram);
  return {
    name: "migrate",
    image: imageOf(inputs),
    imagePullPolicy: server.spec.image?.pullPolicy ?? "IfNotPresent",
    workingDir: "/",
    command,
    env: [
      variable,
      literal("MIGRATION_MODE", mode),
      ...(packages.length === 0 ? [] : [literal("MIGRATION_PACKAGES", packages.join(","))]),
      literal("HOME", temporaryPath),
      literal("TMPDIR", temporaryPath),
      ...backendDatabase(server.spec).migrationVariables("TRACKING"),
      ...(users?.database.migrationVariables("AUTH") ?? []),
      ...(users?.application === "oidc-auth" ? [literal("AUTH_APPLICATION", users.application)] : []),
      ...artifactVariables(server.spec).filter(({ name }) => locationVariables.includes(name)),
      ...(users?.administrator ?? []),
    ],
    resources: setupResources(inputs, { cpu: "100m", memory: "384Mi" }),
    securityContext: containerSecurityContext,
  };
}

/** The migration creates the Default experiment, which keeps the artifact root of that time. */
const locationVariables = ["MLFLOW_SERVE_ARTIFACTS", "MLFLOW_DEFAULT_ARTIFACT_ROOT"];

function isFile({ server }: Inputs): boolean {
  return backendDatabase(server.spec).volume !== undefined;
}

/** Returns the volume if the database is a file on it. */
function database(inputs: Inputs): Mounted[] {
  return isFile(inputs) ? data(inputs) : [];
}

/** Returns an affinity to the server's pods: a volume with a database can be attached to one node only. */
function serverAffinity(inputs: Inputs): Pick<V1PodSpec, "affinity"> {
  if (!isFile(inputs)) return {};
  const { server } = inputs;
  const { affinity } = server.spec.pod ?? {};
  const near = {
    weight: 100,
    podAffinityTerm: { labelSelector: { matchLabels: podSelector(server) }, topologyKey: "kubernetes.io/hostname" },
  };
  const others = affinity?.podAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  return {
    affinity: {
      ...affinity,
      podAffinity: {
        ...affinity?.podAffinity,
        preferredDuringSchedulingIgnoredDuringExecution: [...others, near],
      },
    },
  };
}
