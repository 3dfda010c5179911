import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isAlive } from "../control-plane/leftovers.ts";
import { places } from "./places.ts";

/** Who brought the cluster up: a process for itself, or a person with `up`, for whom it stays up until `down`. */
export type User = "process" | "person";

const fileOf = (user: User) => join(places.users, user === "process" ? String(process.pid) : "person");

/** To be called while the cluster's lock is held, as are the others. */
export async function addUser(user: User): Promise<void> {
  await mkdir(places.users, { recursive: true });
  await writeFile(fileOf(user), "");
}

/** Forgets this process. */
export async function removeUser(): Promise<void> {
  await rm(fileOf("process"), { force: true });
}

/** Forgets everybody. */
export async function removeUsers(): Promise<void> {
  await rm(places.users, { recursive: true, force: true });
}

/** Whether somebody uses the cluster: a person, or a process that still runs. */
export async function isUsed(): Promise<boolean> {
  return (await names()).includes("person") || (await processes()).length > 0;
}

/** The pids of the processes that use it. */
export async function processes(): Promise<readonly number[]> {
  return (await names()).map(Number).filter((pid) => isAlive(pid));
}

async function names(): Promise<readonly string[]> {
  return readdir(places.users).catch(() => []);
}
