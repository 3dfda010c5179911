import { createHash } from "node:crypto";
import type { V1Container, V1EnvVar, V1PodSpec } from "@kubernetes/client-node";
import type { Postgresql } from "../api/fields/postgresql.ts";
import type { Job } from "../kube/manifests.ts";
import { annotation, label } from "../kube/names.ts";
import { artifactCheck, artifactCheckHash } from "./artifact-check.ts";
import type { UserDatabase } from "./authentication/authentication.ts";
import { authenticationOf } from "./authentication/index.ts";
import { choice, choose } from "./choose.ts";
import { rootCertificateOf, sqliteUri, sqliteUserFiles, sslModeOf, trackingUri } from "./database.ts";
import type { Inputs } from "./inputs.ts";
import { inputsHash, keyedHash } from "./inputs-hash.ts";
import { labels, ownedMetadata, podSelector } from "./metadata.ts";
import { programTexts } from "./migration/program-texts.ts";
import { objectNames } from "./names.ts";
import { setupResources } from "./pod/compute-resources.ts";
import { artifacts } from "./pod/environment.ts";
import { imageOf } from "./pod/image.ts";
import type { Mounted } from "./pod/mounted-volume.ts";
import { podSpec } from "./pod/pod-spec.ts";
import { program } from "./pod/program.ts";
import { containerSecurityContext } from "./pod/security.ts";
import { fromSecret, literal } from "./pod/variable.ts";
import { data, databaseCaFiles, temporary, temporaryPath } from "./pod/volumes.ts";

/** What the Job does: bring the schema to this version, or only look whether it is. Undefined: the spec wants neither. */
export function migrationMode({ server }: Inputs): "upgrade" | "check" | undefined {
  const { migration = "Automatic", connectionCheck } = server.spec.backendStore;
  return choice(migration, "spec.backendStore.migration", {
    Automatic: "upgrade",
    Manual: connectionCheck === false ? undefined : "check",
  } as const);
}

/**
 * The Job after which the databases are as this version needs them. Its name tells image, databases (without
 * credentials) and bucket, so a completed Job of that name proves that there is nothing to do; it is created once and
 * never patched. Before it changes a database it shows that the bucket can be written to. It retries until it succeeds: a database that comes back, or a Secret that is mended, needs no one's help.
 */
export function migrationJob(inputs: Inputs): Job | undefined {
  const mode = migrationMode(inputs);
  if (mode === undefined) return undefined;
  const { server } = inputs;
  const { annotations } = server.spec.pod ?? {};
  const authorities = databaseCaFiles(inputs, authenticationOf(inputs));
  const mounted = [temporary(inputs), ...database(inputs), ...authorities];
  const check = artifactCheck(inputs);
  const spec = {
    ...podSpec(inputs, {
      before: check === undefined ? [] : [check],
      together: [{ container: container(inputs, mode), mounted }],
    }),
    ...nearTheServer(inputs),
    restartPolicy: "OnFailure",
    // The program ends at once when told to, unless it is changing a database: then it goes on to the end.
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
 * Ten hexadecimal digits that change with version and image, the databases and what is done to them, never with a password
 * of theirs; and with the bucket that is written to, and as whom.
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

/** Ten hexadecimal digits that change when the server is given other databases, or they were restored. */
function databaseHash(inputs: Inputs): string {
  return digest(databases(inputs));
}

/** Which databases they are: never the user who connects, or a password. */
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

/** Of a whole URI all but user and password. The query may choose the database, and may hold a password: it is keyed. */
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
      ...artifacts(inputs).filter(({ name }) => artifactVariables.includes(name)),
      ...(users?.administrator ?? []),
    ],
    resources: setupResources(inputs, { cpu: "100m", memory: "384Mi" }),
    securityContext: containerSecurityContext,
  };
}

/** The Default experiment, which the migration creates, keeps the artifact root of that moment. */
const artifactVariables = ["MLFLOW_SERVE_ARTIFACTS", "MLFLOW_DEFAULT_ARTIFACT_ROOT"];

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

/** A database in parts: what is running keeps its own URI until the new one has proved itself. */
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

/** The volume, where the database is a file on it. */
function database(inputs: Inputs): Mounted[] {
  return inputs.server.spec.backendStore.sqlite === undefined ? [] : data(inputs);
}

/** Where the volume of a SQLite file is held by one node, the Job must run there as long as a pod of the server does. */
function nearTheServer({ server }: Inputs): Pick<V1PodSpec, "affinity"> {
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
