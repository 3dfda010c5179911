import { existsSync } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Report } from "../control-plane/binaries.ts";
import { withLock } from "../control-plane/build-lock.ts";
import { clusterPaths } from "./cluster-paths.ts";
import { endMachine, findMachine } from "./machine.ts";
import { ipFamily } from "./network.ts";
import { healthProblem } from "./node-state.ts";
import { installPackages, missingPackages } from "./packages.ts";
import { clusterPrograms, type Programs } from "./programs.ts";
import { startNode } from "./start-node.ts";
import { addUser, isUsed, processes, removeUser, removeUsers, type User } from "./users.ts";

/**
 * Starts the cluster unless it is running and healthy; removes the remains of an earlier one first. Only one process
 * at a time does this; the others wait. Returns whether it was running before.
 */
export async function bringUp(user: User, report: Report): Promise<boolean> {
  const reason = missingPackages();
  if (reason) throw new Error(`The test cluster cannot be started here: ${reason}.`);
  await installPackages(report);
  const programs = await clusterPrograms(report);
  return locked(report, async () => {
    // Users of a cluster that no longer runs, for example after a reboot.
    if (!(await findMachine())) await removeUsers();
    const others = await processes();
    await addUser(user);
    const problem = await lastingHealthProblem(programs);
    if (problem === undefined) return true;
    if (others.length > 0 && (await findMachine()))
      throw new Error(
        `The test cluster is not healthy: ${problem}. Process ${others.join(", ")} uses it. End that process first.`,
      );
    await endMachine();
    try {
      await startNode(programs, report);
    } catch (error) {
      await endMachine();
      throw error;
    }
    return false;
  });
}

/** Stops the cluster and removes its processes, mounts, interfaces and objects. */
export async function takeDown(report: Report): Promise<void> {
  await locked(report, clear);
}

/** Ends this process's use of the cluster, and stops the cluster if no other process uses it. */
export async function release(report: Report): Promise<void> {
  await locked(report, async () => {
    await removeUser();
    if (!(await isUsed())) await clear();
  });
}

async function clear(): Promise<void> {
  await endMachine();
  await removeUsers();
  await rm(clusterPaths.state, { recursive: true, force: true });
}

async function locked<T>(report: Report, work: () => Promise<T>): Promise<T> {
  await mkdir(clusterPaths.root, { recursive: true });
  const waiting = (owner: number) => report(`waiting for process ${owner}, which starts or stops the cluster`);
  return withLock(clusterPaths.lock, waiting, work);
}

/** As {@link healthProblem}, with 30 seconds to recover: on a busy machine kubelet is late. */
async function lastingHealthProblem(programs: Programs): Promise<string | undefined> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    if (await findMachine()) {
      if (!existsSync(clusterPaths.complete)) return "its start was interrupted";
      const family = await readFile(clusterPaths.complete, "utf8");
      if (family !== ipFamily()) return `its addresses are of ${family}`;
    }
    const problem = await healthProblem(programs);
    if (problem === undefined || Date.now() > deadline || !(await findMachine())) return problem;
    await sleep(500);
  }
}
