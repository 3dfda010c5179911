import { join } from "node:path";
import type { Cluster } from "../cluster/start-cluster.ts";
import { type GoModule, goPrograms } from "../control-plane/go-programs.ts";

const cluster = join(import.meta.dirname, "../cluster");

/** OpenTelemetry Collector with the components in the output of `mlflow-operator otel-config`. */
export const otelcol = {
  directory: join(cluster, "go", "otelcol"),
  packages: { otelcol: "." },
} as const satisfies GoModule;

/** Imports its image into the node and returns the reference. Builds the program the first time, which takes minutes. */
export async function collectorImage({ image }: Cluster): Promise<string> {
  const { otelcol: program = "" } = await goPrograms(otelcol, () => {});
  return image({
    reference: "localhost/otelcol:0.158.0",
    directory: join(cluster, "images", "otelcol"),
    files: { otelcol: program },
  });
}
