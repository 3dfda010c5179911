import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { runCommand } from "../support/command-line.ts";
import { wrongManifests } from "./wrong-manifests.ts";

const validate = (args: readonly string[], stdin = "") => runCommand(["validate", ...args], { stdin });

describe("mlflow-operator validate", () => {
  const directory = mkdtempSync(join(tmpdir(), "validate-"));
  after(() => rmSync(directory, { recursive: true }));

  test("accepts all examples, and counts other documents", async () => {
    const { code, stdout, stderr } = await validate(["examples"]);
    assert.deepEqual([code, stdout], [0, ""]);
    assert.match(stderr, /^\d+ valid, 0 invalid, 0 problems; \d+ other documents skipped\n$/);
  });

  for (const { mistake, text, line, says, secret } of wrongManifests)
    test(`says what to write instead: ${mistake}`, async () => {
      const { code, stdout } = await validate(["-"], text);
      assert.equal(code, 1);
      const found = stdout
        .split("\n")
        .find((each) => each.startsWith(`standard input:${line}: `) && each.includes(says));
      assert.ok(found !== undefined, stdout);
      if (secret !== undefined) assert.ok(!stdout.includes(secret), stdout);
    });

  test("reports all problems together, in the order of their lines", async () => {
    const wrongVersion = wrongManifests.find(({ mistake }) => mistake === "a version as a number")?.text ?? "";
    const { stdout } = await validate(["-"], wrongVersion.replace("replicas: 1", "replicaCount: 1"));
    const lines = [...stdout.matchAll(/^standard input:(\d+): MlflowServer\/mlflow: /gm)].map(([, line]) =>
      Number(line),
    );
    assert.ok(lines.length >= 2, stdout);
    assert.deepEqual(
      lines,
      lines.toSorted((a, b) => a - b),
    );
  });

  test("reports rules as well where the only other problem is an unknown field", async () => {
    const wrongRule = wrongManifests.find(({ mistake }) => mistake === "a password in a host");
    const { stdout } = await validate(["-"], wrongRule?.text.replace("replicas: 1", "replicaCount: 1"));
    assert.match(stdout, /unknown field "spec\.replicaCount"[\s\S]*postgresql\.host: Forbidden/);
  });

  test("has the line of a field in a later document, in a list and in JSON", async () => {
    const [first] = wrongManifests;
    const later = `---\nkind: ConfigMap\n---\n# comment\n${first?.text}`;
    assert.match((await validate(["-"], later)).stdout, /^standard input:6: .*write kind: MlflowServer\n$/);
    const item = { apiVersion: "mlflow-operator.dev/v1", kind: "MlflowServer", metadata: { name: "a" } };
    const list = JSON.stringify({ apiVersion: "v1", kind: "List", items: [{ kind: "Pod" }, item] }, null, 1);
    const { stdout } = await validate(["-"], list);
    assert.match(stdout, /^standard input:9: MlflowServer\/a: apiVersion: must be/m);
    assert.match(stdout, /^standard input:8: MlflowServer\/a: spec: Required value/m);
  });

  test("reads directories as kubectl does, subdirectories with -R only, and skips what is not for the operator", async () => {
    await mkdir(join(directory, "deep"));
    const write = (name: string, text: string) => writeFileSync(join(directory, name), text);
    write("notes.md", "kind: MlflowServer");
    write("chart.yaml", "a: {{ .Values.a }}\n");
    write("pod.yml", "apiVersion: v1\nkind: Pod\n");
    write("deep/wrong.yaml", wrongManifests[0]?.text ?? "");
    const flat = await validate([directory]);
    assert.deepEqual([flat.code, flat.stdout], [1, ""]);
    assert.match(
      flat.stderr,
      /2 other documents skipped\nno MlflowServer, MlflowWorkspaceAccess, MlflowBackup or MlflowBackupSchedule in /,
    );
    const deep = await validate(["-R", directory]);
    assert.equal(deep.code, 1);
    assert.match(deep.stdout, new RegExp(`^${join(directory, "deep/wrong.yaml")}:2: MlflowServer/mlflow: kind: `));
  });

  test("prints problems as JSON", async () => {
    const { stdout } = await validate(["-", "-o", "json"], wrongManifests[0]?.text);
    const { problems, invalid } = JSON.parse(stdout);
    assert.equal(invalid, 1);
    assert.deepEqual(
      problems.map(({ file, line, object }: Record<string, unknown>) => [file, line, object]),
      [["standard input", 2, "MlflowServer/mlflow"]],
    );
  });
});
