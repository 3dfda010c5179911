import assert from "node:assert/strict";
import { test } from "node:test";
import type { MlflowServerSpec } from "../../src/api/spec.ts";
import { middlewareFiles } from "../../src/resources/python-programs.ts";
import { deploymentOf, environmentOf, inputs, programsOf, server } from "../support/fixtures.ts";

const of = (spec: Partial<MlflowServerSpec> = {}) => inputs(server(spec));
const settingsOf = (spec: Partial<MlflowServerSpec> = {}) =>
  JSON.parse(programsOf(of(spec))["mlflow_operator/settings.json"] ?? "");

test("the middleware wraps MLflow with every authentication method, under the name that MLflow finds first", () => {
  const names = { none: "mlflow-operator", basic: "basic-auth", kubernetes: "kubernetes-auth" };
  for (const [method, name] of Object.entries(names)) {
    const spec = { authentication: { [method]: {} } };
    const files = programsOf(of(spec));
    for (const [file, text] of Object.entries(middlewareFiles)) assert.equal(files[file], text);
    assert.equal(
      files["mlflow_operator-1.dist-info/entry_points.txt"],
      `[mlflow.app]\n${name} = mlflow_operator.app:create_app\n`,
    );
    const { args } = deploymentOf(of(spec)).spec.template.spec?.containers[0] ?? {};
    assert.deepEqual(args?.slice(0, 2), ["--app-name", name]);
  }
});

test("closed routes stay closed unless a field opens them, and no field opens the Assistant", () => {
  assert.equal(settingsOf().aiGateway, false);
  assert.equal(settingsOf({ server: { aiGateway: "Enabled" } }).aiGateway, true);
  const gateway = (spec: Partial<MlflowServerSpec>) =>
    environmentOf(deploymentOf(of(spec)))["MLFLOW_ENABLE_AI_GATEWAY"];
  assert.equal(gateway({}), "false");
  assert.equal(gateway({ server: { aiGateway: "Enabled" } }), "true");
  assert.ok(!Object.keys(settingsOf()).some((name) => /assistant/i.test(name)));
});

test("limits and artifact locations come from the spec", () => {
  const { maxRequestBodyBytes, maxUploadBytes, additionalLocations } = settingsOf();
  assert.deepEqual([maxRequestBodyBytes, maxUploadBytes, additionalLocations], [64 * 2 ** 20, 10 * 2 ** 30, []]);
  const own = settingsOf({
    server: { maxRequestBodySize: "1.5Mi" },
    artifactStore: { persistentVolume: {}, maxUploadSize: "20G", additionalLocations: ["s3://former/x"] },
  });
  assert.deepEqual([own.maxRequestBodyBytes, own.maxUploadBytes], [1.5 * 2 ** 20, 20e9]);
  assert.deepEqual(own.additionalLocations, ["s3://former/x"]);
});
