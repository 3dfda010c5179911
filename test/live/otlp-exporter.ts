import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Cluster } from "../cluster/start-cluster.ts";
import { unpackWheels } from "./python-wheels.ts";

/** What OpenTelemetry's exporter for Python says in a pod. */
export interface PythonExporter {
  /** Writes a span, with the environment that these lines of shell make; gives the id by which MLflow knows the trace, and how it ended. */
  readonly write: (lines: string) => Promise<{ readonly trace: string; readonly results: readonly string[] }>;
}

/** Brings the exporter, as PyPI has it, into a pod of MLflow's image, which has the SDK. */
export async function pythonExporter(cluster: Cluster, namespace: string, pod: string): Promise<PythonExporter> {
  const folder = "/tmp/exporter";
  await unpackWheels(cluster, "otlp-exporter.lock", { namespace, pod, folder });
  const program = await readFile(join(import.meta.dirname, "otlp-exporter.py"), "utf8");
  return {
    write: async (lines) => {
      const shell = ["sh", "-euc", `${lines}\nPYTHONPATH=${folder} exec python -W ignore -`];
      const { code, stdout, stderr } = await cluster.kubectl(
        ["exec", "-i", "-n", namespace, pod, "--", ...shell],
        program,
      );
      assert.equal(code, 0, stderr);
      return JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
    },
  };
}
