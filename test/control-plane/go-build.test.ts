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

test("without Go the error says what to install instead", async () => {
  process.env["PATH"] = "/nowhere";
  await assert.rejects(controlPlaneBinaries(), /install Go, or set KUBEBUILDER_ASSETS .* or start Docker/);
});

test("a Kubernetes version of which there is no module is named, with those that there are", async () => {
  process.env["MLFLOW_OPERATOR_TEST_KUBERNETES"] = "1.12";
  await assert.rejects(controlPlaneBinaries(), /Kubernetes "1.12" can be built: name one of 1\.30, 1\.37/);
});

test("a KUBEBUILDER_ASSETS that lacks a program is named", async () => {
  process.env["KUBEBUILDER_ASSETS"] = "/nowhere";
  await assert.rejects(controlPlaneBinaries(), /KUBEBUILDER_ASSETS is "\/nowhere", which lacks etcd/);
});
