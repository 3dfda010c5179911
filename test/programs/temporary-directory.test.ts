import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { withLock } from "../control-plane/build-lock.ts";
import { createTemporaryDirectory, isAlive } from "../control-plane/temporary-directory.ts";

const directory = await mkdtemp(join(tmpdir(), "mlflow-operator-process-workspace-"));
after(() => rm(directory, { recursive: true }));

test("a temporary directory and its recorded processes end with a killed owner", async () => {
  const script = join(directory, "owner.ts");
  await writeFile(
    script,
    `import { startChild } from ${JSON.stringify(join(import.meta.dirname, "../control-plane/child.ts"))};
import { createTemporaryDirectory } from ${JSON.stringify(join(import.meta.dirname, "../control-plane/temporary-directory.ts"))};
const { directory } = await createTemporaryDirectory();
const child = await startChild(directory, "tail", "tail", ["-f", directory + "/owner"]);
console.log(JSON.stringify({ directory, pid: child.pid }));
setInterval(() => {}, 1000);
`,
  );
  const owner = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(owner.stdout, "data");
  const { directory: workspace, pid } = JSON.parse(String(line));
  assert.equal(await runs(pid), true);
  owner.kill("SIGKILL");
  const deadline = Date.now() + 60_000;
  while ((existsSync(workspace) || (await runs(pid))) && Date.now() < deadline) await sleep(50);
  assert.deepEqual([existsSync(workspace), await runs(pid)], [false, false]);
});

test("dispose removes the directory", async () => {
  const workspace = await createTemporaryDirectory();
  assert.equal(existsSync(workspace.directory), true);
  await workspace.dispose();
  assert.equal(existsSync(workspace.directory), false);
});

test("one of two owners waits for the lock", async () => {
  const path = join(directory, "lock");
  const order: string[] = [];
  const begun = Promise.withResolvers<void>();
  const waited = Promise.withResolvers<void>();
  const work = (name: string, during: () => Promise<void>) =>
    withLock(
      path,
      (owner) => {
        order.push(`${name} waits for ${owner === process.pid}`);
        waited.resolve();
      },
      async () => {
        order.push(`${name} begins`);
        begun.resolve();
        await during();
        order.push(`${name} ends`);
      },
    );
  const first = work("a", () => waited.promise);
  await begun.promise;
  await Promise.all([first, work("b", async () => {})]);
  assert.deepEqual(order, ["a begins", "b waits for true", "a ends", "b begins", "b ends"]);
});

test("takes over the lock of a dead process", async () => {
  const child = spawn("true");
  await once(child, "exit");
  const path = join(directory, "stale");
  await writeFile(path, `${child.pid}\n`);
  assert.equal(
    await withLock(
      path,
      () => assert.fail("waited for the dead"),
      async () => "done",
    ),
    "done",
  );
  assert.equal(existsSync(path), false);
});

/** A zombie process does not run. */
async function runs(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  return isAlive(pid) && status?.split(") ")[1]?.[0] !== "Z";
}
