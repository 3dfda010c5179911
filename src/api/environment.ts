import type { Rule } from "./fields/rule.ts";

/** A variable of the MLflow container that only the operator sets. */
export interface ReservedVariable {
  /** What to use instead, or why it is closed. */
  readonly instead: string;
  /**
   * What the container gets where nothing else sets it: a value that does nothing. It stands in `env`, which wins over
   * `envFrom`, so no Secret or ConfigMap can open what is closed.
   */
  readonly neutral?: string;
}

const closed = (instead: string): ReservedVariable => ({ instead, neutral: "" });

/** Variables that `server.env` cannot set: the operator sets them, or they open a door, load code or move data. */
export const reservedVariables: Readonly<Record<string, ReservedVariable>> = {
  MLFLOW_HOST: { instead: "the operator decides the address" },
  MLFLOW_PORT: { instead: "the port is always 5000" },
  MLFLOW_WORKERS: { instead: "use server.workers" },
  MLFLOW_BACKEND_STORE_URI: { instead: "use backendStore" },
  MLFLOW_REGISTRY_STORE_URI: closed("models are kept in backendStore"),
  MLFLOW_TRACKING_URI: closed("use backendStore"),
  MLFLOW_SERVE_ARTIFACTS: { instead: "use artifactStore.access" },
  MLFLOW_ARTIFACTS_DESTINATION: closed("use artifactStore"),
  MLFLOW_DEFAULT_ARTIFACT_ROOT: closed("use artifactStore"),
  MLFLOW_ARTIFACTS_ONLY: { instead: "it is not supported", neutral: "false" },
  MLFLOW_STATIC_PREFIX: closed("it is not supported"),
  MLFLOW_UVICORN_OPTS: closed("it could bind other addresses and load code"),
  MLFLOW_GUNICORN_OPTS: closed("it could bind other addresses and load code"),
  MLFLOW_SERVER_ALLOWED_HOSTS: { instead: "use server.allowedHosts" },
  MLFLOW_SERVER_CORS_ALLOWED_ORIGINS: { instead: "use server.corsAllowedOrigins" },
  MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE: { instead: "the Host and CORS checks stay on", neutral: "false" },
  MLFLOW_SERVER_ENABLE_JOB_EXECUTION: { instead: "use server.jobExecution" },
  MLFLOW_AUTH_CONFIG_PATH: closed("use authentication.basic"),
  MLFLOW_AUTH_ADMIN_USERNAME: closed("use authentication.basic.admin"),
  MLFLOW_AUTH_ADMIN_PASSWORD: closed("use authentication.basic.admin"),
  MLFLOW_FLASK_SERVER_SECRET_KEY: { instead: "use server.sessionSecret" },
  MLFLOW_CRYPTO_KEK_PASSPHRASE: { instead: "use server.sessionSecret" },
  MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY: { instead: "use server.sessionSecret" },
  MLFLOW_LOGGING_LEVEL: { instead: "use server.logLevel" },
  HOME: { instead: "the operator decides where the process writes" },
  TMPDIR: { instead: "the operator decides where the process writes" },
  PATH: { instead: "it decides which programs are run" },
};

/** Beginnings of names that are refused for the same reasons. */
export const reservedPrefixes: Readonly<Record<string, string>> = {
  PYTHON: "it loads code or changes how Python finds it",
  LD_: "it loads code",
};

/** Variables of those prefixes that are known to load code; the container gets them empty. */
export const neutralLoaders = [
  "PYTHONPATH",
  "PYTHONSTARTUP",
  "PYTHONHOME",
  "LD_PRELOAD",
  "LD_LIBRARY_PATH",
  "LD_AUDIT",
];

/** The CEL rule that refuses them, on the name itself, and says what to use instead. */
export function forbiddenEnvironment(): Rule {
  const listed = Object.keys(reservedVariables).map((name) => `'${name}'`);
  const begins = Object.keys(reservedPrefixes).map((prefix) => `self.startsWith('${prefix}')`);
  const instead = Object.entries(reservedVariables).map(([name, row]) => `'${name}': ${JSON.stringify(row.instead)}`);
  const why = Object.entries(reservedPrefixes).map(
    ([prefix, reason]) => `self.startsWith('${prefix}') ? ${JSON.stringify(reason)} : `,
  );
  return {
    rule: `!(self in [${listed.join(", ")}]) && !(${begins.join(" || ")})`,
    messageExpression: `self + ' cannot be set here: ' + (${why.join("")}{${instead.join(", ")}}[self])`,
  };
}
