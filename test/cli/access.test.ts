import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { runCommand } from "../support/command-line.ts";

const example = readFileSync("examples/workspace-access.yaml", "utf8");
const now = new Date("2026-06-01T00:00:00Z");

const ask = (command: "access" | "who-can", args: readonly string[], stdin = example, at = now) =>
  runCommand([command, ...args, "-n", "team-a", "-f", "-"], { stdin, now: at });

describe("mlflow-operator access and who-can, offline", () => {
  test("print who has which role, and through which grant", async () => {
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

  test("who-can prints the subjects whose role allows it, and exits 1 where there is none", async () => {
    const { stdout } = await ask("who-can", ["update", "experiments"]);
    assert.match(stdout, /trainer/);
    assert.doesNotMatch(stdout, /audit|ada/);
    const none = await ask("who-can", ["delete", "experiments"]);
    assert.deepEqual([none.code, none.stdout], [1, ""]);
    assert.match(none.stderr, /no access is granted in namespace team-a/);
  });

  test("report a file that cannot be read, and not that no access is granted", async () => {
    for (const [file, says] of [
      ["/nowhere.yaml", /^\/nowhere\.yaml: no such file or directory\n$/],
      ["docs", /^docs: the directory has no file that ends with \.json, \.yaml or \.yml; .* --recursive\n$/],
    ] as const) {
      const { code, stdout, stderr } = await runCommand(["access", "-n", "team-a", "-f", file], { now });
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr, says);
    }
  });

  test("leave out expired grants", async () => {
    const { stdout } = await ask("access", [], example, new Date("2027-02-01T00:00:00Z"));
    assert.doesNotMatch(stdout, /ada/);
  });

  test("use the labels of a namespace in the files, and take any other namespace as opted in, with a note", async () => {
    assert.match(
      (await ask("access", [])).stderr,
      /Namespace\/team-a is not in the files: it is assumed to have opted in/,
    );
    const silent = `${example}---\napiVersion: v1\nkind: Namespace\nmetadata: { name: team-a }\n`;
    assert.deepEqual((await ask("access", [], silent)).stdout, "");
  });

  test("print the ClusterRole with -o wide, and rows with -o json", async () => {
    const wide = await ask("access", ["-o", "wide"]);
    assert.match(wide.stdout, /^SUBJECT +ROLE +THROUGH +EXPIRES +CLUSTERROLE +ALLOWS$/m);
    assert.match(wide.stdout, / mlflow-workspace-editor +get,list,create,update$/m);
    const { namespace, access } = JSON.parse((await ask("access", ["-o", "json"])).stdout);
    assert.equal(namespace, "team-a");
    assert.deepEqual(access[0].subject, { kind: "ServiceAccount", name: "trainer", namespace: "team-a" });
  });

  test("report wrong usage and wrong documents", async () => {
    assert.equal((await ask("who-can", ["fly", "experiments"])).code, 2);
    assert.equal((await ask("who-can", [])).code, 2);
    assert.match((await ask("access", ["team-a"])).stderr, /^team-a: no such file or directory\n/);
    assert.equal((await runCommand(["access", "-f", "-"], { stdin: example })).code, 2);
    assert.match((await runCommand(["access", "-n", "a"])).stderr, /there is no kubeconfig/);
    const wrong = await ask("access", [], example.replace("role: Editor", "role: Owner"));
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /MlflowServer\/tracking: spec\.workspaces\.access\[0\]\.role: Unsupported value/);
  });
});

describe("mlflow-operator access and who-can, for spec.access", () => {
  const manifest = readFileSync("examples/access.yaml", "utf8");
  const run = (command: string, ...args: string[]) =>
    runCommand([command, ...args, "-n", "team-a", "-f", "-"], { stdin: manifest, now });
  const subjects = async (...args: string[]) =>
    JSON.parse((await run("who-can", ...args, "-o", "json")).stdout || '{"access":[]}').access.map(
      ({ subject }: { subject: { name: string } }) => subject.name,
    );

  test("print the grants of a server with their resources", async () => {
    const { code, stdout } = await run("access");
    assert.equal(code, 0);
    const through = (index: number) => `MlflowServer team-a/mlflow-access, spec.access[${index}]`;
    const cells = stdout.trim().split("\n").slice(1);
    assert.deepEqual(
      cells.map((line) => line.split(/ {2,}/)),
      [
        ["User alan", "EDIT", through(0), "experiment team-a/*, registered model team-a-*"],
        ["User auditor", "READ", through(1), "experiment *, registered model *"],
        ["User grace", "EDIT", through(0), "experiment team-a/*, registered model team-a-*"],
      ],
    );
    assert.match((await run("access", "-o", "wide")).stdout, /^User grace .* get,list,update$/m);
  });

  test("who-can compares the verb and the name", async () => {
    assert.deepEqual(await subjects("get", "experiments"), ["grace", "alan", "auditor"]);
    assert.deepEqual(await subjects("update", "experiments", "team-a/x"), ["grace", "alan"]);
    assert.deepEqual(await subjects("update", "experiments", "team-b/x"), []);
    assert.deepEqual(await subjects("get", "experiments", "team-b/x"), ["auditor"]);
    assert.deepEqual(await subjects("update", "registeredmodels", "team-a-x"), ["grace", "alan"]);
    assert.deepEqual(await subjects("delete", "registeredmodels"), []);
  });

  test("compares the whole name, in linear time", async () => {
    const patterned = manifest.replace('experiments: ["team-a/*"]', `experiments: ["*a*b*a", "${"*a".repeat(100)}*b"]`);
    const who = async (name: string) => {
      const args = ["who-can", "update", "experiments", name, "-n", "team-a", "-f", "-", "-o", "json"];
      const { stdout } = await runCommand(args, { stdin: patterned, now });
      return JSON.parse(stdout || '{"access":[]}').access.length;
    };
    const names = ["aba", "xaxbxa", "ab", "ba", "abab", "a".repeat(10_000)];
    assert.deepEqual(await Promise.all(names.map(who)), [2, 2, 0, 0, 0, 0]);
  });

  test("show the permission of users without a grant, which is READ by default", async () => {
    const open = manifest.replace(/\n {6}defaultPermission: NO_PERMISSIONS/, " {}");
    const { stdout } = await runCommand(["access", "-n", "team-a", "-f", "-"], { stdin: open, now });
    assert.match(
      stdout,
      /^Group \(all users of the server\) +READ +MlflowServer team-a\/mlflow-access, defaultPermission/m,
    );
  });
});

describe("mlflow-operator render", () => {
  test("shows the objects in namespaces that a grant names, and notes that these are assumed to have opted in", async () => {
    const { code, stdout } = await runCommand(["render", "-f", "-"], { stdin: example });
    assert.equal(code, 0);
    assert.match(
      stdout,
      /# Namespace team-a is assumed to have opted in as a workspace\.\n[\s\S]*name: mlflow\.mlflow\.tracking\.editor\n {2}namespace: team-a/,
    );
    assert.match(stdout, /name: mlflow-client\n {2}namespace: team-a/);
  });

  test("shows the objects in namespaces of --namespaces that a selector matches", async () => {
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
    const args = ["render", "-f", "examples/workspace-access.yaml", "--namespaces", "-"];
    const { stdout } = await runCommand(args, { stdin: list });
    assert.match(stdout, /name: mlflow\.mlflow\.tracking\.viewer\n {2}namespace: team-z/);
    assert.doesNotMatch(stdout, /namespace: team-y/);
    assert.doesNotMatch(stdout, /Namespace team-z is taken/);
  });
});
