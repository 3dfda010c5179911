import type { Rule } from "./fields/rule.ts";

/** A variable of the MLflow container that only the operator sets. */
export interface ReservedVariable {
  /** What to use instead, or why it is rejected. */
  readonly instead: string;
  /**
   * The value that the container gets if nothing else sets it: one without effect. It is set in `env`, which overrides
   * `envFrom`, so no Secret or ConfigMap can set the variable. If every value has an effect, a source of `envFrom` that
   * has the name is reported by a condition.
   */
  readonly neutral?: string;
}

/** Empty in the container unless the operator sets it: for the program, empty is the same as absent. */
const disabled = (instead: string): ReservedVariable => ({ instead, neutral: "" });

/** Found by running MLflow 3.16.1 to 3.17.2: its booleans and numbers do not take an empty value. */
const fixed = (neutral: string, instead: string): ReservedVariable => ({ instead, neutral });

const loadsCode = "it loads code or changes where code is loaded from";
const movesData = "it moves the database elsewhere";
const ofUvicorn = "it would change how the server listens or what it runs";
const ofServer = "the operator sets it, nothing in a server reads it, or it weakens the server: leave it out";
const ofOidc = "it decides who is allowed access by OpenID Connect: use authentication.oidc";
const ofGunicorn = "MLflow runs on uvicorn, so nothing reads it: use server.workers";
const noRedis = "the image has no Redis client: leave it out";
const reaches = "users could make the server call addresses inside the cluster, or without TLS: leave it out";
const showsSecrets = "users could make the server send its own secrets to an address of their choice: leave it out";
const replacesCa =
  "it replaces all public CA certificates, so TLS to all other servers fails: use the field ca of the database, the artifact store or the issuer";
const resolves = "it changes how host names are resolved";
const keepsTls = "it turns off TLS or its checks";
const ofPods = "pods of a server have no such program or file";

