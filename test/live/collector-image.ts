import { join } from "node:path";
import type { Cluster } from "../cluster/start-cluster.ts";
import { type GoModule, goPrograms } from "../control-plane/go-programs.ts";

const cluster = join(import.meta.dirname, "../cluster");

/** OpenTelemetry Collector with the components that `mlflow-operator otel-config` names. */
export const otelcol = {
  directory: join(cluster, "go", "otelcol"),
  packages: { otelcol: "." },
} as const satisfies GoModule;

/** The reference of its image, which the node then has. The first time the program is built, some minutes. */
export async function collectorImage({ image }: Cluster): Promise<string> {
  const { otelcol: program = "" } = await goPrograms(otelcol, () => {});
  return image({
    reference: "localhost/otelcol:0.158.0",
    directory: join(cluster, "images", "otelcol"),
    files: { otelcol: program },
  });
}
