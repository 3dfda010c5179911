import { hasListener } from "../resources/mesh/steps.ts";
import { listenerUrl, serviceUrl } from "../resources/names.ts";
import type { Collector } from "./collector.ts";
import { collectorFiles } from "./collector-files.ts";

/** Ports of a collector: OTLP by gRPC and by HTTP, and its health. */
export const collectorPorts = { grpc: 4317, http: 4318, health: 13_133 } as const;

type Settings = Readonly<Record<string, unknown>>;

/** The configuration of an OpenTelemetry Collector that takes OTLP and sends it to the server's intake of traces. */
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
    ...trusting(collector.serverAuthority && collectorFiles.serverAuthority),
  };
  return {
    extensions: {
      health_check: { endpoint: everywhere(collectorPorts.health) },
      ...(authenticator && { [authenticator.name]: authenticator.settings }),
    },
    receivers: {
      otlp: {
        protocols: {
          grpc: { endpoint: everywhere(collectorPorts.grpc) },
          http: { endpoint: everywhere(collectorPorts.http) },
        },
      },
    },
    processors: {
      // Before all else: it refuses what would cost the pod its life.
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

/** Clients in the cluster leave out the prefix of `exposure.externalURL`. */
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
          ...trusting(credential.ca && collectorFiles.issuerAuthority),
        },
      };
    case "ServiceAccountToken":
      return { name: "bearertokenauth/mlflow", settings: { filename: collectorFiles.token } };
  }
}

/** Without an authority of its own it believes the public ones; with one, these as well. */
function trusting(ca_file: string | undefined): Settings {
  return ca_file === undefined ? {} : { tls: { ca_file, include_system_ca_certs_pool: true } };
}

function everywhere(port: number): string {
  return `0.0.0.0:${port}`;
}

/** The collector expands `${NAME}`. */
function unexpanded(text: string): string {
  return text.replaceAll("$", "$$$$");
}
