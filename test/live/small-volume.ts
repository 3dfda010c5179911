import assert from "node:assert/strict";
import { chmod, writeFile } from "node:fs/promises";
import type { TestContext } from "node:test";
import { clusterPaths } from "../cluster/cluster-paths.ts";
import { findMachine } from "../cluster/machine.ts";
import type { LiveFixture } from "./live-fixture.ts";

/** A volume of the node with an enforced size limit (tmpfs). */
export interface SmallVolume {
  /** A claim with this storage class is bound to this volume. */
  readonly storageClassName: string;
  /** Writes a file that every pod can change. */
  readonly write: (file: string, content: string | Uint8Array) => Promise<void>;
  readonly resize: (size: string) => Promise<void>;
}

/** Creates a volume with a `size` in the format of mount(8), and removes it with the test. Its PersistentVolume has 1 GiB. */
export async function smallVolume(context: TestContext, fixture: LiveFixture, size: string): Promise<SmallVolume> {
  const machine = await findMachine();
  assert.ok(machine !== undefined, "there is no node");
  const name = `small-${fixture.namespace}`;
  const path = `${clusterPaths.state}/volumes/${name}`;
  await machine.succeed("mkdir", ["-p", path]);
  await machine.succeed("mount", ["-t", "tmpfs", "-o", `size=${size},mode=0777`, "tmpfs", path]);
  const volumes = "/api/v1/persistentvolumes";
  const made = await fixture.cluster.request("POST", volumes, {
    body: {
      metadata: { name },
      spec: {
        capacity: { storage: "1Gi" },
        accessModes: ["ReadWriteOnce"],
        persistentVolumeReclaimPolicy: "Retain",
        storageClassName: name,
        hostPath: { path, type: "Directory" },
      },
    },
  });
  assert.equal(made.status, 201, made.body);
  context.after(async () => {
    await fixture.cluster.request("DELETE", `${volumes}/${name}`);
    // A pod may still use it: it is unmounted when it is no longer in use.
    await machine.succeed("umount", ["--lazy", path]);
    await machine.succeed("rmdir", [path]);
  });
  return {
    storageClassName: name,
    write: async (file, content) => {
      // The mount exists only in the node's namespace.
      const seen = `/proc/${machine.pid}/root${path}/${file}`;
      await writeFile(seen, content);
      await chmod(seen, 0o666);
    },
    resize: async (larger) => void (await machine.succeed("mount", ["-o", `remount,size=${larger}`, path])),
  };
}
