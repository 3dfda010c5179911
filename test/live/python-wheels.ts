import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Cluster } from "../cluster/start-cluster.ts";
import { succeeded } from "../control-plane/completed.ts";

const unpack = `
import base64, io, json, sys, zipfile
for wheel in json.load(sys.stdin):
    zipfile.ZipFile(io.BytesIO(base64.b64decode(wheel))).extractall(sys.argv[1])
`;

/** The target of packages: a pod of MLflow's image, and a folder for PYTHONPATH. */
export interface WheelTarget {
  readonly namespace: string;
  readonly pod: string;
  readonly folder: string;
}

/** Unpacks the PyPI packages of a lock file of this folder in a pod, without dependencies. */
export async function unpackWheels(cluster: Cluster, lock: string, place: WheelTarget): Promise<void> {
  const command = ["exec", "-i", "-n", place.namespace, place.pod, "--", "python", "-c", unpack, place.folder];
  const { code, stderr } = await cluster.kubectl(command, JSON.stringify(await wheels(lock)));
  assert.equal(code, 0, stderr);
}

/** Returns the wheels of a lock file, in base64. */
async function wheels(lock: string): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), "python-wheels-"));
  try {
    const options = ["--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:", "--dest", folder];
    await succeeded("python3", ["-m", "pip", "download", ...options, "--requirement", join(import.meta.dirname, lock)]);
    const files = await readdir(folder);
    assert.ok(files.length > 0, "pip downloaded no wheels.");
    return await Promise.all(files.map((file) => readFile(join(folder, file), "base64")));
  } finally {
    await rm(folder, { recursive: true });
  }
}
