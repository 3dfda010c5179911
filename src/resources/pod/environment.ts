import type { V1EnvVar } from "@kubernetes/client-node";
import { neutralEnvironment } from "../../api/environment.ts";
import type { ServerModel } from "../../features/server-model.ts";
import { fromSecret, ifInSecret, literal } from "../../kube/variable.ts";
import { dataKeys, port } from "../../model/names.ts";
import { programsPath } from "./program.ts";
import { temporaryVariables, tlsPath } from "./volumes.ts";

/**
 * The environment of the MLflow container. Everything that decides who is allowed access, where data goes or what code is
 * loaded is set explicitly, if only to be empty, so that variables of the image change none of it.
 */
export function environment(model: ServerModel): V1EnvVar[] {
  const { process, proxy, session } = model;
  const own = [
    // Behind oauth2-proxy only the containers of the pod can reach MLflow.
    // mlflow_operator.start replaces 0.0.0.0, which stands for all addresses, by those of both IP families.
    literal("MLFLOW_HOST", proxy === undefined ? "0.0.0.0" : "127.0.0.1"),
    literal("MLFLOW_PORT", String(port)),
    // Trusts X-Forwarded-For of oauth2-proxy only, which runs in the same pod and always adds the client's address. Otherwise
    // MLflow would treat all clients as local, and allow them to run programs on the server with the Assistant.
    ...(proxy === undefined ? [] : [literal("FORWARDED_ALLOW_IPS", "127.0.0.1")]),
    literal("MLFLOW_WORKERS", String(process.workers)),
    literal("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", String(process.hasJobExecution)),
    literal("MLFLOW_ENABLE_AI_GATEWAY", String(process.hasAiGateway)),
    literal("MLFLOW_LOGGING_LEVEL", process.logLevel),
    ...temporaryVariables,
    backendStoreUri(model),
    ...(model.database.replicaUri === undefined
      ? []
      : [fromSecret("MLFLOW_READ_REPLICA_BACKEND_STORE_URI", model.names.store, dataKeys.readReplicaUri)]),
    ...model.artifacts.variables,
    ...hosts(model),
    fromSecret("MLFLOW_FLASK_SERVER_SECRET_KEY", session.secret, dataKeys.flaskSecretKey),
    ...encryptionKeys(model),
    ifInSecret("MLFLOW_OPERATOR_ACCEPTED_SESSION_KEY", session.secret, dataKeys.acceptedFlaskSecretKey),
    ...model.authentication.env,
    literal("PYTHONPATH", programsPath),
    uvicornOptions(model),
  ];
  return [...own, ...neutral(own), ...process.variables];
}

/**
 * Returns the keys with which MLflow encrypts in its database, and those that it accepts during a rotation. Optional ones are in every
 * pod template, so that a container that restarts during a rotation has the keys of the other pods.
 */
export function encryptionKeys({ session: { secret, keys } }: ServerModel): V1EnvVar[] {
  return [
    fromSecret("MLFLOW_CRYPTO_KEK_PASSPHRASE", secret, dataKeys.kekPassphrase),
    // Otherwise it is 1.
    ...(keys.kekVersion === undefined ? [] : [fromSecret("MLFLOW_CRYPTO_KEK_VERSION", secret, dataKeys.kekVersion)]),
    fromSecret("MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY", secret, dataKeys.webhookKey),
    ifInSecret("MLFLOW_OPERATOR_ACCEPTED_KEK_PASSPHRASE", secret, dataKeys.acceptedKekPassphrase),
    ifInSecret("MLFLOW_OPERATOR_ACCEPTED_KEK_VERSION", secret, dataKeys.acceptedKekVersion),
    ifInSecret("MLFLOW_OPERATOR_ACCEPTED_WEBHOOK_KEY", secret, dataKeys.acceptedWebhookKey),
  ];
}

/** Returns the variables for access to artifacts, for the check before MLflow starts. */
export function artifactEnvironment({ artifacts, process }: ServerModel): V1EnvVar[] {
  const own = [...temporaryVariables, ...artifacts.variables];
  return [...own, ...neutral(own), ...process.variables];
}

