import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { chart, helm, helmProgram } from "./helm.ts";

before(async () => void (await helmProgram()));

/** Wrong values for `--set-json`, and the error of Helm. */
const rejected: readonly (readonly [value: string, message: string])[] = [
  ["replicas=3", "at '': additional properties 'replicas' not allowed"],
  ['image.tags="1"', "at '/image': additional properties 'tags' not allowed"],
  ["image.tag=1", "at '/image/tag': got number, want string"],
  ['image.digest="latest"', "at '/image/digest': 'latest' does not match pattern"],
  ['image.registry=""', "at '/image/registry': minLength: got 0, want 1"],
  [
    'imageRegistry="https://registry.example.com"',
    "at '/imageRegistry': 'https://registry.example.com' does not match",
  ],
  ['mlflowImage.repository="mlflow:3.17.2"', "at '/mlflowImage/repository': 'mlflow:3.17.2' does not match pattern"],
  ['mlflowImage.digests={"3.17.2":"latest"}', "at '/mlflowImage/digests/3.17.2': 'latest' does not match pattern"],
  [`mlflowImage.digests={"2.0.0":"sha256:${"0".repeat(64)}"}`, "invalid propertyName '2.0.0'"],
  ['watchNamespaces="team-a"', "at '/watchNamespaces': got string, want array"],
  ['watchNamespaces=["Team"]', "at '/watchNamespaces/0': 'Team' does not match pattern"],
  ['watchNamespaces=["a","a"]', "at '/watchNamespaces': items at 0 and 1 are equal"],
  ['userIDs="1000"', "at '/userIDs': value must be one of 'auto', 'fixed', 'namespace'"],
  ['logLevel="trace"', "at '/logLevel': value must be one of 'debug', 'info', 'warn', 'error'"],
  ["workers=0", "at '/workers': minimum: got 0, want 1"],
  ["upgradeConcurrency=0", "at '/upgradeConcurrency': minimum: got 0, want 1"],
  ["replicaCount=-1", "at '/replicaCount': minimum: got -1, want 0"],
  ['clusterDomain=""', "at '/clusterDomain': minLength: got 0, want 1"],
  ["podDisruptionBudget.maxUnavailable=0", "at '/podDisruptionBudget/maxUnavailable': minimum: got 0, want 1"],
  ['resources.limits.memory="much"', "at '/resources/limits/memory': 'much' does not match pattern"],
  ["crds.install=false", "at '/crds': additional properties 'install' not allowed"],
  ['metrics.serviceMonitor.interval="30"', "at '/metrics/serviceMonitor/interval': '30' does not match pattern"],
  ["networkPolicy.apiServerPorts=[]", "at '/networkPolicy/apiServerPorts': minItems: got 0, want 1"],
  [
    'metrics={"serviceMonitor":{"enabled":true},"service":{"enabled":false}}',
    "metrics.serviceMonitor needs the Service that it selects: set metrics.service.enabled to true",
  ],
  ["serviceAccount.create=false", "serviceAccount.create is false: name the one to use in serviceAccount.name"],
  [
    'podLabels={"app.kubernetes.io/name":"mine"}',
    "commonLabels or podLabels: the label app.kubernetes.io/name is reserved for the chart; choose another",
  ],
  [
    'commonLabels={"app.kubernetes.io/managed-by":"mlflow-operator"}',
    "commonLabels or podLabels: the label app.kubernetes.io/managed-by is reserved for the chart; choose another",
  ],
];

describe("rejected values", () => {
  for (const [value, message] of rejected) {
    test(value, async () => {
      const { code, stderr } = await helm(["template", "x", chart, "--set-json", value]);
      assert.notEqual(code, 0, "it was accepted");
      assert.ok(stderr.includes(message), stderr);
    });
  }

  test("accepts global values of a parent chart", async () => {
    const { code, stderr } = await helm(["template", "x", chart, "--set-json", 'global={"any":"thing"}']);
    assert.equal(code, 0, stderr);
  });
});
