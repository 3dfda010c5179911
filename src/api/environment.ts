import type { Rule } from "./fields/rule.ts";

/** A variable of the MLflow container that only the operator sets. */
export interface ReservedVariable {
  /** What to use instead, or why it is closed. */
  readonly instead: string;
  /**
   * What the container gets where nothing else sets it: a value that does nothing. It stands in `env`, which wins over
   * `envFrom`, so no Secret or ConfigMap can open what is closed. Where no value does nothing, a source of `envFrom` that
   * has the name is refused by a condition.
   */
  readonly neutral?: string;
}

/** Nothing sets it in the container, unless something of ours does: empty is the same as absent. */
const closed = (instead: string): ReservedVariable => ({ instead, neutral: "" });

/** Found by running MLflow 3.16.1 to 3.17.2: its booleans and numbers do not take an empty value. */
const fixed = (neutral: string, instead: string): ReservedVariable => ({ instead, neutral });

const loadsCode = "it loads code or changes where code is found";
const movesData = "it moves the database elsewhere";
const ofUvicorn = "it would change how the server listens or what it runs";

const ofOidc = "it decides who gets in by OpenID Connect: use authentication.oidc";

/** Variables that `server.env` cannot set: the operator sets them, or they open a door, load code or move data. */
export const reservedVariables: Readonly<Record<string, ReservedVariable>> = {
  MLFLOW_HOST: { instead: "the operator decides the address" },
  MLFLOW_PORT: { instead: "the port is always 5000" },
  MLFLOW_WORKERS: { instead: "use server.workers" },
  MLFLOW_BACKEND_STORE_URI: { instead: "use backendStore" },
  MLFLOW_READ_REPLICA_BACKEND_STORE_URI: closed("use backendStore"),
  MLFLOW_REGISTRY_STORE_URI: closed("models are kept in backendStore"),
  MLFLOW_TRACKING_URI: closed("use backendStore"),
  MLFLOW_SERVE_ARTIFACTS: { instead: "use artifactStore.access" },
  MLFLOW_ARTIFACTS_DESTINATION: closed("use artifactStore"),
  MLFLOW_DEFAULT_ARTIFACT_ROOT: closed("use artifactStore"),
  MLFLOW_ARTIFACTS_ONLY: fixed("false", "it is not supported"),
  MLFLOW_ARTIFACTS_PRESIGNED_ONLY: fixed("false", "it is not supported"),
  MLFLOW_TRACE_ARCHIVAL_CONFIG: closed("it is not supported"),
  MLFLOW_S3_ENDPOINT_URL: { instead: "use artifactStore.s3.endpointUrl" },
  MLFLOW_STATIC_PREFIX: closed("it is not supported"),
  MLFLOW_EXPOSE_PROMETHEUS: closed("it is not supported"),
  MLFLOW_UVICORN_OPTS: closed("it could bind other addresses and load code"),
  MLFLOW_GUNICORN_OPTS: closed("it could bind other addresses and load code"),
  MLFLOW_SERVER_ALLOWED_HOSTS: { instead: "use server.allowedHosts" },
  MLFLOW_SERVER_CORS_ALLOWED_ORIGINS: { instead: "use server.corsAllowedOrigins" },
  MLFLOW_SERVER_X_FRAME_OPTIONS: closed("use server.extraArgs: [--x-frame-options=…]"),
  MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE: fixed("false", "the Host and CORS checks stay on"),
  MLFLOW_SERVER_ENABLE_GRAPHQL_AUTH: fixed("true", "GraphQL asks who is there like everything else"),
  MLFLOW_ENABLE_AI_GATEWAY: fixed("false", "use server.aiGateway"),
  MLFLOW_ENABLE_ASSISTANT_SANDBOX: fixed("false", "the Assistant is never served"),
  MLFLOW_ENABLE_REMOTE_ASSISTANT: fixed("false", "the Assistant runs programs on the server"),
  MLFLOW_SERVER_ENABLE_CUSTOM_SCORERS: fixed("false", "it runs code that users upload"),
  MLFLOW_SERVER_ENABLE_JOB_EXECUTION: { instead: "use server.jobExecution" },
  MLFLOW_ENABLE_WORKSPACES: fixed("false", "use workspaces"),
  MLFLOW_WORKSPACE: closed("use workspaces.default"),
  MLFLOW_WORKSPACE_STORE_URI: closed("use workspaces"),
  MLFLOW_BASIC_AUTH_FAIL_CLOSED: fixed("true", "what has no rule of its own stays shut"),
  MLFLOW_AUTH_CONFIG_PATH: closed("use authentication.basic"),
  MLFLOW_AUTH_ADMIN_USERNAME: closed("use authentication.basic.admin"),
  MLFLOW_AUTH_ADMIN_PASSWORD: closed("use authentication.basic.admin"),
  MLFLOW_FLASK_SERVER_SECRET_KEY: { instead: "use server.sessionSecret" },
  MLFLOW_CRYPTO_KEK_PASSPHRASE: { instead: "use server.sessionSecret" },
  MLFLOW_CRYPTO_KEK_VERSION: fixed("1", "the passphrase of server.sessionSecret is its only version"),
  MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY: { instead: "use server.sessionSecret" },
  MLFLOW_LOGGING_LEVEL: { instead: "use server.logLevel" },
  MLFLOW_DISABLE_TELEMETRY: fixed("true", "a server tells nobody outside what it does"),
  SECRET_KEY: { instead: ofOidc },
  DEFAULT_LANDING_PAGE_IS_PERMISSIONS: { instead: ofOidc },
  DEFAULT_MLFLOW_PERMISSION: { instead: ofOidc },
  TRUSTED_PROXIES: { instead: ofOidc },
  AUTH_PROVIDERS: { instead: ofOidc },
  AUTH_PROVIDERS_FILE: { instead: ofOidc },
  CONFIG_PROVIDERS: { instead: ofOidc },
  SESSION_COOKIE_SECURE: { instead: ofOidc },
  SESSION_COOKIE_SAMESITE: { instead: ofOidc },
  SESSION_TOKEN_ENCRYPTION_KEY: { instead: ofOidc },
  KUBERNETES_SERVICE_HOST: { instead: "it decides which API server is asked about callers" },
  KUBERNETES_SERVICE_PORT: { instead: "it decides which API server is asked about callers" },
  KUBECONFIG: { instead: "it decides which API server is asked about callers" },
  AWS_CA_BUNDLE: { instead: "use artifactStore.s3.ca" },
  AWS_ENDPOINT_URL: closed("use artifactStore.s3.endpointUrl"),
  AWS_ENDPOINT_URL_S3: closed("use artifactStore.s3.endpointUrl"),
  AWS_CONFIG_FILE: closed("a configuration file can name a program to run"),
  AWS_SHARED_CREDENTIALS_FILE: closed("use artifactStore.s3.credentials"),
  // The client library looks whether they are there at all: even empty, they would have it write files to the root.
  prometheus_multiproc_dir: { instead: "it is not supported" },
  PROMETHEUS_MULTIPROC_DIR: { instead: "it is not supported" },
  FORWARDED_ALLOW_IPS: closed("it decides whose word on the client's address is taken"),
  HOME: { instead: "the operator decides where the process writes" },
  TMPDIR: { instead: "the operator decides where the process writes" },
  PATH: { instead: loadsCode },
  GCONV_PATH: { instead: loadsCode },
  BASH_ENV: closed(loadsCode),
  OPENSSL_CONF: closed(loadsCode),
};

