import { z } from "zod";
import { defaults } from "../defaults.ts";
import { environmentSource, environmentVariable } from "./environment-variable.ts";
import { hostWithPort } from "./host.ts";
import { objectName, plainText, size, url } from "./text.ts";

export type { EnvironmentSource, EnvironmentVariable } from "./environment-variable.ts";

const allowedHost = url(
  "A value of the Host header, with its port if clients send one; :* allows any port. Example: mlflow.example.com.",
  255,
  {
    rule: String.raw`self.matches('^([A-Za-z0-9._-]+|\\[[0-9A-Fa-f:.]+\\])(:([0-9]+|\\*))?$')`,
    message:
      "an allowed host is a host name or address, optionally with :port or :*: no scheme, no path, and no * for all hosts",
  },
);

const origin = url("An origin. Example: https://mlflow.example.com.", 255, {
  rule: `self.matches('^https?://${hostWithPort}$')`,
  message: "an origin is scheme, host and port only, such as https://mlflow.example.com: no path and no *",
});

/** The ranges are those of MLflow 3.17: with other values the server does not start, or they have no effect. */
const extraArgument = plainText("An argument in the form --name=value.", 128, {
  rule: "self.matches('^(--secrets-cache-ttl=([1-9][0-9]|[12][0-9][0-9]|300)|--secrets-cache-max-size=([1-9][0-9]{0,3}|10000)|--x-frame-options=(SAMEORIGIN|DENY|NONE))$')",
  message:
    "allowed are --secrets-cache-ttl=<10 to 300 seconds>, --secrets-cache-max-size=<1 to 10000 entries> and --x-frame-options=SAMEORIGIN, DENY or NONE: others have their own field or could bypass authentication",
});

/** Settings of the MLflow process. */
export const serverSettings = z
  .strictObject({
    workers: z
      .int()
      .min(1)
      .max(64)
      .meta({
        description:
          "Worker processes in each pod. Each uses up to one CPU, 256 MiB of memory, and 15 connections to each of the server's databases. Default: 1. Example: 2.",
      })
      .optional(),
    jobExecution: z
      .boolean()
      .meta({
        description:
          "Whether MLflow runs background jobs (such as scheduled scorers) in the pod, which needs about 1.5 GiB more memory. Not with replicas above 1, since each pod has its own scheduler. Default: false. Example: true.",
      })
      .optional(),
    aiGateway: z
      .enum(["Enabled", "Disabled"])
      .meta({
        description:
          "The AI gateway of MLflow: requests to model providers with API keys that are stored on the server. Disabled (default): its routes return 404. Enabled: users with permission on an endpoint call its provider through the server, which needs egress to it. Example: Enabled.",
      })
      .optional(),
    maxRequestBodySize: size(
      `Maximum size of the body of a request other than an artifact, before and after decompression; MLflow keeps it in memory. Larger requests are rejected with 413. Default: ${defaults.maxRequestBodySize}. Example: 128Mi.`,
    ).optional(),
    allowedHosts: z
      .array(allowedHost)
      .max(32)
      .meta({
        "x-kubernetes-list-type": "set",
        description:
          "Further Host headers that MLflow accepts (it rejects others, to prevent DNS rebinding). The Service's names and localhost are always allowed. Default: none. Example: [mlflow.example.com].",
      })
      .optional(),
    corsAllowedOrigins: z
      .array(origin)
      .max(32)
      .meta({
        "x-kubernetes-list-type": "set",
        description:
          "Origins of web pages that can call the API with a token. Preflight requests are answered without authentication, also through oauth2-proxy; other requests are authenticated. The pages of the server need no entry. Default: none. Example: [https://notebooks.example.com].",
      })
      .optional(),
    logLevel: z
      .enum(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"])
      .meta({ description: "Log level of MLflow. Default: INFO. Example: DEBUG." })
      .optional(),
    tls: z
      .strictObject({
        certificateSecretRef: z.strictObject({ name: objectName("Name, in this namespace.") }).meta({
          description:
            "A Secret of type kubernetes.io/tls, with the keys tls.crt and tls.key. Example: {name: mlflow-tls}.",
        }),
      })
      .meta({
        description:
          "The serving certificate of the pods: the Service then serves https only. It must be valid for the Service's names. A change, such as a renewal, rolls the pods. Default: none. Example: {certificateSecretRef: {name: mlflow-tls}}.",
      })
      .optional(),
    sessionSecretRef: z
      .strictObject({
        name: objectName("Name of a Secret with the keys flask-secret-key, kek-passphrase and webhook-key."),
      })
      .meta({
        description:
          "A Secret with your own keys instead of generated ones: flask-secret-key signs sessions, kek-passphrase encrypts stored provider " +
          "credentials, webhook-key (a Fernet key) encrypts webhook secrets. To change the last two, follow docs/rotation.md, or the encrypted data becomes unreadable. Default: generated once. Example: {name: mlflow-session}.",
      })
      .optional(),
    env: z
      .array(environmentVariable)
      .max(64)
      .meta({
        description:
          "Additional environment variables. Variables that the operator sets, and those that weaken the server, load code or move data are rejected; docs/reference.md lists them. An HTTP proxy (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY) also applies to oauth2-proxy and the init containers, and never to Services and the API server. Default: none. Example: [{name: HTTPS_PROXY, value: http://proxy.example.com:3128}].",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
      })
      .optional(),
    envFrom: z
      .array(environmentSource)
      .max(16)
      .meta({
        "x-kubernetes-list-type": "atomic",
        description:
          "Additional environment variables from all keys of Secrets and ConfigMaps. A change of an object rolls the pods. Keys that are not valid names of variables are ignored; env overrides envFrom, and a later source an earlier one. Default: none. Example: [{secretRef: {name: gateway-keys}}].",
      })
      .optional(),
    extraArgs: z
      .array(extraArgument)
      .max(8)
      .meta({
        "x-kubernetes-list-type": "atomic",
        description:
          "Further arguments of `mlflow server`, from an allow list. Default: none. Example: [--secrets-cache-ttl=120].",
      })
      .optional(),
  })
  .meta({ description: "Settings of the MLflow process. Example: {workers: 4}." });

export type ServerSettings = z.infer<typeof serverSettings>;
