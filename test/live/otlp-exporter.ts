import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Cluster } from "../cluster/start-cluster.ts";
import { succeeded } from "../control-plane/completed.ts";

const lock = join(import.meta.dirname, "otlp-exporter.lock");

const unpack = `
import base64, io, json, sys, zipfile
for wheel in json.load(sys.stdin):
    zipfile.ZipFile(io.BytesIO(base64.b64decode(wheel))).extractall("/tmp/exporter")
`;

/** What OpenTelemetry's exporter for Python says in a pod. */
export interface PythonExporter {
  /** Writes a span, with the environment that these lines of shell make; gives the id by which MLflow knows the trace, and how it ended. */
  readonly write: (lines: string) => Promise<{ readonly trace: string; readonly results: readonly string[] }>;
}

/** Brings the exporter, as PyPI has it, into a pod of MLflow's image, which has the SDK. */
export async function pythonExporter(cluster: Cluster, namespace: string, pod: string): Promise<PythonExporter> {
  const exec = ["exec", "-i", "-n", namespace, pod, "--"];
  const unpacked = await cluster.kubectl([...exec, "python", "-c", unpack], JSON.stringify(await wheels()));
  assert.equal(unpacked.code, 0, unpacked.stderr);
  const program = await readFile(join(import.meta.dirname, "otlp-exporter.py"), "utf8");
  return {
    write: async (lines) => {
      const shell = ["sh", "-euc", `${lines}\nPYTHONPATH=/tmp/exporter exec python -W ignore -`];
      const { code, stdout, stderr } = await cluster.kubectl([...exec, ...shell], program);
      assert.equal(code, 0, stderr);
      return JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
    },
  };
}

/** The exporter's wheels, in base64. */
async function wheels(): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), "otlp-exporter-"));
  try {
    const options = ["--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:", "--dest", folder];
    await succeeded("python3", ["-m", "pip", "download", ...options, "--requirement", lock]);
    const files = await readdir(folder);
    assert.ok(files.length > 0, "PyPI gave no wheels.");
    return Promise.all(files.map((file) => readFile(join(folder, file), "base64")));
  } finally {
    await rm(folder, { recursive: true });
  }
}
