import { z } from "zod";
import { defaults } from "../defaults.ts";
import { environmentSource, environmentVariable } from "./environment-variable.ts";
import { objectName, size, text } from "./text.ts";
import { hostWithPort } from "./url-host.ts";

export type { EnvironmentSource, EnvironmentVariable } from "./environment-variable.ts";

const allowedHost = text(
  "A host, exactly as clients send it, with its port where they name one; :* for any port. Example: mlflow.example.com.",
  255,
  {
    rule: String.raw`self.matches('^([A-Za-z0-9._-]+|\\[[0-9A-Fa-f:.]+\\])(:([0-9]+|\\*))?$')`,
    message:
      "an allowed host is a host name or address, with :port or :* where needed: no scheme, no path, and no * for all hosts",
  },
);

const origin = text("An origin. Example: https://mlflow.example.com.", 255, {
  rule: `self.matches('^https?://${hostWithPort}$')`,
  message: "an origin is scheme, host and port only, such as https://mlflow.example.com: no path and no *",
});

/** The ranges are those of MLflow 3.17; other values would keep the server from starting or be pointless. */
const extraArgument = text("An argument in the form --name=value.", 128, {
  rule: "self.matches('^(--secrets-cache-ttl=([1-9][0-9]|[12][0-9][0-9]|300)|--secrets-cache-max-size=([1-9][0-9]{0,3}|10000)|--x-frame-options=(SAMEORIGIN|DENY|NONE))$')",
  message:
    "allowed are --secrets-cache-ttl=<10 to 300 seconds>, --secrets-cache-max-size=<1 to 10000 entries> and --x-frame-options=SAMEORIGIN, DENY or NONE: all else has a field of its own or would open a door",
});

/** Settings of the MLflow process. */
export const serverSettings = z
  .strictObject({
    workers: z
      .int()
      .min(1)
      .max(64)
      .meta({ description: "Worker processes in each pod; each takes some 0.3 GiB. Default: 1." })
      .optional(),
    jobExecution: z
      .boolean()
      .meta({
        description:
          "Whether MLflow runs background jobs (such as scheduled scorers) in the pod, which takes about 1.5 GiB more. Not with replicas above 1, since each pod has a scheduler of its own. Default: false. Example: true.",
      })
      .optional(),
    aiGateway: z
      .enum(["Enabled", "Disabled"])
      .meta({
        description:
          "The AI gateway of MLflow: requests to model providers with keys that are stored on the server. Disabled (default): its routes answer 404. Enabled: whoever may use an endpoint calls its provider through the server, which needs egress to it. Example: Enabled.",
      })
      .optional(),
    maxRequestBodySize: size(
      `Largest body of a request, compressed or not, that is not an artifact; MLflow holds it in memory. Larger ones get 413. Default: ${defaults.maxRequestBodySize}. Example: 128Mi.`,
    ).optional(),
    allowedHosts: z
      .array(allowedHost)
      .max(32)
      .meta({
        "x-kubernetes-list-type": "set",
        description:
          "Further Host headers that MLflow answers to (it refuses others, against DNS rebinding). The Service's names and localhost are always allowed.",
      })
      .optional(),
    corsAllowedOrigins: z
      .array(origin)
      .max(32)
      .meta({
        "x-kubernetes-list-type": "set",
        description:
          "Origins of web pages that may call the API with a token. Their preflights are answered without authentication, also behind the proxy; their requests are authenticated as all others. The server's own pages need no entry. Default: none. Example: https://notebooks.example.com.",
      })
      .optional(),
    logLevel: z
      .enum(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"])
      .meta({ description: "Log level of MLflow. Default: INFO." })
      .optional(),
    tls: z
      .strictObject({
        certificateSecretRef: z
          .strictObject({ name: objectName("Name of a Secret in the namespace of the MlflowServer.") })
          .meta({
            description:
              "A Secret of type kubernetes.io/tls, with the keys tls.crt and tls.key. Example: {name: mlflow-tls}.",
          }),
      })
      .meta({
        description:
          "The certificate that pods present: with it the Service speaks https and nothing else. It must be for the Service's names. A change, such as a renewal, rolls the pods.",
      })
      .optional(),
    sessionSecretRef: z
      .strictObject({
        name: objectName("Name of a Secret with the keys flask-secret-key, kek-passphrase and webhook-key."),
      })
      .meta({
        description:
          "Keys of your own instead of generated ones: flask-secret-key signs sessions, kek-passphrase encrypts stored provider " +
          "credentials, webhook-key (a Fernet key) encrypts webhook secrets. Whoever changes the last two loses what they encrypted.",
      })
      .optional(),
    env: z
      .array(environmentVariable)
      .max(64)
      .meta({
        description:
          "Additional environment variables. Rejected are those that the operator sets, and those that weaken the server, load code or move data; docs/reference.md lists them. HTTPS_PROXY and its like also apply to oauth2-proxy and to the checks before it, and NO_PROXY is completed with the names of the cluster. Default: none. Example: [{name: HTTPS_PROXY, value: http://proxy.example.com:3128}].",
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
          "Additional environment variables from all keys of Secrets and ConfigMaps, written into the pods key by key, so that a change of the object counts only when the pods are rolled for it. Keys that are no names of variables are left out, env wins over it, and a later source over an earlier one. Default: none. Example: [{secretRef: {name: gateway-keys}}].",
      })
      .optional(),
    extraArgs: z
      .array(extraArgument)
      .max(8)
      .meta({
        "x-kubernetes-list-type": "atomic",
        description: "Further arguments of `mlflow server`, from an allow-list. Example: --secrets-cache-ttl=120.",
      })
      .optional(),
  })
  .meta({ description: "Settings of the MLflow process." });

export type ServerSettings = z.infer<typeof serverSettings>;