/**
 * Beginnings of names that are refused, and which of those names the container gets explicitly. The others of a prefix
 * can only come by `server.envFrom`, from a Secret or ConfigMap of the same namespace.
 */
export const reservedPrefixes: Readonly<
  Record<string, { readonly instead: string; readonly neutral: Readonly<Record<string, string>> }>
> = {
  PYTHON: {
    instead: loadsCode,
    neutral: {
      ...empty("PYTHON", ["PATH", "STARTUP", "HOME", "USERBASE", "WARNINGS", "PYCACHEPREFIX"]),
      // HOME is writable, and Python would load packages from it.
      PYTHONNOUSERSITE: "1",
      PYTHONSAFEPATH: "1",
    },
  },
  LD_: { instead: loadsCode, neutral: empty("LD_", ["PRELOAD", "LIBRARY_PATH", "AUDIT"]) },
  // libpq takes each of its settings from the environment too: PGHOSTADDR even where the URI names a host.
  PG: {
    instead: movesData,
    neutral: {
      ...empty("PG", ["HOST", "HOSTADDR", "OPTIONS", "SERVICEFILE", "PASSFILE", "SSLROOTCERT", "SSLCERT", "SSLKEY"]),
      // libpq's default, since it takes no empty one; what a URI says wins over it.
      PGSSLMODE: "prefer",
    },
  },
  // uvicorn takes each of its options from the environment too.
  UVICORN_: {
    instead: ofUvicorn,
    neutral: empty("UVICORN_", [
      ...["APP_DIR", "ENV_FILE", "FD", "UDS", "RELOAD", "RELOAD_DIR", "LOOP", "HTTP", "LIFESPAN", "INTERFACE"],
      ...["LOG_CONFIG", "LOG_LEVEL", "ROOT_PATH", "PROXY_HEADERS", "FORWARDED_ALLOW_IPS", "HEADER"],
      ...["SSL_KEYFILE", "SSL_CERTFILE", "SSL_CA_CERTS", "LIMIT_CONCURRENCY", "LIMIT_MAX_REQUESTS"],
    ]),
  },
  OIDC_: { instead: ofOidc, neutral: {} },
  MLFLOW_OPERATOR_: { instead: "only the operator sets it", neutral: {} },
  MLFLOW_K8S_: { instead: "use authentication.kubernetes", neutral: {} },
  _MLFLOW_: {
    instead: "it is internal to MLflow",
    neutral: empty("_MLFLOW_", [
      ...["SERVER_READ_REPLICA_BACKEND_STORE", "SERVER_ARTIFACTS_ONLY", "STATIC_PREFIX"],
      ...["INTERNAL_GATEWAY_AUTH_TOKEN", "SUPPORTED_JOB_FUNCTION_LIST", "ALLOWED_JOB_NAME_LIST"],
    ]),
  },
};

