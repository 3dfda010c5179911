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
