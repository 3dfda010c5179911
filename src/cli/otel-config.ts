import { messageOf } from "../kube/message-of.ts";
import { chosenCollector } from "./chosen-collector.ts";
import { chosenServer } from "./chosen-server.ts";
import type { Collector } from "./collector.ts";
import { type CollectorChoices, collectorChoices } from "./collector-choices.ts";
import { collectorConfig } from "./collector-config.ts";
import { collectorManifests, yamlOf } from "./collector-manifests.ts";
import { collectorNotes, configurationNotes } from "./collector-notes.ts";
import type { Streams } from "./streams.ts";

export const otelConfigHelp = `mlflow-operator otel-config <server> -n <namespace> --kubeconfig <path> --experiment <id> [options]
mlflow-operator otel-config [<server>] -f <file> [-n <namespace>] --experiment <id> [options]

Prints a configuration of the OpenTelemetry Collector that takes OTLP and sends traces to /v1/traces of an MlflowServer, by the way in that
its spec has: a user name and a password (basic, ldap), client credentials of the issuer (oidc, the proxy), or the token of a
ServiceAccount (kubernetes). What is secret is read from files, and not printed. The server is read from a cluster, with your own
credentials, or from a file (- is standard input).

  --experiment <id>               the experiment that the traces go to
  --manifests                     print all that runs it: ServiceAccount, ConfigMap, RoleBinding, NetworkPolicy, Deployment, Service
  --collector <namespace>/<name>  where it runs, and its name, which is that of its ServiceAccount; by default the first of
                                  spec.traces.writers, else otel-collector in the server's namespace
  --secret <name>                 the Secret with its credential; by default <name of the collector>-mlflow
  --workspace <namespace>         the workspace of the experiment; by default spec.workspaces.default
  --token-url <url>               where the issuer gives tokens, for client credentials
  --scope <scope>                 what is asked of the issuer; may be repeated
  --user <name>                   whom Kubernetes takes the collector for by a token of the issuer, for the RoleBinding
  --server-ca <name>              a ConfigMap (key ca.crt) with the authority of the server's certificate, besides the public ones
  --image <image>                 by default otel/opentelemetry-collector-contrib:0.158.0
  --cluster-domain <domain>       by default cluster.local`;

/** The command `otel-config`. Only YAML goes to stdout. Returns the exit code: 1 where something is wrong with the server, 2 for wrong usage. */
export async function otelConfig(args: readonly string[], streams: Streams, version: string): Promise<number> {
  let choices: CollectorChoices | "help";
  try {
    choices = collectorChoices(args);
  } catch (error) {
    streams.stderr(`mlflow-operator otel-config: ${messageOf(error)}\n\n${otelConfigHelp}`);
    return 2;
  }
  if (choices === "help") {
    streams.stdout(`${otelConfigHelp}\n`);
    return 0;
  }
  let collector: Collector;
  try {
    const server = await chosenServer(choices, streams, version);
    if (server === undefined) return 1;
    collector = chosenCollector(server, choices);
  } catch (error) {
    streams.stderr(`mlflow-operator otel-config: ${messageOf(error)}`);
    return 1;
  }
  const { server, namespace, name } = collector;
  const { writers } = server.spec.traces ?? {};
  if (writers?.some((each) => each.namespace === namespace && each.serviceAccount === name) === false)
    streams.stderr(
      `MlflowServer/${server.metadata.name} lets nobody write traces but spec.traces.writers: add {namespace: ${namespace}, serviceAccount: ${name}}`,
    );
  streams.stdout(choices.manifests ? manifestsText(collector) : configurationText(collector));
  return 0;
}

function configurationText(collector: Collector): string {
  return (
    commented([...collectorNotes(collector), ...configurationNotes(collector)]) + yamlOf(collectorConfig(collector))
  );
}

function manifestsText(collector: Collector): string {
  const documents = collectorManifests(collector).map((manifest) => `---\n${yamlOf(manifest)}`);
  return commented(collectorNotes(collector)) + documents.join("");
}

function commented(lines: readonly string[]): string {
  return lines.map((line) => `# ${line}\n`).join("");
}
