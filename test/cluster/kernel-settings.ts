import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * What kubelet 1.36 wants of the kernel, and sets for the whole machine where it finds it otherwise
 * (k8s.io/component-helpers/node/util/sysctl). The node is shown these values instead of the machine's own, which stay
 * as they are.
 */
const wanted = {
  "vm/overcommit_memory": "1",
  "vm/panic_on_oom": "0",
  "kernel/panic": "10",
  "kernel/panic_on_oops": "1",
  "kernel/keys/root_maxkeys": "1000000",
  "kernel/keys/root_maxbytes": "25000000",
} as const;

export interface KernelSetting {
  /** Holds the value that kubelet wants. */
  readonly file: string;
  /** Is to be covered by it. */
  readonly path: string;
}

/** A file in `directory` for each setting that differs from what kubelet wants. */
export async function kernelSettings(directory: string): Promise<readonly KernelSetting[]> {
  const differing: KernelSetting[] = [];
  for (const [key, value] of Object.entries(wanted)) {
    const path = `/proc/sys/${key}`;
    const current = await readFile(path, "utf8").catch(() => undefined);
    if (current === undefined || current.trim() === value) continue;
    const file = join(directory, key.replaceAll("/", "."));
    await writeFile(file, `${value}\n`);
    differing.push({ file, path });
  }
  return differing;
}
