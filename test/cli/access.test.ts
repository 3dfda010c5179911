import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { access } from "../../src/cli/access.ts";
import { render } from "../../src/cli/render.ts";
import type { Streams } from "../../src/cli/streams.ts";

const example = readFileSync("examples/workspace-access.yaml", "utf8");
const now = new Date("2026-06-01T00:00:00Z");

async function run(work: (streams: Streams) => Promise<number>, stdin = example) {
  let stdout = "";
  let stderr = "";
  const code = await work({
    stdin: async () => stdin,
    stdout: (text) => {
      stdout += text;
    },
    stderr: (line) => {
      stderr += `${line}\n`;
    },
  });
  return { code, stdout, stderr };
}

const ask = (command: "access" | "who-can", args: readonly string[], stdin?: string, at = now) =>
  run((streams) => access(command, [...args, "-n", "team-a", "-f", "-"], streams, "test", at), stdin);

describe("mlflow-operator access and who-can, offline", () => {
  test("tell who has which role, and by which grant", async () => {
    const { code, stdout } = await ask("access", []);
    assert.equal(code, 0);
    assert.deepEqual(
      stdout
        .trim()
        .split("\n")
        .slice(1)
        .map((line) => line.split(/ {2,}/)),
      [
        ["Group audit", "Viewer", "MlflowServer mlflow/tracking, spec.workspaces.access[1]"],
        ["ServiceAccount team-a/trainer", "Editor", "MlflowServer mlflow/tracking, spec.workspaces.access[0]"],
        ["User ada@example.com", "Viewer", "MlflowWorkspaceAccess team-a/guests", "2027-01-31T18:00:00Z"],
      ],
    );
  });

  test("who-can names those whose role allows it, and no others", async () => {
    const { stdout } = await ask("who-can", ["update", "experiments"]);
    assert.match(stdout, /trainer/);
    assert.doesNotMatch(stdout, /audit|ada/);
    const nobody = await ask("who-can", ["delete", "experiments"]);
    assert.deepEqual([nobody.code, nobody.stdout], [0, ""]);
    assert.match(nobody.stderr, /nobody by a grant in namespace team-a/);
  });

  test("a file that cannot be read is said, and not that nobody has access", async () => {
    for (const [file, says] of [
      ["/nowhere.yaml", /^\/nowhere\.yaml: ENOENT.*\n$/],
      ["examples", /^examples: this is a folder: name the files in it\n$/],
    ] as const) {
      const { code, stdout, stderr } = await run((streams) =>
        access("access", ["-n", "team-a", "-f", file], streams, "test", now),
      );
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr, says);
    }
  });

  test("what has expired is not told", async () => {
    const { stdout } = await ask("access", [], example, new Date("2027-02-01T00:00:00Z"));
    assert.doesNotMatch(stdout, /ada/);
  });

  test("a namespace that is given counts as it is labelled; one that is not is taken to consent, which is said", async () => {
    assert.match((await ask("access", [])).stderr, /consent is taken as given/);
    const silent = `${example}---\napiVersion: v1\nkind: Namespace\nmetadata: { name: team-a }\n`;
    assert.deepEqual((await ask("access", [], silent)).stdout, "");
  });

  test("say what is wrong with their usage and their files", async () => {
    assert.equal((await ask("who-can", ["fly", "experiments"])).code, 2);
    assert.equal((await ask("who-can", [])).code, 2);
    assert.equal((await ask("access", ["team-a"])).code, 2);
    assert.equal((await run((streams) => access("access", ["-n", "a"], streams, "test", now))).code, 2);
    const wrong = await ask("access", [], example.replace("role: Editor", "role: Owner"));
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /MlflowServer\/tracking: spec\.workspaces\.access\[0\]\.role: Unsupported value/);
  });
});

describe("mlflow-operator render", () => {
  test("shows what namespaces get that a grant names, and says that their consent is taken as given", async () => {
    const { code, stdout } = await run((streams) => render(["-f", "-"], streams));
    assert.equal(code, 0);
    assert.match(
      stdout,
      /# The consent of namespace team-a is taken as given\.\n[\s\S]*name: mlflow\.mlflow\.tracking\.editor\n {2}namespace: team-a/,
    );
    assert.match(stdout, /name: mlflow-client\n {2}namespace: team-a/);
  });

  test("shows those that a selector chooses where they are given, as a list of kubectl", async () => {
    const list = JSON.stringify({
      apiVersion: "v1",
      kind: "List",
      items: [
        {
          apiVersion: "v1",
          kind: "Namespace",
          metadata: { name: "team-z", labels: { "mlflow-operator.dev/workspace-of": "mlflow" } },
        },
        { apiVersion: "v1", kind: "Namespace", metadata: { name: "team-y" } },
      ],
    });
    const args = ["-f", "examples/workspace-access.yaml", "--namespaces", "-"];
    const { stdout } = await run((streams) => render(args, streams), list);
    assert.match(stdout, /name: mlflow\.mlflow\.tracking\.viewer\n {2}namespace: team-z/);
    assert.doesNotMatch(stdout, /namespace: team-y/);
    assert.doesNotMatch(stdout, /consent of namespace team-z/);
  });
});
