import type { V1EnvVar } from "@kubernetes/client-node";

import { neutralEnvironment } from "../../api/environment.ts";
import { artifactVariables } from "../../features/artifacts/index.ts";
import { fromSecret, literal } from "../../features/common/variable.ts";
import { backendDatabase } from "../../features/database/index.ts";
import { originsOf } from "../../model/exposure.ts";
import type { Inputs } from "../../model/inputs.ts";
import { dataKeys, objectNames, port } from "../../model/names.ts";
import { isProxied } from "../../model/serving-port.ts";
import { authenticationOf } from "../authentication/index.ts";
import { browserOrigin } from "../proxy/arguments.ts";
import { programsPath } from "./program.ts";
import { userEnvironment } from "./user-environment.ts";
import { temporaryPath, tlsPath } from "./volumes.ts";

/**
 * The environment of the MLflow container. Everything that decides who is allowed access, where data goes or what code is
 * loaded is set explicitly, if only to be empty, so that an image with variables of its own changes none of it.
 */
export function environment(inputs: Inputs): V1EnvVar[] {
  const own = [
    // Behind oauth2-proxy only the containers of the pod can reach MLflow.
    literal("MLFLOW_HOST", isProxied(inputs.server.spec) ? "127.0.0.1" : "0.0.0.0"),
    literal("MLFLOW_PORT", String(port)),
    ...callerAddress(inputs),
    ...processSettings(inputs),
    backendStoreUri(inputs),
    ...readReplicaUri(inputs),
    ...artifactVariables(inputs.server.spec),
    ...hosts(inputs),
    ...sessionKeys(inputs),
    ...authenticationOf(inputs).env,
    literal("PYTHONPATH", programsPath),
    uvicornOptions(inputs),
  ];
  return [...own, ...neutral(own), ...userEnvironment(inputs)];
}

/** Returns the variables for access to artifacts, for the check before MLflow starts. */
export function artifactEnvironment(inputs: Inputs): V1EnvVar[] {
  const own = [
    literal("HOME", temporaryPath),
    literal("TMPDIR", temporaryPath),
    ...artifactVariables(inputs.server.spec),
  ];
  return [...own, ...neutral(own), ...userEnvironment(inputs)];
}

/** Returns the variable with the URI of the tracking database. */
export function backendStoreUri({ server }: Inputs): V1EnvVar {
  const generated = { name: objectNames.store(server.metadata.name), key: dataKeys.backendStoreUri };
  return backendDatabase(server.spec).uriVariable("MLFLOW_BACKEND_STORE_URI", generated);
}

function readReplicaUri({ server }: Inputs): V1EnvVar[] {
  if (backendDatabase(server.spec).replicaUri === undefined) return [];
  const secretName = objectNames.store(server.metadata.name);
  return [fromSecret("MLFLOW_READ_REPLICA_BACKEND_STORE_URI", secretName, dataKeys.readReplicaUri)];
}

/**
 * Trusts X-Forwarded-For of oauth2-proxy only, which runs in the same pod and always adds the client's address. Otherwise
 * MLflow would treat all clients as local, and allow them to run programs on the server with the Assistant.
 */
function callerAddress({ server }: Inputs): V1EnvVar[] {
  return isProxied(server.spec) ? [literal("FORWARDED_ALLOW_IPS", "127.0.0.1")] : [];
}

function processSettings({ server }: Inputs): V1EnvVar[] {
  const settings = server.spec.server;
  return [
    literal("MLFLOW_WORKERS", String(settings?.workers ?? 1)),
    literal("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", String(settings?.jobExecution ?? false)),
    literal("MLFLOW_ENABLE_AI_GATEWAY", String(settings?.aiGateway === "Enabled")),
    literal("MLFLOW_LOGGING_LEVEL", settings?.logLevel ?? "INFO"),
    literal("HOME", temporaryPath),
    literal("TMPDIR", temporaryPath),
  ];
}

/**
 * Returns the allowed Host headers and origins. They replace MLflow's defaults, which include all private addresses. MLflow
 * compares hosts exactly, including the port, so each name is listed also with `:*`.
 */
function hosts(inputs: Inputs): V1EnvVar[] {
  const { server, installation } = inputs;
  const { origin } = authenticationOf(inputs);
  const service = objectNames.service(server.metadata.name);
  const namespace = server.metadata.namespace ?? "default";
  const names = [
    "localhost",
    "127.0.0.1",
    service,
    `${service}.${namespace}`,
    `${service}.${namespace}.svc`,
    `${service}.${namespace}.svc.${installation.clusterDomain}`,
  ];
  const { allowedHosts = [], corsAllowedOrigins = [] } = server.spec.server ?? {};
  const outside = originsOf(server);
  const origins = new Set([
    ...(origin === undefined ? [] : [origin]),
    ...outside.map((each) => each.origin),
    ...browserOrigin(inputs),
    ...corsAllowedOrigins,
  ]);
  return [
    literal(
      "MLFLOW_SERVER_ALLOWED_HOSTS",
      [
        ...names.flatMap((name) => [name, `${name}:*`]),
        ...(origin === undefined ? [] : [URL.parse(origin)?.host ?? origin]),
        ...outside.filter((each) => each.origin !== origin).map(({ host }) => host),
        ...allowedHosts,
      ].join(","),
    ),
    literal("MLFLOW_SERVER_CORS_ALLOWED_ORIGINS", [...origins].join(",")),
  ];
}

function sessionKeys({ server }: Inputs): V1EnvVar[] {
  const secretName = server.spec.server?.sessionSecretRef?.name ?? objectNames.session(server.metadata.name);
  return [
    fromSecret("MLFLOW_FLASK_SERVER_SECRET_KEY", secretName, dataKeys.flaskSecretKey),
    fromSecret("MLFLOW_CRYPTO_KEK_PASSPHRASE", secretName, dataKeys.kekPassphrase),
    fromSecret("MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY", secretName, dataKeys.webhookKey),
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

function uvicornOptions({ server }: Inputs): V1EnvVar {
  const limits = `--timeout-keep-alive ${keepAliveSeconds} --h11-max-incomplete-event-size ${maxHeaderBytes}`;
  const isPlain = server.spec.server?.tls === undefined || isProxied(server.spec);
  const files = `--ssl-certfile ${tlsPath}/${dataKeys.certificate} --ssl-keyfile ${tlsPath}/${dataKeys.privateKey}`;
  return literal("MLFLOW_UVICORN_OPTS", isPlain ? limits : `${limits} ${files}`);
}

/** Returns neutral values for the reserved variables that are not set. */
export function neutral(own: readonly V1EnvVar[]): V1EnvVar[] {
  const named = new Set(own.map((variable) => variable.name));
  return Object.entries(neutralEnvironment)
    .filter(([name]) => !named.has(name))
    .map(([name, value]) => literal(name, value));
}