/** Settings of MLflow that tune a server, without their prefix. */
const allowedMlflow = [
  ...["CONFIGURE_LOGGING", "LOGGING_CONFIGURE_LOGGING"],
  ...[
    "ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT",
    "BOTO_CLIENT_ADDRESSING_STYLE",
    "CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX",
  ],
  ...["DELETE_TRACES_MAX_BATCH_SIZE", "DISABLE_AGENT_HINT", "DISABLE_SCHEMA_DETAILS", "DOWNLOAD_CHUNK_TIMEOUT"],
  ...["ENABLE_MULTIPART_DOWNLOAD", "ENABLE_MULTIPART_UPLOAD", "ENABLE_PROXY_MULTIPART_DOWNLOAD"],
  ...["ENABLE_PROXY_MULTIPART_UPLOAD", "EXPERIMENTAL_S3_SIGNATURE_VERSION", "GATEWAY_ALLOWED_PROVIDERS"],
  ...["GATEWAY_BUDGET_REFRESH_INTERVAL", "GATEWAY_ROUTE_TIMEOUT_SECONDS", "GCS_DOWNLOAD_CHUNK_SIZE"],
  ...["GCS_UPLOAD_CHUNK_SIZE", "GENAI_EVAL_ASYNC_TIMEOUT", "GENAI_EVAL_ENABLE_SCORER_TRACING"],
  ...["GENAI_EVAL_LLM_TIMEOUT", "GENAI_EVAL_MAX_RETRIES", "GENAI_EVAL_MAX_SCORER_WORKERS", "GENAI_EVAL_MAX_WORKERS"],
  ...["GENAI_EVAL_PREDICT_RATE_LIMIT", "GENAI_EVAL_SCORER_RATE_LIMIT", "GENAI_EVAL_SKIP_TRACE_VALIDATION"],
  ...["GENAI_JUDGE_DEFAULT_MODEL", "GENAI_OPTIMIZE_MAX_WORKERS", "GENAI_SIMULATOR_MAX_WORKERS"],
  ...["HTTP_POOL_CONNECTIONS", "HTTP_POOL_MAXSIZE", "HTTP_REQUEST_BACKOFF_FACTOR", "HTTP_REQUEST_BACKOFF_JITTER"],
  ...["HTTP_REQUEST_MAX_RETRIES", "HTTP_REQUEST_TIMEOUT", "HTTP_RESPECT_RETRY_AFTER_HEADER", "HTTP_TCP_KEEPALIVE"],
  ...["HTTP_TCP_KEEPALIVE_COUNT", "HTTP_TCP_KEEPALIVE_IDLE", "HTTP_TCP_KEEPALIVE_INTERVAL"],
  ...["JUDGE_MAX_ITERATIONS", "MODEL_CATALOG_CACHE_TTL", "MODEL_CATALOG_URI", "MULTIPART_DOWNLOAD_CHUNK_SIZE"],
  ...["MULTIPART_DOWNLOAD_MINIMUM_FILE_SIZE", "MULTIPART_UPLOAD_CHUNK_SIZE", "MULTIPART_UPLOAD_MINIMUM_FILE_SIZE"],
  ...["ONLINE_SCORING_DEFAULT_SESSION_COMPLETION_BUFFER_SECONDS", "ONLINE_SCORING_MAX_WORKER_THREADS"],
  ...["ONLINE_SCORING_DEFAULT_TRACE_COMPLETION_BUFFER_SECONDS", "PRESIGNED_DOWNLOAD_URL_TTL_SECONDS"],
  ...["S3_EXPECTED_BUCKET_OWNER", "S3_UPLOAD_EXTRA_ARGS", "SEARCH_TRACES_MAX_BATCH_SIZE", "SEARCH_TRACES_MAX_THREADS"],
  ...["SERVER_GRAPHQL_MAX_ALIASES", "SERVER_GRAPHQL_MAX_ROOT_FIELDS", "SERVER_JOB_DEFAULT_TIMEOUT"],
  ...["SERVER_JOB_ENABLE_PERIODIC_TASKS", "SERVER_JOB_FLUSH_PERIODIC_LOCKS_ON_STARTUP", "SERVER_JOB_LEASE_TTL"],
  ...["SERVER_JOB_TRANSIENT_ERROR_MAX_RETRIES", "SERVER_JOB_TRANSIENT_ERROR_RETRY_BASE_DELAY"],
  ...["SERVER_JOB_TRANSIENT_ERROR_RETRY_MAX_DELAY", "SERVER_JUDGE_INVOKE_MAX_WORKERS"],
  ...["SERVER_ONLINE_SCORING_MAX_WORKERS", "SERVER_SCORER_INVOKE_BATCH_SIZE", "SQLALCHEMYSTORE_MAX_OVERFLOW"],
  ...["SQLALCHEMYSTORE_POOLCLASS", "SQLALCHEMYSTORE_POOL_RECYCLE", "SQLALCHEMYSTORE_POOL_SIZE"],
  ...["SQL_TRACE_ROLLUPS_ENABLED", "TRACE_ROLLUPS_MAX_PARTITIONS_PER_RUN", "TRACE_ROLLUPS_MAX_WORKERS"],
  ...["TRACE_ROLLUPS_SCHEDULE", "TRUNCATE_LONG_VALUES", "WEBHOOK_CACHE_TTL", "WEBHOOK_DELIVERY_MAX_WORKERS"],
  ...["WEBHOOK_REQUEST_MAX_RETRIES", "WEBHOOK_REQUEST_TIMEOUT", "WORKSPACE_ARTIFACT_ROOT_CACHE_CAPACITY"],
  "WORKSPACE_ARTIFACT_ROOT_CACHE_TTL_SECONDS",
];

