import { caFileVolume, keyFiles, type Mounted } from "../features/common/mounted-volume.ts";
import { hasListener } from "../model/mesh.ts";
import { listenerUrl, serviceUrl } from "../model/names.ts";
import type { Collector } from "./collector.ts";

/** Keys of the Secret with the credential; the files have the same names. */
export const credentialKeys = {
  Password: ["username", "password"],
  ClientCredentials: ["client-id", "client-secret"],
} as const;

export const credentialPath = "/etc/otelcol/credential";

/** The files of a collector. Secrets are in files, which it watches, and not in its configuration. */
export const collectorFiles = {
  config: "/etc/otelcol/config/config.yaml",
  username: `${credentialPath}/username`,
  password: `${credentialPath}/password`,
  clientId: `${credentialPath}/client-id`,
  clientSecret: `${credentialPath}/client-secret`,
  token: "/var/run/secrets/mlflow/token",
  serverCa: "/etc/otelcol/ca/server/ca.crt",
  issuerCa: "/etc/otelcol/ca/issuer/ca.crt",
} as const;

/** The volumes with these files. */
export function collectorMounts(collector: Collector): Mounted[] {
  const { name, credential, serverCa } = collector;
  const config = caFileVolume("config", { configMapRef: { name, key: "config.yaml" } }, collectorFiles.config);
  return [
    config,
    ...credentialFiles(collector),
    ...(serverCa === undefined
      ? []
      : [caFileVolume("ca-server", { configMapRef: { name: serverCa } }, collectorFiles.serverCa)]),
    ...(credential.kind === "ClientCredentials" && credential.ca !== undefined
      ? [caFileVolume("ca-issuer", credential.ca, collectorFiles.issuerCa)]
      : []),
  ];
}

function credentialFiles({ credential, secretName }: Collector): Mounted[] {
  switch (credential.kind) {
    case "None":
      return [];
    case "Password":
    case "ClientCredentials": {
      const files = Object.fromEntries(credentialKeys[credential.kind].map((key) => [key, key]));
      return [keyFiles("credential", secretName, credentialPath, files)];
    }
    case "ServiceAccountToken":
      return [projectedToken(credential.audience)];
  }
}

/** The kubelet renews the token before it expires, and the collector reads it again. */
function projectedToken(audience: string | undefined): Mounted {
  const [directory, path] = ["/var/run/secrets/mlflow", "token"];
  const serviceAccountToken = { path, expirationSeconds: 3600, ...(audience !== undefined && { audience }) };
  return {
    volume: { name: "token", projected: { defaultMode: 0o440, sources: [{ serviceAccountToken }] } },
    mounts: [{ name: "token", mountPath: directory, readOnly: true }],
  };
}

/** Ports of a collector: OTLP over gRPC and HTTP, and health. */
export const collectorPorts = { grpc: 4317, http: 4318, health: 13_133 } as const;

type Settings = Readonly<Record<string, unknown>>;

/** The configuration of an OpenTelemetry Collector that receives OTLP and sends traces to the server. */
export function collectorConfig(collector: Collector): Settings {
  const { experiment, workspace } = collector;
  const authenticator = authenticatorOf(collector);
  const exporter = {
    traces_endpoint: tracesEndpoint(collector),
    headers: {
      "x-mlflow-experiment-id": experiment,
      ...(workspace !== undefined && { "x-mlflow-workspace": workspace }),
    },
    ...(authenticator && { auth: { authenticator: authenticator.name } }),
    ...trusting(collector.serverCa && collectorFiles.serverCa),
  };
  return {
    extensions: {
      health_check: { endpoint: anyAddress(collectorPorts.health) },
      ...(authenticator && { [authenticator.name]: authenticator.settings }),
    },
    receivers: {
      otlp: {
        protocols: {
          grpc: { endpoint: anyAddress(collectorPorts.grpc) },
          http: { endpoint: anyAddress(collectorPorts.http) },
        },
      },
    },
    processors: {
      // First in the pipeline: it rejects data before the container runs out of memory.
      memory_limiter: { check_interval: "1s", limit_percentage: 80, spike_limit_percentage: 25 },
      batch: {},
    },
    exporters: { "otlp_http/mlflow": exporter },
    service: {
      extensions: ["health_check", ...(authenticator ? [authenticator.name] : [])],
      pipelines: {
        traces: { receivers: ["otlp"], processors: ["memory_limiter", "batch"], exporters: ["otlp_http/mlflow"] },
      },
    },
  };
}

/** The URL in the cluster, without the prefix of `exposure.externalURL`. */
function tracesEndpoint({ server }: Collector): string {
  if (hasListener(server)) return listenerUrl(server);
  return `${serviceUrl(server)}/v1/traces`;
}

/** The extension that adds the credential to each request. */
function authenticatorOf(collector: Collector): { readonly name: string; readonly settings: Settings } | undefined {
  const { credential, tokenUrl = "", scopes } = collector;
  switch (credential.kind) {
    case "None":
      return undefined;
    case "Password": {
      const { username: username_file, password: password_file } = collectorFiles;
      return { name: "basicauth/mlflow", settings: { client_auth: { username_file, password_file } } };
    }
    case "ClientCredentials":
      return {
        name: "oauth2client/mlflow",
        settings: {
          token_url: unexpanded(tokenUrl),
          client_id_file: collectorFiles.clientId,
          client_secret_file: collectorFiles.clientSecret,
          ...(scopes.length > 0 && { scopes: scopes.map(unexpanded) }),
          timeout: "10s",
          ...trusting(credential.ca && collectorFiles.issuerCa),
        },
      };
    case "ServiceAccountToken":
      return { name: "bearertokenauth/mlflow", settings: { filename: collectorFiles.token } };
  }
}

/** A CA certificate is trusted in addition to the public CAs. */
function trusting(ca_file: string | undefined): Settings {
  return ca_file === undefined ? {} : { tls: { ca_file, include_system_ca_certs_pool: true } };
}

/** All addresses of both IP families. */
function anyAddress(port: number): string {
  return `:${port}`;
}

/** The text with `$` escaped, since the collector expands `${NAME}`. */
function unexpanded(text: string): string {
  return text.replaceAll("$", "$$$$");
}
