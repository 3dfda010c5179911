import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * Kernel settings that kubelet 1.36 requires and otherwise sets for the whole machine
 * (k8s.io/component-helpers/node/util/sysctl). These values are mounted over the machine's in the node; the machine's settings
 * do not change.
 */
const requiredSettings = {
  "vm/overcommit_memory": "1",
  "vm/panic_on_oom": "0",
  "kernel/panic": "10",
  "kernel/panic_on_oops": "1",
  "kernel/keys/root_maxkeys": "1000000",
  "kernel/keys/root_maxbytes": "25000000",
} as const;

export interface KernelSetting {
  /** A file with the value that kubelet requires. */
  readonly file: string;
  /** The path that it is mounted over. */
  readonly path: string;
}

/** Writes a file in `directory` for each setting that differs from kubelet's requirement. */
export async function kernelSettings(directory: string): Promise<readonly KernelSetting[]> {
  const differing: KernelSetting[] = [];
  for (const [key, value] of Object.entries(requiredSettings)) {
    const path = `/proc/sys/${key}`;
    const current = await readFile(path, "utf8").catch(() => undefined);
    if (current === undefined || current.trim() === value) continue;
    const file = join(directory, key.replaceAll("/", "."));
    await writeFile(file, `${value}\n`);
    differing.push({ file, path });
  }
  return differing;
}