/** Settings of boto3 that set neither another endpoint nor a file to read, without the prefix; and those of workload identity. */
const allowedAws = [
  ...["SESSION_TOKEN", "BEARER_TOKEN_BEDROCK", "ROLE_ARN", "ROLE_SESSION_NAME", "WEB_IDENTITY_TOKEN_FILE"],
  ...["CONTAINER_CREDENTIALS_FULL_URI", "CONTAINER_AUTHORIZATION_TOKEN_FILE", "EC2_METADATA_DISABLED"],
  ...["METADATA_SERVICE_NUM_ATTEMPTS", "METADATA_SERVICE_TIMEOUT", "MAX_ATTEMPTS", "RETRY_MODE", "DEFAULTS_MODE"],
  ...["USE_FIPS_ENDPOINT", "USE_DUALSTACK_ENDPOINT", "STS_REGIONAL_ENDPOINTS", "REQUEST_CHECKSUM_CALCULATION"],
  ...["RESPONSE_CHECKSUM_VALIDATION", "S3_USE_ARN_REGION", "S3_US_EAST_1_REGIONAL_ENDPOINT", "ACCOUNT_ID"],
  ...["S3_DISABLE_MULTIREGION_ACCESS_POINTS", "DISABLE_REQUEST_COMPRESSION", "REQUEST_MIN_COMPRESSION_SIZE_BYTES"],
  ...["ACCOUNT_ID_ENDPOINT_MODE", "SDK_UA_APP_ID"],
];

