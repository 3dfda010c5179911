import assert from "node:assert/strict";
import type { V1Container } from "@kubernetes/client-node";
import { imageReference, testedVersion } from "./live-cluster.ts";
import { addressOf, type LiveFixture, type Login, timeoutSeconds } from "./live-fixture.ts";
import { type Mlflow, mlflowAt } from "./mlflow.ts";
import type { PostgresqlServer } from "./postgresql-server.ts";
import { waitUntil } from "./wait-until.ts";

/** The name of the release, and of its Service. */
export const releaseName = "tracking";

const port = 5000;
const login: Login = { username: "admin-of-chart", password: "of-the-admin-12345" };
const database: Login = { username: "chart", password: "of-the-chart-12345" };
const secretKeys = { usernameKey: "user", passwordKey: "pass" };

/** Values of the community chart: users in a PostgreSQL database of their own, artifacts in S3. */
export const releaseValues = {
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
  auth: {
    enabled: true,
    existingAdminSecret: { name: "chart-admin", ...secretKeys },
    defaultPermission: "NO_PERMISSIONS",
    postgres: {
      enabled: true,
      host: "postgresql",
      port: 5432,
      database: "chart_auth",
      existingSecret: { name: "chart-database", ...secretKeys },
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

/** What an init container of the chart makes of its template and the Secrets. */
const authIni = `[mlflow]
default_permission = ${releaseValues.auth.defaultPermission}
database_uri = postgresql+psycopg2://${database.username}:${database.password}@postgresql:5432/chart_auth
admin_username = ${login.username}
admin_password = ${login.password}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
`;

/** The program of the chart's migration. */
const migration = `
from mlflow.store.db import utils
utils._initialize_tables(utils.create_sqlalchemy_engine_with_retry("postgresql+psycopg2://"))
`;

function podSpec(image: string): unknown {
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
      { name: "MLFLOW_AUTH_CONFIG_PATH", value: "/etc/mlflow/auth/basic_auth.ini" },
      ...postgresql,
      ...["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].map((name) => fromSecret(name, "s3", name)),
      ...Object.entries(releaseValues.extraEnvVars).map(([name, value]) => ({ name, value })),
    ],
    readinessProbe: { httpGet: { path: "/health", port }, periodSeconds: 2, timeoutSeconds: 5 },
    volumeMounts: [
      tmp,
      { name: "auth", mountPath: "/etc/mlflow/auth/basic_auth.ini", subPath: "basic_auth.ini", readOnly: true },
    ],
  };
  return {
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: 5,
    securityContext: { runAsNonRoot: true, runAsUser: 1001, seccompProfile: { type: "RuntimeDefault" } },
    volumes: [
      { name: "tmp", emptyDir: {} },
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
  readonly admin: Mlflow;
  readonly login: Login;
  /** Deletes what `helm uninstall` deletes, and waits until the pod has ended. Databases, bucket and the Secrets in the values stay. */
  readonly uninstall: () => Promise<void>;
}

/**
 * Starts MLflow with the arguments, variables and files that the templates of the community chart make of {@link releaseValues}, in the image of
 * the operator, and waits until it is ready.
 */
export async function startChartRelease(fixture: LiveFixture, postgresql: PostgresqlServer): Promise<ChartRelease> {
  const { objects } = fixture;
  await postgresql.sql("postgres", `CREATE ROLE ${database.username} LOGIN PASSWORD '${database.password}';`);
  for (const name of ["chart", "chart_auth"])
    await postgresql.sql("postgres", `CREATE DATABASE ${name} OWNER ${database.username};`);
  const secrets = { "chart-database": database, "chart-admin": login };
  for (const [name, { username, password }] of Object.entries(secrets))
    await objects.create("Secret", { metadata: { name }, stringData: { user: username, pass: password } });

  const labels = { release: releaseName };
  const metadata = { name: releaseName };
  await objects.create("Service", { metadata, spec: { selector: labels, ports: [{ name: "http", port }] } });
  await objects.create("ConfigMap", { metadata: { name: "tracking-env-configmap" }, data: variables });
  await objects.create("Secret", {
    metadata: { name: "tracking-flask-server-secret-key" },
    stringData: { MLFLOW_FLASK_SERVER_SECRET_KEY: "of-the-sessions-of-the-chart" },
  });
  await objects.create("Secret", { metadata: { name: "tracking-auth" }, stringData: { "basic_auth.ini": authIni } });
  const image = await imageReference(fixture.cluster, `mlflow-server:${testedVersion}`);
  await objects.create("Deployment", {
    metadata,
    spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: podSpec(image) } },
  });
  await waitUntil(async () => {
    const { status } = await objects.the("Deployment", releaseName);
    assert.equal(status?.readyReplicas, 1, JSON.stringify(status));
  }, timeoutSeconds);
  return {
    admin: mlflowAt({ address: await addressOf(objects, releaseName), host: releaseName, login }),
    login,
    uninstall: async () => {
      await objects.remove("Deployment", releaseName);
      await objects.remove("Service", releaseName);
      await objects.remove("ConfigMap", "tracking-env-configmap");
      for (const name of ["tracking-flask-server-secret-key", "tracking-auth"]) await objects.remove("Secret", name);
      await waitUntil(async () => {
        const pods = await objects.list("Pod");
        assert.ok(pods.every(({ metadata }) => metadata.labels?.["release"] !== releaseName));
      }, timeoutSeconds);
    },
  };
}
