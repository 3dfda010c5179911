import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Cluster } from "../cluster/start-cluster.ts";
import { unpackWheels } from "./python-wheels.ts";

/** OpenTelemetry's exporter for Python in a pod. */
export interface PythonExporter {
  /** Writes a span, with the environment of these shell commands; returns MLflow's trace id, and the results. */
  readonly write: (lines: string) => Promise<{ readonly trace: string; readonly results: readonly string[] }>;
}

/** Installs the exporter from PyPI in a pod of MLflow's image, which contains the SDK. */
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
