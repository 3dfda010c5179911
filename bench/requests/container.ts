import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { mkdir, readFile, readlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { V1Container, V1PodSpec } from "@kubernetes/client-node";
import type { Secret } from "../../src/kube/manifests.ts";

/** The local files of a pod: root file system, volumes and logs. */
export interface PodFiles {
  readonly root: string;
  readonly folder: string;
  readonly secrets: readonly Secret[];
  /** Files that replace volumes of the kubelet, by volume. */
  readonly files?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Environment variables that replace values for a pod, such as the port. */
  readonly env: Readonly<Record<string, string>>;
  readonly user?: string;
}

const searchPath = "/opt/mlflow/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The devices of a container, as the runtime makes them. Those of the machine may have other permissions. */
const devices = [
  "mount -t tmpfs -o mode=755 tmpfs $ROOT/dev",
  "mkdir -m 1777 $ROOT/dev/shm",
  "ln -s /proc/self/fd $ROOT/dev/fd",
  ...Object.entries({ null: 3, zero: 5, full: 7, random: 8, urandom: 9 }).map(
    ([name, minor]) => `mknod -m 666 $ROOT/dev/${name} c 1 ${minor}`,
  ),
];

const running = new Set<ChildProcess>();

/** Ends the processes with the bench. */
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => {
    for (const child of running) child.kill("SIGKILL");
    process.exit(1);
  });

/**
 * Starts the process of a container as the kubelet does, but in the network of this machine: with its command, arguments and environment, in
 * a mount namespace with its volumes, and with the root file system of the image. Its output is in `<folder>/<name>.log`.
 */
export async function startContainer(files: PodFiles, pod: V1PodSpec, container: V1Container): Promise<ChildProcess> {
  const mounts = [...devices, "mount -t proc proc $ROOT/proc", ...(await volumeMounts(files, pod, container))];
  const user = files.user === undefined ? "" : `--userspec=${files.user}`;
  const script = `${mounts.join(" && ")} && exec chroot ${user} $ROOT sh -c 'unset ROOT; exec "$@"' sh "$@"`;
  const log = openSync(join(files.folder, `${container.name}.log`), "a");
  const child = spawn(
    "unshare",
    [
      "--mount",
      "--propagation",
      "private",
      "sh",
      "-ec",
      script,
      "sh",
      ...(container.command ?? []),
      ...(container.args ?? []),
    ],
    { env: { PATH: searchPath, ...environmentOf(files, container), ROOT: files.root }, stdio: ["ignore", log, log] },
  );
  closeSync(log);
  running.add(child);
  child.once("exit", () => running.delete(child));
  return child;
}

/** Runs a container until it ends. Rejects with its output if it fails. */
export async function runContainer(files: PodFiles, pod: V1PodSpec, container: V1Container): Promise<void> {
  const child = await startContainer(files, pod, container);
  const code = await new Promise((resolve) => child.once("exit", resolve));
  if (code !== 0) throw new Error(await logOf(files, container.name));
}

/** Ends a process, and waits until it has ended. */
export async function stopProcess(child: ChildProcess, signal: "SIGTERM" | "SIGINT" = "SIGTERM"): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill(signal);
  await ended;
}

export function logOf({ folder }: PodFiles, name: string): Promise<string> {
  return readFile(join(folder, `${name}.log`), "utf8");
}

async function volumeMounts({ root, folder, secrets, files = {} }: PodFiles, pod: V1PodSpec, container: V1Container) {
  const script: string[] = [];
  for (const { name, mountPath } of container.volumeMounts ?? []) {
    const volume = join(folder, "volumes", name);
    await mkdir(volume, { recursive: true });
    const secretName = pod.volumes?.find((each) => each.name === name)?.secret?.secretName;
    const content = files[name] ?? valuesOf(secrets, secretName);
    for (const [path, text] of Object.entries(content)) {
      await mkdir(dirname(join(volume, path)), { recursive: true });
      await writeFile(join(volume, path), text);
    }
    // The image may not have the folder; the created one is empty and shared.
    const directory = await directoryIn(root, mountPath);
    await mkdir(directory, { recursive: true });
    script.push(`mount --bind ${volume} ${directory}`);
  }
  return script;
}

/** Returns the path of a directory of the image on this machine. Links of the image, such as /var/run, have targets in its own file system. */
async function directoryIn(root: string, path: string): Promise<string> {
  let found = root;
  for (const part of path.split("/").filter(Boolean)) {
    const link = await readlink(join(found, part)).catch(() => undefined);
    found = join(link?.startsWith("/") ? root : found, link ?? part);
  }
  return found;
}

function environmentOf({ secrets, env }: PodFiles, container: V1Container): Record<string, string> {
  const own = (container.env ?? []).map(({ name, value, valueFrom }): [string, string] => {
    const reference = valueFrom?.secretKeyRef;
    return [
      name,
      reference ? (valuesOf(secrets, reference.name)[reference.key] ?? "") : (value ?? "").replaceAll("$$", "$"),
    ];
  });
  return { ...Object.fromEntries(own), ...env };
}

function valuesOf(secrets: readonly Secret[], name: string | undefined): Record<string, string> {
  const found = secrets.find(({ metadata }) => metadata.name === name);
  const data = Object.entries(found?.data ?? {}).map(([key, value]): [string, string] => [
    key,
    Buffer.from(value, "base64").toString(),
  ]);
  return Object.fromEntries(data);
}
