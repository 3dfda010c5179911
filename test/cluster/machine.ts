import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, readdir, readFile, readlink, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Completed, completed, succeeded } from "../control-plane/completed.ts";
import { removeControlGroups } from "./control-groups.ts";
import { kernelSettings } from "./kernel-settings.ts";
import { network } from "./network.ts";
import { places } from "./places.ts";

/**
 * The node: processes, mounts and network in namespaces of their own, all held by one process. When that one ends,
 * however it ends, the kernel ends every other and takes the mounts, the interfaces and the rules along.
 */
export interface Machine {
  /** Of the process that holds the namespaces; the first one (pid 1) in them. */
  readonly pid: number;
  /** Runs a program in the node to its end; a non-zero exit is a result. */
  readonly run: (program: string, args: readonly string[], stdin?: string) => Promise<Completed>;
  /** The same, but a non-zero exit is an error; gives its output. */
  readonly succeed: (program: string, args: readonly string[], stdin?: string) => Promise<string>;
  /** Starts a program that stays, with its output appended to `logPath`. */
  readonly start: (program: string, args: readonly string[], logPath: string) => Promise<void>;
  /** The pids on this machine of the node's processes that run `program`, a path. */
  readonly pidsOf: (program: string) => Promise<readonly number[]>;
}

/** Only this is taken over from the environment of whoever starts the cluster. */
const env = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" };

/**
 * What is hard-coded in kubelet, containerd and CNI plugins is given folders in memory: /run with its sockets, so that
 * their paths stay short (a socket's is limited to 107 bytes) and those of another container engine out of reach.
 */
const memoryFolders = ["/run", "/var/lib/cni", "/var/lib/kubelet", "/var/log/containers"];

/** Makes the namespaces, held by a copy of `pause`. `directory` is for files that the node is shown. Takes root. */
export async function startMachine(pause: string, directory: string): Promise<Machine> {
  const { holder } = places;
  await rm(holder, { force: true });
  await copyFile(pause, holder);
  const settings = await kernelSettings(directory);
  const script = [
    "mount --make-rshared /",
    ...memoryFolders.flatMap((path) => [`mkdir -p ${path}`, `mount -t tmpfs -o mode=755 tmpfs ${path}`]),
    ...settings.map(({ file, path }) => `mount --bind ${file} ${path}`),
    'exec "$0"',
  ].join("\n");
  const namespaces = ["--pid", "--fork", "--mount", "--mount-proc", "--propagation", "private", "--net"];
  const child = spawn("unshare", [...namespaces, "sh", "-ec", script, holder], {
    stdio: ["ignore", "ignore", "pipe"],
    detached: true,
    env,
  });
  let said = "";
  let ended = false;
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  child.on("exit", () => {
    ended = true;
  });
  for (;;) {
    const machine = await findMachine();
    if (machine) {
      child.stderr.destroy();
      child.unref();
      return machine;
    }
    if (ended)
      throw new Error(`The node's namespaces cannot be made: ${said.trim() || "unshare ended"}. It takes root.`);
    await sleep(20);
  }
}

/** The node that runs, if one does. */
export async function findMachine(): Promise<Machine | undefined> {
  const [pid] = await pidsRunning(places.holder);
  if (pid === undefined) return undefined;
  const entered = ["--target", String(pid), "--pid", "--mount", "--net", "--"];
  const options = (stdin?: string) => ({ env, ...(stdin !== undefined && { stdin }) });
  return {
    pid,
    run: (program, args, stdin) => completed("nsenter", [...entered, program, ...args], options(stdin)),
    succeed: (program, args, stdin) => succeeded("nsenter", [...entered, program, ...args], options(stdin)),
    start: async (program, args, logPath) => {
      // The shell ends at once, so that what it started becomes a child of the holder.
      const script = 'log=$1; shift; setsid "$@" </dev/null >>"$log" 2>&1 &';
      await succeeded("nsenter", [...entered, "sh", "-c", script, "sh", logPath, program, ...args], { env });
    },
    pidsOf: async (program) => {
      const inside = await namespaceOf(pid);
      const pids = await pidsRunning(program);
      const namespaces = await Promise.all(pids.map(namespaceOf));
      return pids.filter((_, index) => namespaces[index] === inside);
    },
  };
}

/** Ends the node and everything in it, and waits until it is gone. */
export async function endMachine(): Promise<void> {
  for (const pid of await pidsRunning(places.holder)) {
    const inside = await namespaceOf(pid);
    process.kill(pid, "SIGKILL");
    while (inside !== undefined && (await anyIn(inside))) await sleep(20);
  }
  // The kernel takes the cable away a moment later.
  const deadline = Date.now() + 10_000;
  while (existsSync(`/sys/class/net/${network.hostInterface}`)) {
    if (Date.now() > deadline)
      throw new Error(`The interface ${network.hostInterface} is not this cluster's: end what made it, or remove it.`);
    await sleep(20);
  }
  await removeControlGroups();
  // Made for the mounts above; they stay where somebody else has put something in them.
  await completed("rmdir", memoryFolders.slice(1));
}

async function pidsRunning(program: string): Promise<readonly number[]> {
  const pids = (await readdir("/proc")).map(Number).filter((pid) => pid > 0);
  const found = await Promise.all(
    pids.map(async (pid) => (await readlink(`/proc/${pid}/exe`).catch(() => "")) === program),
  );
  return pids.filter((_, index) => found[index]);
}

async function namespaceOf(pid: number): Promise<string | undefined> {
  return readlink(`/proc/${pid}/ns/pid`).catch(() => undefined);
}

async function anyIn(namespace: string): Promise<boolean> {
  const pids = (await readdir("/proc")).map(Number).filter((pid) => pid > 0);
  const namespaces = await Promise.all(pids.map(namespaceOf));
  return namespaces.includes(namespace);
}

/** The last lines that a program of the node wrote. */
export async function lastLines(name: string, count = 15): Promise<string> {
  const text = await readFile(logPathOf(name), "utf8").catch(() => "");
  return text.trimEnd().split("\n").slice(-count).join("\n");
}

/** Where a program of the node writes. */
export function logPathOf(name: string): string {
  return join(places.logs, `${name}.log`);
}
