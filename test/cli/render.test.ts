import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { loadAll } from "js-yaml";
import type { KubeObject } from "../../src/kube/object.ts";
import { runCommand } from "../support/command-line.ts";

const run = (args: readonly string[], stdin = "") => runCommand(["render", ...args], { stdin });
const example = readFileSync("examples/basic-auth-postgresql.yaml", "utf8");

describe("mlflow-operator render", () => {
  test("prints only the objects, in the namespace default where the document names none", async () => {
    const { code, stdout, stderr } = await run(["-f", "-"], example);
    assert.equal(code, 0, stderr);
    const objects = loadAll(stdout) as KubeObject[];
    assert.ok(objects.some(({ kind, metadata }) => kind === "Deployment" && metadata.name === "mlflow"));
    for (const { metadata } of objects) assert.equal(metadata.namespace, "default");
  });

  test("shows no secret of the file, and is deterministic", async () => {
    const passwords = [...example.matchAll(/password: (\S+)/g)]
      .map(([, value]) => value ?? "")
      .filter((value) => value.length > 8);
    const [one, two] = [await run(["-f", "-"], example), await run(["-f", "-"], example)];
    assert.equal(one.stdout, two.stdout);
    for (const password of passwords) assert.ok(!one.stdout.includes(password), password);
  });

  test("reports what the API server would reject on stderr with file and line, prints nothing and exits 1", async () => {
    const wrong = example.replace(/^ {2}authentication:[\s\S]*$/m, "");
    const { code, stdout, stderr } = await run(["-f", "-"], wrong);
    assert.equal(code, 1);
    assert.equal(stdout, "");
    assert.match(stderr, /^standard input:\d+: MlflowServer\/mlflow: spec\.authentication: .*basic: \{\}/);
  });

  test("reports wrong usage and unreadable files", async () => {
    assert.equal((await run([])).code, 2);
    const missing = await run(["-f", "no-such-file.yaml"]);
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /no-such-file\.yaml/);
    const other = await run(["-f", "-"], "kind: Secret\n");
    assert.equal(other.code, 1);
    assert.match(other.stderr, /no MlflowServer/);
  });

  test("prints one line for each object with --summary, with the purpose of every object of the examples", async () => {
    const { code, stdout } = await runCommand(["render", "--summary", "examples", "-o", "json"]);
    assert.equal(code, 0);
    const rows: Record<string, string>[] = JSON.parse(stdout);
    assert.ok(rows.length > 100, `${rows.length} objects`);
    for (const row of rows) assert.ok(row["purpose"], JSON.stringify(row));
    const table = await runCommand(["render", "--summary", "-", "-o", "wide"], { stdin: example });
    assert.match(table.stdout, /^KIND +NAMESPACE +NAME +PURPOSE\nSecret +default +mlflow-session +generated keys/);
  });

  test("prints a List with -o json, which kubectl accepts", async () => {
    const { stdout } = await run(["-o", "json", "-"], example);
    const list = JSON.parse(stdout);
    assert.equal(list.kind, "List");
    assert.ok(list.items.some(({ kind }: KubeObject) => kind === "Deployment"));
  });
});
