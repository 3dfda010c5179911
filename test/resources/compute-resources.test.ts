import assert from "node:assert/strict";
import { test } from "node:test";
import type { Deployment, Job } from "../../src/kube/manifests.ts";
import { all, deploymentOf, inputs, jobOf, postgresql, secret, server } from "../support/fixtures.ts";

const resourcesOf = (resources: object) =>
  deploymentOf(inputs(server({ pod: { resources } }))).spec.template.spec?.containers[0]?.resources;

test("accepts numbers as quantities, and writes text", () => {
  assert.deepEqual(resourcesOf({ requests: { cpu: 2 }, limits: { memory: "4Gi", "nvidia.com/gpu": 1 } }), {
    requests: { cpu: "2", memory: "256Mi" },
    limits: { memory: "4Gi", "nvidia.com/gpu": "1" },
  });
});

test("the default memory request grows with workers and job execution", () => {
  const memory = (settings: object) =>
    deploymentOf(inputs(server({ server: settings }))).spec.template.spec?.containers[0]?.resources?.requests?.[
      "memory"
    ];
  assert.equal(memory({}), "256Mi");
  assert.equal(memory({ workers: 3 }), "640Mi");
  assert.equal(memory({ jobExecution: true }), "1792Mi");
});

test("the default memory limit is at least twice the request", () => {
  const memory = (resources: object, settings: object = {}) => {
    const { requests, limits } =
      deploymentOf(inputs(server({ server: settings, pod: { resources } }))).spec.template.spec?.containers[0]
        ?.resources ?? {};
    return [requests?.["memory"], limits?.["memory"]];
  };
  assert.deepEqual(memory({}), ["256Mi", "2048Mi"]);
  assert.deepEqual(memory({}, { workers: 6 }), ["1216Mi", "2432Mi"]);
  assert.deepEqual(memory({}, { jobExecution: true }), ["1792Mi", "3584Mi"]);
  assert.deepEqual(memory({ requests: { memory: "6Gi" } }), ["6Gi", "12288Mi"]);
  assert.deepEqual(memory({ requests: { cpu: 1 }, limits: { cpu: 2 } }), ["256Mi", "2048Mi"]);
  assert.deepEqual(memory({ limits: { memory: "1Gi" } }), ["256Mi", "1Gi"]);
  assert.deepEqual(memory({ limits: { memory: "200Mi" } }), ["200Mi", "200Mi"]);
});

const workloads = (pod: object) => {
  const s3 = { bucket: "models" };
  const proxy = {
    issuerURL: "https://issuer.example.com",
    clientID: "mlflow",
    authorization: { allAuthenticatedUsers: {} },
    resources: { limits: { cpu: "1", memory: "128Mi" } },
  };
  const of = server({
    ...{ pod, backendStore: { postgresql }, artifactStore: { s3 }, authentication: { oauth2Proxy: proxy } },
    exposure: { externalURL: "https://mlflow.example.com" },
    traces: { writers: [{ namespace: "agents", serviceAccount: "collector" }], identity: "Mesh" },
    mesh: { istio: { mode: "Ambient" } },
  });
  return all(inputs(of, [secret("db", { username: "u", password: "p" })])).filter(
    (manifest): manifest is Deployment | Job => manifest.kind === "Deployment" || manifest.kind === "Job",
  );
};

const containersOf = ({ spec }: Deployment | Job) => [
  ...(spec.template.spec?.initContainers ?? []),
  ...(spec.template.spec?.containers ?? []),
];

test("with limits for MLflow every container of every pod has limits, and no request above them", () => {
  const found = workloads({ resources: { limits: { cpu: "50m", memory: "30Mi", "nvidia.com/gpu": 1 } } });
  assert.ok(found.length >= 3 && found.flatMap(containersOf).length >= 6);
  for (const { name, resources } of found.flatMap(containersOf)) {
    assert.ok(resources?.limits?.["cpu"] && resources.limits["memory"], name);
    if (name === "oauth2-proxy") continue;
    const isMain = name === "mlflow" || name === "traces";
    assert.deepEqual(resources.limits, { cpu: "50m", memory: "30Mi", ...(isMain && { "nvidia.com/gpu": "1" }) }, name);
    const cpu = resources.requests?.["cpu"];
    assert.ok(cpu === undefined || Number.parseInt(cpu, 10) <= 50, name);
    assert.ok([undefined, "30Mi"].includes(resources.requests?.["memory"]), name);
  }
});

test("init containers and Jobs use setupResources", () => {
  const resources = { limits: { memory: "4Gi" } };
  const setupResources = { requests: { memory: "1Gi" }, limits: { memory: "2Gi" } };
  for (const { name, resources: own } of workloads({ resources, setupResources }).flatMap(containersOf)) {
    if (["mlflow", "traces", "oauth2-proxy"].includes(name)) continue;
    assert.deepEqual([own?.requests?.["memory"], own?.limits], ["1Gi", { memory: "2Gi" }], name);
  }
  assert.deepEqual(jobOf(inputs()).spec.template.spec?.containers[0]?.resources?.limits, { memory: "2048Mi" });
});

test("pod annotations apply to the migration, too, and a change replaces an unfinished Job", () => {
  const annotations = { "linkerd.io/inject": "disabled" };
  const job = jobOf(inputs(server({ pod: { annotations } })));
  assert.deepEqual(job.spec.template.metadata?.annotations, annotations);
  assert.notDeepEqual(job.metadata.annotations, jobOf(inputs()).metadata.annotations);
});
