import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Report } from "../control-plane/binaries.ts";
import { withLock } from "../control-plane/build-lock.ts";
import { endMachine, findMachine } from "./machine.ts";
import { ailment } from "./node-state.ts";
import { installPackages, missingPackages } from "./packages.ts";
import { places } from "./places.ts";
import { clusterPrograms, type Programs } from "./programs.ts";
import { startNode } from "./start-node.ts";
import { addUser, isUsed, processes, removeUser, removeUsers, type User } from "./users.ts";

/**
 * Brings the cluster up unless it is up and well; what is left of a former one is cleared away first. Of several
 * processes one works and the others wait. Gives whether it was up before.
 */
export async function bringUp(user: User, report: Report): Promise<boolean> {
  const reason = missingPackages();
  if (reason) throw new Error(`No cluster can be brought up here: ${reason}.`);
  await installPackages(report);
  const programs = await clusterPrograms(report);
  return locked(report, async () => {
    // Users of a cluster that is gone, with the machine say.
    if (!(await findMachine())) await removeUsers();
    const others = await processes();
    await addUser(user);
    const lack = await lastingAilment(programs);
    if (lack === undefined) return true;
    if (others.length > 0 && (await findMachine()))
      throw new Error(`The cluster is not well: ${lack}. Process ${others.join(", ")} uses it: end that first.`);
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

/** Takes the cluster down: nothing of it runs, is mounted or connected any more, and its objects are forgotten. */
export async function takeDown(report: Report): Promise<void> {
  await locked(report, clear);
}

/** Ends this process's use of the cluster, which is taken down if nobody else's is left. */
export async function release(report: Report): Promise<void> {
  await locked(report, async () => {
    await removeUser();
    if (!(await isUsed())) await clear();
  });
}

async function clear(): Promise<void> {
  await endMachine();
  await removeUsers();
  await rm(places.state, { recursive: true, force: true });
}

async function locked<T>(report: Report, work: () => Promise<T>): Promise<T> {
  await mkdir(places.root, { recursive: true });
  const waiting = (owner: number) => report(`process ${owner} is bringing the cluster up or down; waiting for that`);
  return withLock(places.lock, waiting, work);
}

/** As {@link ailment}, of a cluster that has half a minute to recover: a busy machine makes kubelet late. */
async function lastingAilment(programs: Programs): Promise<string | undefined> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    if ((await findMachine()) && !existsSync(places.complete)) return "it was left half started";
    const lack = await ailment(programs);
    if (lack === undefined || Date.now() > deadline || !(await findMachine())) return lack;
    await sleep(500);
  }
}
