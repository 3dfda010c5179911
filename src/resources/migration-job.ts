import { createHash } from "node:crypto";
import type { V1Container, V1EnvVar, V1PodSpec } from "@kubernetes/client-node";
import { choice, choose } from "../api/choose.ts";
import type { Postgresql } from "../api/fields/postgresql.ts";
import { artifactVariables } from "../features/artifacts/index.ts";
import type { Mounted } from "../features/common/mounted-volume.ts";
import { fromSecret, literal } from "../features/common/variable.ts";
import type { Job } from "../kube/manifests.ts";
import { annotation, label } from "../kube/names.ts";
import type { Inputs } from "../model/inputs.ts";
import { labels, ownedMetadata, podSelector } from "../model/metadata.ts";
import { objectNames } from "../model/names.ts";
import { artifactCheck, artifactCheckHash } from "./artifact-check.ts";
import type { UserDatabase } from "./authentication/authentication.ts";
import { authenticationOf } from "./authentication/index.ts";
import { rootCertificateOf, sqliteUri, sqliteUserFiles, sslModeOf, trackingUri } from "./database.ts";
import { inputsHash, keyedHash } from "./inputs-hash.ts";
import { programTexts } from "./migration/program-texts.ts";
import { setupResources } from "./pod/compute-resources.ts";
import { imageOf } from "./pod/image.ts";
import { podSpec } from "./pod/pod-spec.ts";
import { program } from "./pod/program.ts";
import { containerSecurityContext } from "./pod/security.ts";
import { data, databaseCaFiles, temporary, temporaryPath } from "./pod/volumes.ts";

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
  const caFiles = databaseCaFiles(inputs, authenticationOf(inputs));
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
  const { server, volumeClaim } = inputs;
  const { sqlite, postgresql } = server.spec.backendStore;
  const { users } = authenticationOf(inputs);
  return {
    tracking: (sqlite && ["sqlite", volumeClaim?.uid]) ?? place(postgresql) ?? placeOfUri(inputs),
    auth: users && (place(users.postgresql) ?? "tracking"),
    restored: server.metadata.annotations?.[annotation.restored],
  };
}

function digest(identity: unknown): string {
  return createHash("sha256").update(JSON.stringify(identity)).digest("hex").slice(0, 10);
}

/** Returns a URI without user and password. The query can select the database and contain a password, so it is hashed with a key. */
function placeOfUri(inputs: Inputs): unknown {
  const [path = "", ...query] = (trackingUri(inputs) ?? "").split("?");
  return [path.replace(/\/\/[^/]*@/, "//"), query.length === 0 ? "" : keyedHash(inputs, query.join("?"))];
}

function place(database: Postgresql | undefined): unknown {
  return database && [database.host, database.port ?? 5432, database.database];
}

function container(inputs: Inputs, mode: "upgrade" | "check"): V1Container {
  const { server } = inputs;
  const { users, packages = [] } = authenticationOf(inputs);
  const { command, variable } = program(programTexts["migrate.py"]);
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
      ...trackingDatabase(inputs),
      ...userDatabase(inputs, users),
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

function trackingDatabase({ server }: Pick<Inputs, "server">): V1EnvVar[] {
  return choose(server.spec.backendStore, "spec.backendStore", {
    uriSecretRef: ({ name: secretName, key }): V1EnvVar[] => [fromSecret("TRACKING_DATABASE_URI", secretName, key)],
    postgresql: (postgresql) => parts("TRACKING", postgresql),
    sqlite: () => [literal("TRACKING_DATABASE_URI", sqliteUri)],
  });
}

function userDatabase({ server }: Inputs, users: UserDatabase | undefined): V1EnvVar[] {
  if (users === undefined) return [];
  if (users.postgresql !== undefined) return parts("AUTH", users.postgresql);
  if (server.spec.backendStore.sqlite !== undefined)
    return [literal("AUTH_DATABASE_URI", sqliteUserFiles[users.application])];
  return trackingDatabase({ server }).map((variable) => ({
    ...variable,
    name: variable.name.replace(/^TRACKING/, "AUTH"),
  }));
}

/** Returns a database in parts: running pods keep their own URI until the migration has succeeded. */
function parts(prefix: "TRACKING" | "AUTH", database: Postgresql): V1EnvVar[] {
  const { name: secretName, usernameKey = "username", passwordKey = "password" } = database.credentialsSecretRef;
  const rootCertificate = rootCertificateOf(database, prefix === "TRACKING" ? "tracking" : "auth");
  return [
    literal(`${prefix}_DATABASE_HOST`, database.host),
    literal(`${prefix}_DATABASE_PORT`, String(database.port ?? 5432)),
    literal(`${prefix}_DATABASE_NAME`, database.database),
    literal(`${prefix}_DATABASE_SSLMODE`, sslModeOf(database)),
    ...(rootCertificate === undefined ? [] : [literal(`${prefix}_DATABASE_SSLROOTCERT`, rootCertificate)]),
    fromSecret(`${prefix}_DATABASE_USERNAME`, secretName, usernameKey),
    fromSecret(`${prefix}_DATABASE_PASSWORD`, secretName, passwordKey),
  ];
}

/** Returns the volume if the database is a file on it. */
function database(inputs: Inputs): Mounted[] {
  return inputs.server.spec.backendStore.sqlite === undefined ? [] : data(inputs);
}

/** Returns an affinity to the server's pods: a volume with a SQLite file can be attached to one node only. */
function serverAffinity({ server }: Inputs): Pick<V1PodSpec, "affinity"> {
  if (server.spec.backendStore.sqlite === undefined) return {};
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
