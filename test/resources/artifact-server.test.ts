import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Exposure } from "../../src/api/fields/exposure.ts";
import type { MlflowServerSpec } from "../../src/api/spec.ts";
import type { Manifest } from "../../src/kube/manifests.ts";
import { label } from "../../src/kube/names.ts";
import { all, environmentOf, inputs, postgresql, secret, server } from "../support/fixtures.ts";

const httpRoute = { parentRefs: [{ name: "platform" }], hostnames: ["mlflow.example.com"] };
const shared: Partial<MlflowServerSpec> = {
  backendStore: { postgresql },
  artifactStore: { s3: { bucket: "models" } },
  exposure: { httpRoute },
};
const references = [secret("db", { username: "mlflow", password: "p" })];
const desired = (spec: Partial<MlflowServerSpec>) => all(inputs(server({ ...shared, ...spec }), references));

function find<K extends Manifest["kind"]>(objects: readonly Manifest[], kind: K, name: string) {
  const found = objects.find((each) => each.kind === kind && each.metadata.name === name);
  return found as Extract<Manifest, { readonly kind: K }> | undefined;
}

function deploymentsOf(spec: Partial<MlflowServerSpec>) {
  const objects = desired(spec);
  const [own, further] = ["demo", "demo-artifacts"].map((name) => find(objects, "Deployment", name));
  assert.ok(own !== undefined && further !== undefined);
  return { own, further };
}

const routesTo = (spec: Partial<MlflowServerSpec>) => {
  const route = find(desired(spec), "HTTPRoute", "demo");
  return route?.spec.rules?.map(({ matches, backendRefs, timeouts }) => ({
    paths: matches?.map(({ path }) => path?.value),
    service: backendRefs?.map(({ name }) => name),
    timeout: timeouts?.request,
  }));
};
const ofArtifacts = (prefix = "") => [
  `${prefix}/api/2.0/mlflow-artifacts`,
  `${prefix}/ajax-api/2.0/mlflow-artifacts`,
  `${prefix}/ajax-api/2.0/mlflow/upload-artifact`,
  `${prefix}/get-artifact`,
  `${prefix}/model-versions/get-artifact`,
];

describe("the pods for artifacts", () => {
  test("are those of the server, with another component and without jobs", () => {
    const { own, further } = deploymentsOf({ artifactServer: {}, server: { jobExecution: true } });
    assert.deepEqual(further.spec.selector.matchLabels, { [label.server]: "demo", [label.component]: "artifacts" });
    const container = (of: typeof own) => of.spec.template.spec?.containers[0];
    assert.equal(environmentOf(own)["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"], "true");
    assert.equal(environmentOf(further)["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"], "false");
    assert.equal(container(own)?.resources?.requests?.["memory"], "1792Mi");
    assert.equal(container(further)?.resources?.requests?.["memory"], "256Mi");
    const plain = deploymentsOf({ artifactServer: {} });
    const { spec, metadata } = plain.further.spec.template;
    assert.deepEqual(spec?.containers, plain.own.spec.template.spec?.containers);
    assert.deepEqual(spec?.volumes, plain.own.spec.template.spec?.volumes);
    assert.deepEqual(metadata?.annotations, plain.own.spec.template.metadata?.annotations);
    assert.deepEqual(
      spec?.topologySpreadConstraints?.map(({ labelSelector }) => labelSelector),
      [plain.further.spec.selector],
    );
  });

  test("have their own replicas, resources and PodDisruptionBudget", () => {
    const resources = { requests: { cpu: "500m" }, limits: { memory: "4Gi" } };
    const spec = { replicas: 2, artifactServer: { replicas: 3, resources } };
    const { own, further } = deploymentsOf({ ...spec, pod: { resources: { limits: { memory: "3Gi" } } } });
    assert.deepEqual([own.spec.replicas, further.spec.replicas], [2, 3]);
    const limits = [own, further].map((each) => each.spec.template.spec?.containers[0]?.resources?.limits);
    assert.deepEqual(limits, [{ memory: "3Gi" }, { memory: "4Gi" }]);
    const budget = find(desired(spec), "PodDisruptionBudget", "demo-artifacts");
    assert.deepEqual(budget?.spec.selector, further.spec.selector);
    assert.equal(find(desired({ artifactServer: {} }), "PodDisruptionBudget", "demo-artifacts"), undefined);
  });

  test("have the resources of the others by default", () => {
    const resources = { requests: { cpu: "2" }, limits: { memory: "8Gi" } };
    const { own, further } = deploymentsOf({ pod: { resources }, artifactServer: {} });
    const [one, other] = [own, further].map((each) => each.spec.template.spec?.containers[0]?.resources);
    assert.deepEqual(one, other);
  });

  test("are none while the server hibernates", () => {
    for (const stopped of [{ hibernate: true }, { replicas: 0 }])
      assert.equal(deploymentsOf({ ...stopped, artifactServer: { replicas: 2 } }).further.spec.replicas, 0);
  });

  test("have a Service with the port and the annotations of the server's", () => {
    const objects = desired({ artifactServer: {}, service: { annotations: { "example.com/a": "1" } } });
    const [own, further] = ["demo", "demo-artifacts"].map((name) => find(objects, "Service", name));
    assert.deepEqual(further?.spec.ports, own?.spec.ports);
    assert.deepEqual(further?.metadata.annotations, own?.metadata.annotations);
    assert.equal(further?.spec.selector?.[label.component], "artifacts");
  });

  test("do not exist unless the spec has them", () => {
    assert.deepEqual(
      desired({}).filter(({ metadata }) => metadata.name === "demo-artifacts"),
      [],
    );
  });
});

describe("the routes to the pods for artifacts", () => {
  test("are the paths of artifacts, without a timeout, in an HTTPRoute", () => {
    const rule = (paths: readonly string[], service: string) => ({ paths, service: [service], timeout: "0s" });
    assert.deepEqual(routesTo({ artifactServer: {} }), [rule(["/"], "demo"), rule(ofArtifacts(), "demo-artifacts")]);
    const exposure = { externalURL: "https://platform.example.com/ml", httpRoute: { parentRefs: [{ name: "p" }] } };
    assert.deepEqual(routesTo({ artifactServer: {}, exposure }), [
      rule(["/ml"], "demo"),
      rule(ofArtifacts("/ml"), "demo-artifacts"),
    ]);
  });

  test("are those below the paths of a host in an Ingress", () => {
    const pathsOf = (exposure: Exposure) =>
      find(desired({ artifactServer: {}, exposure }), "Ingress", "demo")?.spec.rules?.map(({ host, http }) => [
        host,
        ...(http?.paths.map(({ path, backend }) => `${path} ${backend.service?.name}`) ?? []),
      ]);
    const hosts = [
      { host: "a.example.com" },
      { host: "b.example.com", paths: ["/api", "/get-artifact"] },
      { host: "c.example.com", paths: ["/v1/traces"] },
    ];
    assert.deepEqual(pathsOf({ externalURL: "https://a.example.com/ml", ingress: { hosts } }), [
      ["a.example.com", "/ml demo", ...ofArtifacts("/ml").map((path) => `${path} demo-artifacts`)],
      [
        "b.example.com",
        "/ml/api demo",
        "/ml/api/2.0/mlflow-artifacts demo-artifacts",
        "/ml/get-artifact demo-artifacts",
      ],
      ["c.example.com", "/ml/v1/traces demo"],
    ]);
  });
});
