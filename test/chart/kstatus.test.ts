import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { before, describe, test } from "node:test";
import { load } from "js-yaml";
import { definitions } from "../../src/api/definitions.ts";
import { kstatusProgram } from "./kstatus-program.ts";

const folder = join(import.meta.dirname, "../../config/argo-cd/resource_customizations/mlflow-operator.dev");

/** What `flux` and `helm --wait` see of each state of config/argo-cd. */
const expected: Readonly<Record<string, string>> = {
  deleting: "Terminating",
  healthy: "Current",
  hibernated: "Current",
  new: "InProgress",
  new_generation: "InProgress",
  paused: "Current",
  paused_changes: "Failed",
  progressing: "InProgress",
  stalled: "Failed",
  suspended: "Current",
};

let program = "";
before(async () => {
  program = await kstatusProgram();
});

function kstatus(objects: readonly unknown[]): string[] {
  const { status, stdout, stderr } = spawnSync(program, { input: JSON.stringify(objects), encoding: "utf8" });
  assert.equal(status, 0, stderr);
  return stdout
    .trim()
    .split("\n")
    .map((line) => line.split("\t")[0] ?? "");
}

describe("kstatus", () => {
  for (const kind of ["MlflowServer", "MlflowWorkspaceAccess", "MlflowBackup", "MlflowBackupSchedule"]) {
    test(`computes the state of an ${kind} from its conditions`, () => {
      const files = readdirSync(join(folder, kind, "testdata")).map((file) => basename(file, ".yaml"));
      const states = files.filter((file) => file !== "no_conditions");
      const objects = states.map((state) =>
        load(readFileSync(join(folder, kind, "testdata", `${state}.yaml`), "utf8")),
      );
      const computed = kstatus(objects).map((status, index) => [states[index], status]);
      assert.deepEqual(
        computed,
        states.map((state) => [state, expected[state]]),
      );
    });

    test(`a new ${kind} is in progress, because the CRD has a default status`, () => {
      const definition = definitions().find(({ spec }) => spec.names.kind === kind);
      const preset = definition?.spec.versions[0]?.schema.openAPIV3Schema.properties?.["status"]?.default;
      const fixture = load(readFileSync(join(folder, kind, "testdata/new.yaml"), "utf8")) as { status: unknown };
      assert.deepEqual(fixture.status, preset);
      assert.deepEqual(kstatus([{ ...fixture, status: undefined }]), ["Current"]);
    });
  }
});
