import type { Collector } from "./collector.ts";
import { collectorConfig } from "./collector-config.ts";
import { collectorManifests } from "./collector-manifests.ts";
import { collectorNotes, configurationNotes } from "./collector-notes.ts";
import { type CollectorOptions, checkCollectorOptions } from "./collector-options.ts";
import type { CommandContext } from "./context.ts";
import { yamlOf } from "./output.ts";
import { collectorOf } from "./selected-collector.ts";
import { selectedServer } from "./selected-server.ts";

/** The command `otel-config`. Only YAML is printed to stdout. */
export async function otelConfig(
  options: CollectorOptions,
  name: string | undefined,
  context: CommandContext,
): Promise<number> {
  checkCollectorOptions(options);
  const server = await selectedServer(name, options, context);
  if (server === undefined) return 1;
  const collector = collectorOf(server, options);
  const { writers } = server.spec.traces ?? {};
  const isWriter = (each: { readonly namespace: string; readonly serviceAccount: string }) =>
    each.namespace === collector.namespace && each.serviceAccount === collector.name;
  if (writers?.some(isWriter) === false)
    context.streams.stderr(
      `MlflowServer/${server.metadata.name} accepts traces from spec.traces.writers only, so it rejects this collector: add {namespace: ${collector.namespace}, serviceAccount: ${collector.name}}`,
    );
  context.streams.stdout(options.manifests ? manifestsText(collector) : configurationText(collector));
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