/** Variables that `server.env` cannot set: the operator sets them, or they weaken the server, load code or move data. */
export const reservedVariables: Readonly<Record<string, ReservedVariable>> = {
  MLFLOW_HOST: { instead: "the operator sets the address" },
  MLFLOW_PORT: { instead: "the port is always 5000" },
  MLFLOW_WORKERS: { instead: "use server.workers" },
  MLFLOW_BACKEND_STORE_URI: { instead: "use backendStore" },
  MLFLOW_READ_REPLICA_BACKEND_STORE_URI: disabled("use readReplica of backendStore.postgresql or backendStore.mysql"),
  // They replace the TLS settings of the URI, and verify nothing.
  MLFLOW_MYSQL_SSL_CA: disabled("use backendStore.mysql.tls, or ?ssl_ca= in the URI"),
  MLFLOW_MYSQL_SSL_CERT: disabled("use backendStore.mysql.tls, or ?ssl_cert= in the URI"),
  MLFLOW_MYSQL_SSL_KEY: disabled("use backendStore.mysql.tls, or ?ssl_key= in the URI"),
  MLFLOW_REGISTRY_STORE_URI: disabled("models are stored in backendStore"),
  MLFLOW_TRACKING_URI: disabled("use backendStore"),
  MLFLOW_SERVE_ARTIFACTS: { instead: "use artifactStore.access" },
  MLFLOW_ARTIFACTS_DESTINATION: disabled("use artifactStore"),
  MLFLOW_DEFAULT_ARTIFACT_ROOT: disabled("use artifactStore"),
  MLFLOW_ARTIFACTS_ONLY: fixed("false", "it is not supported"),
  MLFLOW_ARTIFACTS_PRESIGNED_ONLY: fixed("false", "it is not supported"),
  MLFLOW_TRACE_ARCHIVAL_CONFIG: disabled("it is not supported"),
  MLFLOW_S3_ENDPOINT_URL: { instead: "use artifactStore.s3.endpointURL" },
  MLFLOW_STATIC_PREFIX: disabled("it is not supported"),
  MLFLOW_EXPOSE_PROMETHEUS: disabled("it is not supported"),
  MLFLOW_UVICORN_OPTS: disabled("it could bind other addresses and load code"),
  MLFLOW_GUNICORN_OPTS: disabled("it could bind other addresses and load code"),
  MLFLOW_SERVER_ALLOWED_HOSTS: { instead: "use server.allowedHosts" },
  MLFLOW_SERVER_CORS_ALLOWED_ORIGINS: { instead: "use server.corsAllowedOrigins" },
  MLFLOW_SERVER_X_FRAME_OPTIONS: disabled("use server.extraArgs: [--x-frame-options=…]"),
  MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE: fixed("false", "the Host and CORS checks stay on"),
  MLFLOW_SERVER_ENABLE_GRAPHQL_AUTH: fixed("true", "GraphQL requires authentication like all other endpoints"),
  MLFLOW_ENABLE_AI_GATEWAY: fixed("false", "use server.aiGateway"),
  MLFLOW_ENABLE_ASSISTANT_SANDBOX: fixed("false", "the Assistant is never served"),
  MLFLOW_ENABLE_REMOTE_ASSISTANT: fixed("false", "the Assistant runs programs on the server"),
  MLFLOW_SERVER_ENABLE_CUSTOM_SCORERS: fixed("false", "it runs code that users upload"),
  MLFLOW_SERVER_ENABLE_JOB_EXECUTION: { instead: "use server.jobExecution" },
  MLFLOW_ENABLE_WORKSPACES: fixed("false", "use workspaces"),
  MLFLOW_WORKSPACE: disabled("use workspaces.default"),
  MLFLOW_WORKSPACE_STORE_URI: disabled("use workspaces"),
  MLFLOW_BASIC_AUTH_FAIL_CLOSED: fixed("true", "routes without a rule stay denied"),
  MLFLOW_AUTH_CONFIG_PATH: disabled("use authentication.basic"),
  MLFLOW_AUTH_ADMIN_USERNAME: disabled("use authentication.basic.adminCredentialsSecretRef"),
  MLFLOW_AUTH_ADMIN_PASSWORD: disabled("use authentication.basic.adminCredentialsSecretRef"),
  MLFLOW_FLASK_SERVER_SECRET_KEY: { instead: "use server.sessionSecretRef" },
  MLFLOW_CRYPTO_KEK_PASSPHRASE: { instead: "use server.sessionSecretRef" },
  MLFLOW_CRYPTO_KEK_VERSION: fixed("1", "use the key kek-version of server.sessionSecretRef"),
  MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY: { instead: "use server.sessionSecretRef" },
  MLFLOW_LOGGING_LEVEL: { instead: "use server.logLevel" },
  MLFLOW_DISABLE_TELEMETRY: fixed("true", "a server sends no telemetry"),
  SECRET_KEY: { instead: ofOidc },
  DEFAULT_LANDING_PAGE_IS_PERMISSIONS: { instead: ofOidc },
  DEFAULT_MLFLOW_PERMISSION: { instead: ofOidc },
  TRUSTED_PROXIES: { instead: ofOidc },
  CACHE_REDIS_URL: { instead: "the OpenID Connect plugin would load Python objects from Redis: leave it out" },
  ...sameFor(ofOidc, [
    ...["AUTOMATIC_LOGIN_REDIRECT", "DEFAULT_LANDING_PAGE_IS_PERMISSIONS", "ENABLE_API_DOCS", "LOGGING_LOGGER_NAME"],
    ...["LOG_LEVEL", "MANAGED_BY_ENFORCEMENT", "ORPHAN_FALLBACK_PRINCIPAL", "RESTRICT_RESOURCE_CREATION"],
    ...["PERMISSION_SOURCE_ORDER", "PERMISSION_CACHE_TTL_SECONDS", "PERMISSION_CACHE_MAX_SIZE"],
    ...["WORKSPACE_RULES_MAX_PERMISSION", "WORKSPACE_CACHE_TTL_SECONDS", "WORKSPACE_CACHE_MAX_SIZE"],
    ...["USER_RETENTION_DAYS", "CACHE_BACKEND", "CACHE_KEY_PREFIX"],
  ]),
  MLFLOW_SERVER_JOB_HUEY_REDIS_URL: { instead: noRedis },
  MLFLOW_GATEWAY_BUDGET_REDIS_URL: { instead: noRedis },
  MLFLOW_GATEWAY_RATE_LIMITS_STORAGE_URI: { instead: noRedis },
  MLFLOW_GATEWAY_RESOLVE_API_KEY_FROM_ENV: { instead: showsSecrets },
  MLFLOW_GATEWAY_RESOLVE_API_KEY_FROM_FILE: { instead: showsSecrets },
  ...sameFor(reaches, [
    ...["MLFLOW_GATEWAY_API_BASE_ALLOW_PRIVATE_IPS", "MLFLOW_GATEWAY_API_BASE_ALLOWED_SCHEMES"],
    ...["MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS", "MLFLOW_WEBHOOK_ALLOWED_SCHEMES"],
    ...["MLFLOW_ICON_URL_ALLOW_PRIVATE_IPS", "MLFLOW_ICON_URL_ALLOWED_SCHEMES", "MLFLOW_ALLOW_HTTP_REDIRECTS"],
  ]),
  MLFLOW_S3_IGNORE_TLS: { instead: "use artifactStore.s3.ca" },
  WEB_CONCURRENCY: { instead: "use server.workers" },
  AWS_REGION: { instead: "use artifactStore.s3.region" },
  AWS_DEFAULT_REGION: { instead: "use artifactStore.s3.region" },
  AWS_ACCESS_KEY_ID: { instead: "use artifactStore.s3.credentialsSecretRef" },
  AWS_SECRET_ACCESS_KEY: { instead: "use artifactStore.s3.credentialsSecretRef" },
  AWS_CA_BUNDLE: { instead: "use artifactStore.s3.ca" },
  AWS_ENDPOINT_URL: disabled("use artifactStore.s3.endpointURL"),
  AWS_ENDPOINT_URL_S3: disabled("use artifactStore.s3.endpointURL"),
  GOOGLE_APPLICATION_CREDENTIALS: { instead: "use artifactStore.gcs.credentialsSecretRef" },
  // MLflow only checks whether they exist: even if empty, they replace all other credentials.
  AZURE_STORAGE_CONNECTION_STRING: { instead: "use artifactStore.azureBlob.connectionStringSecretRef" },
  AZURE_STORAGE_ACCESS_KEY: { instead: "use artifactStore.azureBlob.accessKeySecretRef" },
  AWS_CONFIG_FILE: disabled("a configuration file can name a program to run"),
  AWS_SHARED_CREDENTIALS_FILE: disabled("use artifactStore.s3.credentialsSecretRef"),
  // The client library only checks whether they exist: even if empty, they make it write files to the root directory.
  prometheus_multiproc_dir: { instead: "it is not supported" },
  PROMETHEUS_MULTIPROC_DIR: { instead: "it is not supported" },
  FORWARDED_ALLOW_IPS: disabled("it decides which proxies can set the client's address"),
  HOME: { instead: "the operator sets where the process writes" },
  TMPDIR: { instead: "the operator sets where the process writes" },
  PATH: { instead: loadsCode },
  GCONV_PATH: { instead: loadsCode },
  BASH_ENV: disabled(loadsCode),
  OPENSSL_CONF: disabled(loadsCode),
  ...sameFor(loadsCode, [
    ...["OPENSSL_MODULES", "OPENSSL_ENGINES", "GLIBC_TUNABLES", "LOCPATH", "NLSPATH", "GETCONF_DIR", "ENV", "BROWSER"],
    ...["ALEMBIC_CONFIG", "CONDA_EXE", "JAVA_HOME", "R_HOME", "PYENV_ROOT", "LOKY_PICKLER", "MPLBACKEND"],
    ...["MATPLOTLIBRC", "MPLCONFIGDIR", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "XDG_DATA_HOME", "XDG_DATA_DIRS"],
    ...["GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "CFFI_TMPDIR", "SHELL", "PKG_CONFIG", "COVERAGE_PROCESS_START"],
  ]),
  ...sameFor(replacesCa, [
    ...["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "WEBSOCKET_CLIENT_CA_BUNDLE"],
    "CTLOG_FILE",
  ]),
  SSLKEYLOGFILE: { instead: "it writes the keys of TLS connections to a file" },
  ...sameFor(keepsTls, ["AUTHLIB_INSECURE_TRANSPORT", "DATABRICKS_INSECURE"]),
  ...sameFor(resolves, ["HOSTALIASES", "LOCALDOMAIN", "RES_OPTIONS", "RESOLV_HOST_CONF", "NETRC"]),
  ...sameFor(movesData, ["STORAGE_EMULATOR_HOST", "SQLITE_TMPDIR"]),
  API_ENDPOINT_OVERRIDE: { instead: "use artifactStore.gcs.endpointURL" },
  ...sameFor(ofServer, ["DEBUG_METRICS", "PYTEST_CURRENT_TEST"]),
};

/** A prefix of names that are rejected, except those that are known to be safe. */
export interface ReservedPrefix {
  readonly instead: string;
  /** Names with the prefix that `server.env` can set. */
  readonly allowed?: readonly string[];
  /** Variables that the container always gets, regardless of its image. */
  readonly neutral?: Readonly<Record<string, string>>;
}

/**
 * Families of settings of the software in the image: a variable that a new version adds is rejected until it is listed as
 * allowed. Names without such a prefix are accepted unless they are reserved individually.
 */
export const reservedPrefixes: Readonly<Record<string, ReservedPrefix>> = {
  PYTHON: {
    instead: loadsCode,
    neutral: {
      ...empty("PYTHON", ["PATH", "STARTUP", "HOME", "USERBASE", "WARNINGS", "PYCACHEPREFIX"]),
      // HOME is writable, and Python loads packages from it.
      PYTHONNOUSERSITE: "1",
      PYTHONSAFEPATH: "1",
    },
  },
  LD_: { instead: loadsCode, neutral: empty("LD_", ["PRELOAD", "LIBRARY_PATH", "AUDIT"]) },
  // libpq reads each of its settings from the environment too: PGHOSTADDR even if the URI has a host.
  PG: {
    instead: movesData,
    neutral: {
      ...empty("PG", ["HOST", "HOSTADDR", "OPTIONS", "SERVICEFILE", "PASSFILE", "SSLROOTCERT", "SSLCERT", "SSLKEY"]),
      // libpq's default, since it rejects an empty value; a URI overrides it.
      PGSSLMODE: "prefer",
    },
  },
  // uvicorn reads each of its options from the environment too.
  UVICORN_: {
    instead: ofUvicorn,
    neutral: empty("UVICORN_", [
      ...["APP_DIR", "ENV_FILE", "FD", "UDS", "RELOAD", "RELOAD_DIR", "LOOP", "HTTP", "LIFESPAN", "INTERFACE"],
      ...["LOG_CONFIG", "LOG_LEVEL", "ROOT_PATH", "PROXY_HEADERS", "FORWARDED_ALLOW_IPS", "HEADER"],
      ...["SSL_KEYFILE", "SSL_CERTFILE", "SSL_CA_CERTS", "LIMIT_CONCURRENCY", "LIMIT_MAX_REQUESTS"],
    ]),
  },
  ...sameForAll(ofOidc, ["OIDC_", "CONFIG_", "SCIM_", "SAML_", "SESSION_", "EXTEND_MLFLOW_", "AUDIT_LOG_"]),
  AUTH_PROVIDERS: { instead: ofOidc },
  KUBE: { instead: "it decides which API server authorizes callers" },
  ...sameForAll("it shows internals of the server to clients", ["FLASK_", "WERKZEUG_", "FASTAPI_"]),
  GUNICORN_: { instead: ofGunicorn },
  OAUTHLIB_: { instead: keepsTls },
  ...sameForAll(loadsCode, ["BOTOCORE_", "BOTO_", "PYDANTIC_", "GIT_", "PYSPARK_", "SPARK_"]),
  ...sameForAll(ofPods, ["DOCKER_", "PIP_", "CONDA_", "KRB5"]),
  AWS_: {
    instead: "use artifactStore.s3, or serviceAccount.annotations; docs/reference.md lists the names that are allowed",
    allowed: allowedAws.map((name) => `AWS_${name}`),
  },
  MLFLOW_OPERATOR_: { instead: "only the operator sets it" },
  MLFLOW_K8S_: { instead: "use authentication.kubernetes" },
  MLFLOW_: {
    instead: `${ofServer}; docs/reference.md lists the names that are allowed`,
    allowed: allowedMlflow.map((name) => `MLFLOW_${name}`),
  },
  _MLFLOW_: {
    instead: "it is internal to MLflow",
    neutral: empty("_MLFLOW_", [
      ...["SERVER_READ_REPLICA_BACKEND_STORE", "SERVER_ARTIFACTS_ONLY", "STATIC_PREFIX"],
      ...["INTERNAL_GATEWAY_AUTH_TOKEN", "SUPPORTED_JOB_FUNCTION_LIST", "ALLOWED_JOB_NAME_LIST"],
    ]),
  },
};

function sameFor(instead: string, names: readonly string[]): Record<string, ReservedVariable> {
  return Object.fromEntries(names.map((name) => [name, { instead }]));
}

function sameForAll(instead: string, prefixes: readonly string[]): Record<string, ReservedPrefix> {
  return Object.fromEntries(prefixes.map((prefix) => [prefix, { instead }]));
}

function empty(prefix: string, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [`${prefix}${name}`, ""]));
}

