import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isAlive } from "../control-plane/temporary-directory.ts";
import { clusterPaths } from "./cluster-paths.ts";

/** A user of the cluster: a process, or a developer with `npm run cluster -- up`, for which it runs until `down`. */
export type User = "process" | "person";

const fileOf = (user: User) => join(clusterPaths.users, user === "process" ? String(process.pid) : "person");

/** Records this user. The caller of this and the other functions must have the cluster's lock. */
export async function addUser(user: User): Promise<void> {
  await mkdir(clusterPaths.users, { recursive: true });
  await writeFile(fileOf(user), "");
}

/** Removes the record of this process. */
export async function removeUser(): Promise<void> {
  await rm(fileOf("process"), { force: true });
}

/** Removes all records. */
export async function removeUsers(): Promise<void> {
  await rm(clusterPaths.users, { recursive: true, force: true });
}

/** Whether the cluster is used by a developer or a running process. */
export async function isUsed(): Promise<boolean> {
  return (await names()).includes("person") || (await processes()).length > 0;
}

/** Returns the pids of the processes that use the cluster. */
export async function processes(): Promise<readonly number[]> {
  return (await names()).map(Number).filter((pid) => isAlive(pid));
}

async function names(): Promise<readonly string[]> {
  return readdir(clusterPaths.users).catch(() => []);
}
