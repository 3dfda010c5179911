import assert from "node:assert/strict";
import { basename } from "node:path";
import type { V1Container } from "@kubernetes/client-node";
import { administrator, type ChartAuthentication } from "./chart-authentication.ts";
import { imageReference, testedVersion } from "./live-cluster.ts";
import { addressOf, type LiveFixture, type Login, timeoutSeconds } from "./live-fixture.ts";
import { type Mlflow, mlflowAt } from "./mlflow.ts";
import type { PostgresqlServer } from "./postgresql-server.ts";
import { waitUntil } from "./wait-until.ts";

/** The name of the release, and of its Service. */
export const releaseName = "tracking";

const port = 5000;
const database: Login = { username: "chart", password: "of-the-chart-12345" };
const secretKeys = { usernameKey: "user", passwordKey: "pass" };

/** Values of the community chart, without those of the authentication: experiments in PostgreSQL, artifacts in S3. */
const releaseValues = {
  serverAllowedHosts: [releaseName, `${releaseName}:${port}`],
  backendStore: {
    databaseMigration: true,
    postgres: { enabled: true, host: "postgresql", port: 5432, database: "chart", driver: "psycopg2" },
    existingDatabaseSecret: { name: "chart-database", ...secretKeys },
  },
  artifactRoot: {
    proxiedArtifactStorage: true,
    s3: {
      enabled: true,
      bucket: "mlflow-artifacts-of-tests",
      path: "chart",
      existingSecret: {
        name: "s3",
        keyOfAccessKeyId: "AWS_ACCESS_KEY_ID",
        keyOfSecretAccessKey: "AWS_SECRET_ACCESS_KEY",
      },
    },
  },
  extraArgs: { workers: 1 },
  extraEnvVars: { MLFLOW_S3_ENDPOINT_URL: "http://s3:9000", AWS_DEFAULT_REGION: "us-east-1" },
};

/** The ConfigMap of the chart, which MLflow and the migration read as variables; those of libpq complete the URI `postgresql://`. */
const variables = {
  PGHOST: releaseValues.backendStore.postgres.host,
  PGPORT: String(releaseValues.backendStore.postgres.port),
  PGDATABASE: releaseValues.backendStore.postgres.database,
  MLFLOW_CONFIGURE_LOGGING: "true",
  MLFLOW_LOGGING_LEVEL: "INFO",
  MLFLOW_DISABLE_TELEMETRY: "true",
  DO_NOT_TRACK: "true",
  MLFLOW_SERVER_ALLOWED_HOSTS: releaseValues.serverAllowedHosts.join(","),
};

/** The program of the chart's migration. */
const migration = `
from mlflow.store.db import utils
utils._initialize_tables(utils.create_sqlalchemy_engine_with_retry("postgresql+psycopg2://"))
`;