/** Returns the variables for access to artifacts and the tracking database. */
export function storesEnvironment(model: ServerModel): V1EnvVar[] {
  const { artifacts, process } = model;
  const own = [...temporaryVariables, backendStoreUri(model), ...artifacts.variables];
  return [...own, ...neutral(own), ...process.variables];
}

/** Returns the variable with the URI of the tracking database. */
export function backendStoreUri({ database, names }: ServerModel): V1EnvVar {
  return database.uriVariable("MLFLOW_BACKEND_STORE_URI", { name: names.store, key: dataKeys.backendStoreUri });
}

/**
 * Returns the allowed Host headers and origins. They replace MLflow's defaults, which include all private addresses. MLflow
 * compares hosts exactly, including the port, so each name is listed also with `:*`.
 */
function hosts({ addresses, authentication, process, proxy }: ServerModel): V1EnvVar[] {
  const { origin } = authentication;
  const outside = addresses.origins;
  // The pages that browsers load through the proxy, which can send write requests.
  const ofProxy = URL.parse(proxy?.redirectURL ?? "")?.origin;
  const origins = new Set([
    ...(origin === undefined ? [] : [origin]),
    ...outside.map((each) => each.origin),
    ...(ofProxy === undefined ? [] : [ofProxy]),
    ...process.corsOrigins,
  ]);
  return [
    literal(
      "MLFLOW_SERVER_ALLOWED_HOSTS",
      [
        ...addresses.serviceHosts.flatMap((name) => [name, hostPattern(`${name}:*`)]),
        ...(origin === undefined ? [] : [URL.parse(origin)?.host ?? origin]),
        ...outside.filter((each) => each.origin !== origin).map(({ host }) => host),
        ...process.allowedHosts.map(hostPattern),
      ].join(","),
    ),
    literal("MLFLOW_SERVER_CORS_ALLOWED_ORIGINS", [...origins].join(",")),
  ];
}

/**
 * The keep-alive timeout of uvicorn in seconds. oauth2-proxy keeps idle connections for 90 s (Go's http.DefaultTransport), most
 * gateways for 60 s. The client side must close first, or a request can hit a connection that is being closed, and requests that
 * write are not retried (502). uvicorn's default is 5 s, which affects clients that log every five seconds.
 */
export const keepAliveSeconds = 120;

/**
 * The maximum size of request line and headers in bytes. uvicorn's default is 16 KiB, which the session of a user with many groups
 * exceeds: its cookies, and behind oauth2-proxy also the ID token and the groups. Such a request gets 400 ("Invalid HTTP
 * request received.") if it arrives in several segments. Envoy, with the highest limit of common gateways, accepts 60 KiB.
 */
export const maxHeaderBytes = 131_072;

function uvicornOptions({ certificateSecret, proxy }: ServerModel): V1EnvVar {
  const limits = `--timeout-keep-alive ${keepAliveSeconds} --h11-max-incomplete-event-size ${maxHeaderBytes}`;
  const isPlain = certificateSecret === undefined || proxy !== undefined;
  const files = `--ssl-certfile ${tlsPath}/${dataKeys.certificate} --ssl-keyfile ${tlsPath}/${dataKeys.privateKey}`;
  return literal("MLFLOW_UVICORN_OPTS", isPlain ? limits : `${limits} ${files}`);
}

/** Returns an allowed host as MLflow compares it: with * as a shell pattern, in which a bracket begins a list of characters. */
function hostPattern(host: string): string {
  return host.includes("*") ? host.replace("[", "[[]") : host;
}

/** Returns neutral values for the reserved variables that are not set. */
export function neutral(own: readonly V1EnvVar[]): V1EnvVar[] {
  const named = new Set(own.map((variable) => variable.name));
  return Object.entries(neutralEnvironment)
    .filter(([name]) => !named.has(name))
    .map(([name, value]) => literal(name, value));
}
