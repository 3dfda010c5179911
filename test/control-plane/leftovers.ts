import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const prefix = "mlflow-operator-control-plane-";

/**
 * Waits until its input ends, kills whichever recorded process still runs with this directory in its arguments, removes the directory.
 * The check of the arguments keeps a recycled pid safe.
 */
const cleaner = `
trap '' INT TERM HUP
cat >/dev/null
for file in "$1"/pids/*; do
  [ -e "$file" ] || continue
  pid=$(cat "$file")
  { tr '\\0' ' ' <"/proc/$pid/cmdline" || ps -p "$pid" -o args=; } 2>/dev/null | grep -qF "$1/" && kill -KILL "$pid"
done
rm -rf "$1" 2>/dev/null || { sleep 1; rm -rf "$1"; }
`;

/** Whether a process with this pid exists (it may belong to somebody else). */
export function isAlive(pid: number): boolean {
  if (pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

export interface Workspace {
  /** A directory only this user can read. */
  readonly directory: string;
  /** Ends every process recorded in `pids/` and removes the directory. */
  readonly dispose: () => Promise<void>;
}

/**
 * A temporary directory that does not outlive this process, nor do the processes whose pids are recorded in `pids/`:
 * a shell waits at the end of a pipe that the kernel closes however this process ends, SIGKILL included.
 * If even that shell was killed, the next call sweeps up what was left.
 */
export async function createWorkspace(): Promise<Workspace> {
  await sweep();
  const directory = await mkdtemp(join(tmpdir(), prefix));
  await writeFile(join(directory, "owner"), `${process.pid}\n`);
  await mkdir(join(directory, "pids"));
  // Its own process group: Ctrl-C must reach this process first and the shell not at all.
  const shell = spawn("/bin/sh", ["-c", cleaner, "sh", directory], {
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

/** Cleans up after owners that died together with their cleaner. */
async function sweep(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(prefix)) continue;
    const directory = join(tmpdir(), name);
    const owner = Number.parseInt(await readFile(join(directory, "owner"), "utf8").catch(() => ""), 10);
    // No owner yet: another process has just made it.
    if (Number.isNaN(owner) || isAlive(owner)) continue;
    await new Promise((resolve) =>
      spawn("/bin/sh", ["-c", cleaner, "sh", directory], { stdio: "ignore" }).on("exit", resolve),
    );
  }
}
