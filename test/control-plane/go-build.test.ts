import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { controlPlaneBinaries } from "./binaries.ts";

const saved = { ...process.env };
beforeEach(() => {
  delete process.env["KUBEBUILDER_ASSETS"];
});
afterEach(() => {
  process.env = { ...saved };
});

test("without Go the error says what to install", async () => {
  process.env["PATH"] = "/nowhere";
  await assert.rejects(controlPlaneBinaries(), /install Go, or set KUBEBUILDER_ASSETS .* or start Docker/);
});

test("the error for an unknown Kubernetes version lists the known ones", async () => {
  process.env["MLFLOW_OPERATOR_TEST_KUBERNETES"] = "1.12";
  await assert.rejects(controlPlaneBinaries(), /Kubernetes "1.12" can be built: use one of 1\.30, 1\.37/);
});

test("the error for an incomplete KUBEBUILDER_ASSETS names it", async () => {
  process.env["KUBEBUILDER_ASSETS"] = "/nowhere";
  await assert.rejects(controlPlaneBinaries(), /KUBEBUILDER_ASSETS is "\/nowhere", which does not contain etcd/);
});