function podSpec(image: string, { configPath, env, files }: ChartAuthentication): unknown {
  const fromSecret = (name: string, secret: string, key: string) => ({
    name,
    valueFrom: { secretKeyRef: { name: secret, key } },
  });
  const postgresql = [
    fromSecret("PGPASSWORD", "chart-database", "pass"),
    fromSecret("PGUSER", "chart-database", "user"),
  ];
  const { bucket, path } = releaseValues.artifactRoot.s3;
  const common: Omit<V1Container, "name"> = {
    image,
    imagePullPolicy: "IfNotPresent",
    envFrom: [
      { configMapRef: { name: "tracking-env-configmap" } },
      { secretRef: { name: "tracking-env-secret" } },
      { secretRef: { name: "tracking-flask-server-secret-key" } },
    ],
    // Without a request it would get no CPU on a busy machine.
    resources: { requests: { cpu: "100m", memory: "256Mi" } },
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
  };
  const tmp = { name: "tmp", mountPath: "/tmp" };
  const server: V1Container = {
    ...common,
    name: "mlflow",
    // That of the chart's image.
    workingDir: "/mlflow",
    command: ["mlflow"],
    args: [
      "server",
      "--host=0.0.0.0",
      `--port=${port}`,
      "--backend-store-uri=postgresql+psycopg2://",
      `--artifacts-destination=s3://${bucket}/${path}`,
      "--serve-artifacts",
      "--app-name=basic-auth",
      "--uvicorn-opts='--log-level=info'",
      `--workers=${releaseValues.extraArgs.workers}`,
    ],
    env: [
      { name: "MLFLOW_AUTH_CONFIG_PATH", value: configPath },
      ...env,
      ...postgresql,
      ...["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].map((name) => fromSecret(name, "s3", name)),
      ...Object.entries(releaseValues.extraEnvVars).map(([name, value]) => ({ name, value })),
    ],
    readinessProbe: { httpGet: { path: "/health", port }, periodSeconds: 2, timeoutSeconds: 5 },
    volumeMounts: [
      tmp,
      { name: "work", mountPath: "/mlflow" },
      ...[configPath, ...Object.keys(files)].map((mountPath) => ({
        name: "auth",
        mountPath,
        subPath: basename(mountPath),
        readOnly: true,
      })),
    ],
  };
  return {
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: 5,
    securityContext: { runAsNonRoot: true, runAsUser: 1001, seccompProfile: { type: "RuntimeDefault" } },
    volumes: [
      { name: "tmp", emptyDir: {} },
      { name: "work", emptyDir: {} },
      { name: "auth", secret: { secretName: "tracking-auth" } },
    ],
    initContainers: [
      {
        ...common,
        name: "mlflow-db-migration",
        command: ["python"],
        args: ["-c", migration],
        env: postgresql,
        volumeMounts: [tmp],
      },
    ],
    containers: [server],
  };
}

/** MLflow as a release of the community chart runs it. */
export interface ChartRelease {
  /** A client without a login. */
  readonly anonymous: Mlflow;
  /** The values of the release. */
  readonly values: Readonly<Record<string, unknown>>;
  /** Deletes what `helm uninstall` deletes, and waits until the pod has ended. Databases, bucket and the Secrets in the values stay. */
  readonly uninstall: () => Promise<void>;
}

/**
 * Starts MLflow with the arguments, variables and files that the templates of the community chart make of the values, in the image of the
 * operator, and waits until it is ready.
 */
export async function startChartRelease(
  fixture: LiveFixture,
  postgresql: PostgresqlServer,
  authenticationWith: (database: Login) => ChartAuthentication,
): Promise<ChartRelease> {
  const { objects } = fixture;
  const authentication = authenticationWith(database);
  await postgresql.sql("postgres", `CREATE ROLE ${database.username} LOGIN PASSWORD '${database.password}';`);
  for (const name of ["chart", "chart_auth"])
    await postgresql.sql("postgres", `CREATE DATABASE ${name} OWNER ${database.username};`);
  for (const [name, { username, password }] of Object.entries({
    "chart-database": database,
    "chart-admin": administrator,
  }))
    await objects.create("Secret", { metadata: { name }, stringData: { user: username, pass: password } });

  const labels = { release: releaseName };
  const metadata = { name: releaseName };
  await objects.create("Service", { metadata, spec: { selector: labels, ports: [{ name: "http", port }] } });
  await objects.create("ConfigMap", { metadata: { name: "tracking-env-configmap" }, data: variables });
  const secrets = secretsOf(authentication);
  for (const [name, stringData] of Object.entries(secrets))
    await objects.create("Secret", { metadata: { name }, stringData });
  const image = await imageReference(fixture.cluster, `mlflow-server:${testedVersion}`);
  const template = { metadata: { labels }, spec: podSpec(image, authentication) };
  await objects.create("Deployment", { metadata, spec: { selector: { matchLabels: labels }, template } });
  await waitUntil(async () => {
    const { status } = await objects.the("Deployment", releaseName);
    assert.equal(status?.readyReplicas, 1, JSON.stringify(status));
  }, timeoutSeconds);
  return {
    anonymous: mlflowAt({ address: await addressOf(objects, releaseName), host: releaseName }),
    values: { ...releaseValues, ...authentication.values },
    uninstall: async () => {
      await objects.remove("Deployment", releaseName);
      await objects.remove("Service", releaseName);
      await objects.remove("ConfigMap", "tracking-env-configmap");
      for (const name of Object.keys(secrets)) await objects.remove("Secret", name);
      await waitUntil(async () => {
        const pods = await objects.list("Pod");
        assert.ok(pods.every(({ metadata }) => metadata.labels?.["release"] !== releaseName));
      }, timeoutSeconds);
    },
  };
}

/** The Secrets of the release itself. */
function secretsOf({ configPath, ini, files, secretVariables }: ChartAuthentication) {
  const named = Object.entries(files).map(([path, content]) => [basename(path), content] as const);
  return {
    "tracking-env-secret": secretVariables,
    "tracking-flask-server-secret-key": { MLFLOW_FLASK_SERVER_SECRET_KEY: "of-the-sessions-of-the-chart" },
    "tracking-auth": { [basename(configPath)]: ini, ...Object.fromEntries(named) },
  };
}