/** The value that the container gets for each reserved variable that nothing else sets. */
export const neutralEnvironment: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    Object.entries(reservedVariables).flatMap(([name, { neutral }]) =>
      neutral === undefined ? [] : [[name, neutral]],
    ),
  ),
  ...Object.assign({}, ...Object.values(reservedPrefixes).map(({ neutral = {} }) => neutral)),
};

/** Whether only the operator can set a variable. */
export function isReserved(name: string): boolean {
  return insteadOf(name) !== undefined;
}

/** What to use instead of a variable that only the operator can set; undefined for others. */
export function insteadOf(name: string): string | undefined {
  if (Object.hasOwn(reservedVariables, name)) return reservedVariables[name]?.instead;
  const families = Object.entries(reservedPrefixes).filter(([prefix]) => name.startsWith(prefix));
  if (families.some(([, { allowed = [] }]) => allowed.includes(name))) return undefined;
  return families[0]?.[1].instead;
}

/** The CEL rule that rejects them, on the name itself, with a message about what to use instead. */
export function forbiddenEnvironment(): Rule {
  const prefixes = Object.entries(reservedPrefixes);
  const begins = prefixes.map(([prefix]) => prefix).join("|");
  const allowed = prefixes.flatMap(([, row]) => row.allowed ?? []);
  const reasons = Map.groupBy(Object.entries(reservedVariables), ([, { instead }]) => instead);
  const remedies = [...reasons].map(
    ([instead, rows]) => `${isOneOf(rows.map(([name]) => name))} ? ${JSON.stringify(instead)} : `,
  );
  const remediesOfPrefixes = [...Map.groupBy(prefixes, ([, { instead }]) => instead)].map(
    ([instead, rows]) =>
      `self.matches('^(${rows.map(([prefix]) => prefix).join("|")})') ? ${JSON.stringify(instead)} : `,
  );
  return {
    rule: `!${isOneOf(Object.keys(reservedVariables))} && (!self.matches('^(${begins})') || ${isOneOf(allowed)})`,
    messageExpression: `self + ' cannot be set here: ' + (${remedies.join("")}${remediesOfPrefixes.join("")}'')`,
  };
}

/** CEL: whether the value is one of the names. A regular expression in which common beginnings are written once is half as long as a list. */
function isOneOf(names: readonly string[]): string {
  return names.length === 1 ? `self == '${names[0]}'` : `self.matches('^${alternatives(names)}$')`;
}

/** A regular expression (RE2) that matches exactly the names, which have letters, digits and _ only. */
function alternatives(names: readonly string[]): string {
  const rests = Map.groupBy(new Set(names), (name) => name.slice(0, 1));
  const branches = [...rests].map(([first, group]) => {
    const rest = first === "" ? "" : alternatives(group.map((name) => name.slice(1)));
    return first + rest;
  });
  return branches.length === 1 ? `${branches[0]}` : `(${branches.join("|")})`;
}
