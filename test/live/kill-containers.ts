import assert from "node:assert/strict";
import type { Pod } from "../../src/kube/manifests.ts";
import { findMachine } from "../cluster/machine.ts";
import { clusterPrograms } from "../cluster/programs.ts";

/** Kills the processes of all running containers of a pod, as the kernel does when memory is exhausted. Returns the number of those containers. */
export async function killContainers({ status }: Pod): Promise<number> {
  const machine = await findMachine();
  assert.ok(machine !== undefined);
  const programs = await clusterPrograms(() => {});
  const containers = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  let killed = 0;
  for (const { containerID, state } of containers.filter(({ state }) => state?.running)) {
    const id = containerID?.replace("containerd://", "");
    assert.ok(id !== undefined && state?.running !== undefined);
    const args = ["--namespace", "k8s.io", "tasks", "kill", "--signal", "SIGKILL", id];
    // It can have ended meanwhile.
    const isKilled = await machine.succeed(programs("ctr"), args).then(
      () => true,
      () => false,
    );
    if (isKilled) killed += 1;
  }
  return killed;
}
