import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, readdir, readFile, readlink, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fewerCollections } from "../control-plane/child.ts";
import { type Completed, completed, succeeded } from "../control-plane/completed.ts";
import { clusterPaths } from "./cluster-paths.ts";
import { removeControlGroups } from "./control-groups.ts";
import { kernelSettings } from "./kernel-settings.ts";
import { network } from "./network.ts";

/**
 * The node: processes, mounts and network in their own namespaces, with one init process. When that process ends,
 * the kernel ends all others and removes the mounts, interfaces and rules.
 */
export interface Machine {
  /** The pid on this machine of the init process (pid 1) of the namespaces. */
  readonly pid: number;
  /** Runs a program in the node; a non-zero exit code is a result. */
  readonly run: (program: string, args: readonly string[], stdin?: string) => Promise<Completed>;
  /** Runs a program in the node and returns its output; a non-zero exit code is an error. */
  readonly succeed: (program: string, args: readonly string[], stdin?: string) => Promise<string>;
  /** Starts a daemon, with its output appended to `logPath`. */
  readonly start: (program: string, args: readonly string[], logPath: string) => Promise<void>;
  /** The pids on this machine of the node's processes that run `program`, a path. */
  readonly pidsOf: (program: string) => Promise<readonly number[]>;
}

/** The environment of the node; the caller's environment is not used. */
const env = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", ...fewerCollections };

/**
 * Folders that are hard-coded in kubelet, containerd and CNI plugins are in memory: /run with its sockets, so that
 * their paths stay short (at most 107 bytes) and separate from those of another container engine.
 */
const memoryFolders = ["/run", "/var/lib/cni", "/var/lib/kubelet", "/var/log/containers"];

/** Creates the namespaces, with a copy of `pause` as init process. `directory` is for files that are mounted in the node. Requires root. */
export async function startMachine(pause: string, directory: string): Promise<Machine> {
  const { init } = clusterPaths;
  await rm(init, { force: true });
  await copyFile(pause, init);
  const settings = await kernelSettings(directory);
  const script = [
    "mount --make-rshared /",
    ...memoryFolders.flatMap((path) => [`mkdir -p ${path}`, `mount -t tmpfs -o mode=755 tmpfs ${path}`]),
    ...settings.map(({ file, path }) => `mount --bind ${file} ${path}`),
    'exec "$0"',
  ].join("\n");
  const namespaces = ["--pid", "--fork", "--mount", "--mount-proc", "--propagation", "private", "--net"];
  const child = spawn("unshare", [...namespaces, "sh", "-ec", script, init], {
    stdio: ["ignore", "ignore", "pipe"],
    detached: true,
    env,
  });
  let output = "";
  let ended = false;
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    output += text;
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
      throw new Error(
        `The node's namespaces cannot be created: ${output.trim() || "unshare ended"}. This requires root.`,
      );
    await sleep(20);
  }
}

/** Returns the running node, if any. */
export async function findMachine(): Promise<Machine | undefined> {
  const [pid] = await pidsRunning(clusterPaths.init);
  if (pid === undefined) return undefined;
  const entered = ["--target", String(pid), "--pid", "--mount", "--net", "--"];
  const options = (stdin?: string) => ({ env, ...(stdin !== undefined && { stdin }) });
  return {
    pid,
    run: (program, args, stdin) => completed("nsenter", [...entered, program, ...args], options(stdin)),
    succeed: (program, args, stdin) => succeeded("nsenter", [...entered, program, ...args], options(stdin)),
    start: async (program, args, logPath) => {
      // The shell ends immediately, so that the program becomes a child of the init process.
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

/** Ends the node and all its processes, and waits until they have ended. */
export async function endMachine(): Promise<void> {
  for (const pid of await pidsRunning(clusterPaths.init)) {
    const inside = await namespaceOf(pid);
    process.kill(pid, "SIGKILL");
    while (inside !== undefined && (await anyIn(inside))) await sleep(20);
  }
  // The kernel removes the interface shortly after.
  const deadline = Date.now() + 10_000;
  while (existsSync(`/sys/class/net/${network().hostInterface}`)) {
    if (Date.now() > deadline)
      throw new Error(
        `The interface ${network().hostInterface} does not belong to this cluster. End the process that created it, or remove it.`,
      );
    await sleep(20);
  }
  await removeControlGroups();
  // Created for the mounts above; not removed if other programs use them.
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

/** Returns the last log lines of a program of the node. */
export async function lastLines(name: string, count = 15): Promise<string> {
  const text = await readFile(logPathOf(name), "utf8").catch(() => "");
  return text.trimEnd().split("\n").slice(-count).join("\n");
}

/** Returns the log path of a program of the node. */
export function logPathOf(name: string): string {
  return join(clusterPaths.logs, `${name}.log`);
}
