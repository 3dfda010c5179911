import assert from "node:assert/strict";
import { test } from "node:test";
import { deploymentOf, inputs, server } from "../support/fixtures.ts";

const resourcesOf = (resources: object) =>
  deploymentOf(inputs(server({ pod: { resources } }))).spec.template.spec?.containers[0]?.resources;

test("amounts may be numbers, and are text in what is written", () => {
  assert.deepEqual(resourcesOf({ requests: { cpu: 2 }, limits: { memory: "4Gi", "nvidia.com/gpu": 1 } }), {
    requests: { cpu: "2" },
    limits: { memory: "4Gi", "nvidia.com/gpu": "1" },
  });
});

test("the default request of memory grows with the workers and with jobs", () => {
  const memory = (settings: object) =>
    deploymentOf(inputs(server({ server: settings }))).spec.template.spec?.containers[0]?.resources?.requests?.[
      "memory"
    ];
  assert.equal(memory({}), "512Mi");
  assert.equal(memory({ workers: 3 }), "1152Mi");
  assert.equal(memory({ jobExecution: true }), "2048Mi");
});

test("memory has a limit, which is twice the request at least and never below it", () => {
  const memory = (resources: object, settings: object = {}) => {
    const { requests, limits } =
      deploymentOf(inputs(server({ server: settings, pod: { resources } }))).spec.template.spec?.containers[0]
        ?.resources ?? {};
    return [requests?.["memory"], limits?.["memory"]];
  };
  assert.deepEqual(memory({}), ["512Mi", "2048Mi"]);
  assert.deepEqual(memory({}, { workers: 4 }), ["1472Mi", "2944Mi"]);
  assert.deepEqual(memory({}, { jobExecution: true }), ["2048Mi", "4096Mi"]);
  assert.deepEqual(memory({ requests: { memory: "6Gi" } }), ["6Gi", "12288Mi"]);
  assert.deepEqual(memory({ requests: { cpu: 1 }, limits: { cpu: 2 } }), ["512Mi", "2048Mi"]);
  assert.deepEqual(memory({ limits: { memory: "1Gi" } }), [undefined, "1Gi"]);
});
