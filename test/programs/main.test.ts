import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, test } from "node:test";
import { version } from "../../src/settings.ts";
import { completed } from "../control-plane/completed.ts";

const main = (...args: string[]) => completed(process.execPath, ["src/main.ts", ...args], { env: {} });

describe("the command line", () => {
  test("prints the help of each command, and exits 0", async () => {
    const { code, stdout } = await main("--help");
    assert.equal(code, 0);
    const commands = [...stdout.matchAll(/^ {2}([a-z][a-z-]+) {2}/gm)].map(([, name = ""]) => name);
    assert.deepEqual(commands, [
      "run",
      "render",
      "validate",
      "diff",
      "status",
      "doctor",
      "access",
      "who-can",
      "otel-config",
      "convert",
      "completion",
      "version",
      "help",
    ]);
    for (const command of commands) {
      const help = await main(command, "--help");
      assert.deepEqual([help.code, help.stderr], [0, ""], command);
      assert.match(help.stdout, new RegExp(`mlflow-operator ${command}\\b`));
    }
    assert.equal((await main("help")).stdout, stdout);
    assert.equal((await main("--version")).stdout, `${version}\n`);
  });

  test("suggests a command where one is misspelt, in one line", async () => {
    const { code, stderr } = await main("rneder");
    assert.equal(code, 2);
    assert.match(
      stderr,
      /^mlflow-operator: unknown command 'rneder'\. Did you mean render\? See 'mlflow-operator --help'\.\n$/,
    );
  });

  test("says which version of Node it needs on an older one, and loads nothing else there", async () => {
    const old = (version: string) => {
      const versions = `Object.defineProperty(process, "versions", { value: { ...process.versions, node: "${version}" } })`;
      return completed(
        process.execPath,
        [`--import=data:text/javascript,${encodeURIComponent(versions)}`, "src/entry.ts", "version"],
        { env: {} },
      );
    };
    const { code, stdout, stderr } = await old("20.20.2");
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /^Node 24 or newer is required, and this is Node 20\.20\.2\. Install it: \S+\n$/);
    const { engines } = JSON.parse(await readFile("package.json", "utf8"));
    assert.equal(engines.node, ">=24");
    assert.equal((await old("24.0.0")).stdout, (await main("version")).stdout);
  });

  test("exits 1 where the kubeconfig of the option cannot be read", async () => {
    const { code, stdout, stderr } = await main("run", "--kubeconfig", "/nowhere/config");
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /^mlflow-operator run: The kubeconfig \/nowhere\/config cannot be read: ENOENT/);
  });

  test("is a plugin of kubectl under the name kubectl-mlflow", async (context) => {
    const directory = await mkdtemp(join(tmpdir(), "mlflow-operator-plugin-"));
    context.after(() => rm(directory, { recursive: true }));
    const link = join(directory, "kubectl-mlflow");
    await symlink(resolve("src/main.ts"), link);
    const { code, stderr } = await completed(process.execPath, [link, "rendr"], { env: {} });
    assert.equal(code, 2);
    assert.match(stderr, /^kubectl mlflow: unknown command 'rendr'/);
    const completion = join(directory, "kubectl_complete-mlflow");
    await symlink(resolve("src/main.ts"), completion);
    assert.match((await completed(process.execPath, [completion, "ren"], { env: {} })).stdout, /^render\t.*\n:4\n$/);
  });

  test("ends without a stack trace where the reader of its output has ended", async () => {
    const command = `"$0" src/main.ts render examples/*.yaml | head -1`;
    const { stdout, stderr } = await completed("sh", ["-c", command, process.execPath], {
      env: { PATH: process.env["PATH"] },
    });
    assert.deepEqual([stdout, stderr], ["---\n", ""]);
  });
});
