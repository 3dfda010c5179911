import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const prefix = "mlflow-operator-control-plane-";

/**
 * Waits until its input ends, kills each recorded process that still runs with this directory in its arguments, and removes the directory.
 * The check of the arguments protects processes with a reused pid.
 */
const cleanupScript = `
trap '' INT TERM HUP
cat >/dev/null
for file in "$1"/pids/*; do
  [ -e "$file" ] || continue
  pid=$(cat "$file")
  { tr '\\0' ' ' <"/proc/$pid/cmdline" || ps -p "$pid" -o args=; } 2>/dev/null | grep -qF "$1/" && kill -KILL "$pid"
done
rm -rf "$1" 2>/dev/null || { sleep 1; rm -rf "$1"; }
`;

/** Whether a process with this pid exists (of any user). */
export function isAlive(pid: number): boolean {
  if (pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

export interface TemporaryDirectory {
  /** A directory that only this user can read. */
  readonly directory: string;
  /** Ends each process recorded in `pids/` and removes the directory. */
  readonly dispose: () => Promise<void>;
}

/**
 * Creates a temporary directory that is removed at the end of this process, and the processes whose pids are in `pids/` are killed:
 * a shell waits for the end of a pipe, which the kernel closes even after SIGKILL.
 * If that shell was killed too, the next call cleans up.
 */
export async function createTemporaryDirectory(): Promise<TemporaryDirectory> {
  await cleanUp();
  const directory = await mkdtemp(join(tmpdir(), prefix));
  await writeFile(join(directory, "owner"), `${process.pid}\n`);
  await mkdir(join(directory, "pids"));
  // A separate process group: Ctrl-C must not reach the shell.
  const shell = spawn("/bin/sh", ["-c", cleanupScript, "sh", directory], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  const ended = new Promise<void>((resolve, reject) => shell.on("exit", () => resolve()).on("error", reject));
  shell.unref();
  const { stdin } = shell;
  if ("unref" in stdin && typeof stdin.unref === "function") stdin.unref();
  return {
    directory,
    dispose: () => {
      shell.ref();
      stdin.end();
      return ended;
    },
  };
}

/** Cleans up directories of owners that were killed with their shell. */
async function cleanUp(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(prefix)) continue;
    const directory = join(tmpdir(), name);
    const owner = Number.parseInt(await readFile(join(directory, "owner"), "utf8").catch(() => ""), 10);
    // No owner yet: another process has just created it.
    if (Number.isNaN(owner) || isAlive(owner)) continue;
    await new Promise((resolve) =>
      spawn("/bin/sh", ["-c", cleanupScript, "sh", directory], { stdio: "ignore" }).on("exit", resolve),
    );
  }
}
