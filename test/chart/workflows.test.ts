import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { load } from "js-yaml";
import { reportOnStderr } from "../control-plane/binaries.ts";
import { completed } from "../control-plane/completed.ts";
import { releasePrograms } from "./release-programs.ts";

const root = join(import.meta.dirname, "../..");
const workflows = globSync(".github/workflows/*.yml", { cwd: root }).sort();

let actionlint = "";
before(async () => {
  actionlint = (await releasePrograms(reportOnStderr))["actionlint"] ?? "";
});

describe("the workflows", () => {
  test("pass actionlint", async () => {
    assert.deepEqual(workflows, [".github/workflows/ci.yml", ".github/workflows/release.yml"]);
    const { code, stdout, stderr } = await completed(actionlint, ["-shellcheck=", "-pyflakes=", ...workflows], {
      cwd: root,
    });
    assert.equal(code, 0, stdout + stderr);
  });

  for (const workflow of workflows) {
    const text = readFileSync(join(root, workflow), "utf8");

    test(`${workflow} pins each action by commit, with its version in a comment`, () => {
      const uses = [...text.matchAll(/uses: *(.*)/g)].map(([, action = ""]) => action);
      assert.ok(uses.length > 0);
      for (const action of uses) assert.match(action, /^actions\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
    });

    test(`${workflow} has no permission that a job does not ask for, and names no owner`, () => {
      const { permissions } = load(text) as { permissions: Readonly<Record<string, string>> };
      assert.ok(
        Object.values(permissions).every((access) => access === "read"),
        JSON.stringify(permissions),
      );
      assert.doesNotMatch(text.replaceAll("~/.cache/mlflow-operator", ""), /\w\/mlflow-operator/);
    });
  }

  /** Steps before the tag, steps that run others, and those to try a release. */
  const notOfWorkflow = ["version", "files", "registry", "keys"];

  test("the release runs every step that writes, publishes or verifies a file", () => {
    const text = readFileSync(join(root, ".github/workflows/release.yml"), "utf8");
    const script = readFileSync(join(root, "scripts/release.ts"), "utf8");
    const steps = [
      ...(/^const steps[\s\S]*?^};/m.exec(script)?.[0] ?? "").matchAll(/^ {2}"?([\w-]+)"?: (?:async )?\(\) =>/gm),
    ];
    const names = steps.flatMap(([, name = ""]) => (notOfWorkflow.includes(name) ? [] : [name]));
    assert.ok(names.length > 10);
    for (const name of names) assert.match(text, new RegExp(`release -- ${name}\\b`), name);
  });
});
