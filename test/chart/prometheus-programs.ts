import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { completed, succeeded } from "../control-plane/completed.ts";
import { cacheDirectory } from "../control-plane/go-programs.ts";

/** Returns the path of a program of Prometheus: that on the PATH, otherwise that of Debian's package, which is downloaded once. */
export async function prometheusProgram(name: "prometheus" | "promtool"): Promise<string> {
  if (await isInstalled(name)) return name;
  const folder = join(cacheDirectory(), "prometheus-debian");
  if (!existsSync(folder)) {
    await mkdir(cacheDirectory(), { recursive: true });
    const draft = await mkdtemp(join(cacheDirectory(), ".prometheus-"));
    try {
      await succeeded("apt-get", ["download", "prometheus"], { cwd: draft });
      const archive = (await readdir(draft)).find((file) => file.endsWith(".deb")) ?? "";
      await succeeded("dpkg", ["-x", join(draft, archive), draft]);
      // Another process may have been faster.
      await rename(draft, folder).catch((error: unknown) => {
        if (!existsSync(folder)) throw error;
      });
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
  }
  return join(folder, "usr/bin", name);
}

/** Why this machine has no Prometheus; undefined if it has. */
export async function prometheusMissing(): Promise<string | undefined> {
  if ((await isInstalled("promtool")) || (await isInstalled("apt-get"))) return undefined;
  return "It needs promtool on the PATH, or Debian's package.";
}

async function isInstalled(program: string): Promise<boolean> {
  return completed(program, ["--version"]).then(
    ({ code }) => code === 0,
    () => false,
  );
}