function empty(prefix: string, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [`${prefix}${name}`, ""]));
}

/** What the container gets for each reserved variable that nothing else sets. */
export const neutralEnvironment: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    Object.entries(reservedVariables).flatMap(([name, { neutral }]) =>
      neutral === undefined ? [] : [[name, neutral]],
    ),
  ),
  ...Object.assign({}, ...Object.values(reservedPrefixes).map(({ neutral }) => neutral)),
};

/** Whether only the operator may set a variable. */
export function isReserved(name: string): boolean {
  return (
    Object.hasOwn(reservedVariables, name) || Object.keys(reservedPrefixes).some((prefix) => name.startsWith(prefix))
  );
}

/** The CEL rule that refuses them, on the name itself, and says what to use instead. */
export function forbiddenEnvironment(): Rule {
  const listed = Object.keys(reservedVariables).map((name) => `'${name}'`);
  const begins = Object.keys(reservedPrefixes).map((prefix) => `self.startsWith('${prefix}')`);
  const instead = Object.entries(reservedVariables).map(([name, row]) => `'${name}': ${JSON.stringify(row.instead)}`);
  const why = Object.entries(reservedPrefixes).map(
    ([prefix, { instead }]) => `self.startsWith('${prefix}') ? ${JSON.stringify(instead)} : `,
  );
  return {
    rule: `!(self in [${listed.join(", ")}]) && !(${begins.join(" || ")})`,
    messageExpression: `self + ' cannot be set here: ' + (${why.join("")}{${instead.join(", ")}}[self])`,
  };
}
