import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { version } from "../src/version.ts";
import { completed } from "./control-plane/completed.ts";

const main = (...args: string[]) => completed(process.execPath, ["src/main.ts", ...args], { env: {} });

describe("the command line", () => {
  test("tells of each command what it takes, which is no failure", async () => {
    const { code, stdout } = await main("--help");
    assert.equal(code, 0);
    const commands = [...stdout.matchAll(/^ {2}mlflow-operator (\S+)/gm)].map(([, name = ""]) => name);
    assert.deepEqual(commands, ["run", "render", "access", "who-can", "otel-config", "version"]);
    for (const command of commands.filter((name) => name !== "version")) {
      const help = await main(command, "--help");
      assert.deepEqual([help.code, help.stderr], [0, ""], command);
      assert.match(help.stdout, new RegExp(`mlflow-operator ${command}\\b`));
    }
    assert.equal((await main("help")).stdout, stdout);
    assert.equal((await main("--version")).stdout, `${version}\n`);
  });

  test("says what there is, where a command is misspelt", async () => {
    const { code, stderr } = await main("rneder");
    assert.equal(code, 2);
    assert.match(stderr, /there is no command rneder\.\n\n.*\n\n {2}mlflow-operator run/);
  });

  test("ends at once where the kubeconfig that was named cannot be read", async () => {
    const { code, stdout, stderr } = await main("run", "--kubeconfig", "/nowhere/config");
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /^mlflow-operator run: The kubeconfig \/nowhere\/config cannot be read: ENOENT/);
  });
});
