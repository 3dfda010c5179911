import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { eventually } from "../../support/eventually.ts";
import { fixture, nothingWasForbidden } from "../../support/operator-fixture.ts";
import { server } from "../../support/servers.ts";

describe("a mutating admission policy", () => {
  test("is not fought: the server becomes Ready, and then nothing is applied", async (context) => {
    const { cluster, namespace, apply, ready, quiet, writes, objects, operator } = await fixture(context);
    const name = `pull-always-${namespace}`;
    const policy = {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "MutatingAdmissionPolicy",
      metadata: { name },
      spec: {
        matchConstraints: {
          namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
          resourceRules: [
            { apiGroups: ["apps"], apiVersions: ["v1"], operations: ["CREATE", "UPDATE"], resources: ["deployments"] },
          ],
        },
        reinvocationPolicy: "Never",
        failurePolicy: "Fail",
        mutations: [
          {
            patchType: "JSONPatch",
            jsonPatch: {
              expression:
                '[JSONPatch{op: "replace", path: "/spec/template/spec/containers/0/imagePullPolicy", value: "Always"}]',
            },
          },
        ],
      },
    };
    const binding = {
      apiVersion: policy.apiVersion,
      kind: "MutatingAdmissionPolicyBinding",
      metadata: { name },
      spec: { policyName: name },
    };
    const root = `/apis/${policy.apiVersion}`;
    context.after(async () => {
      await cluster.request("DELETE", `${root}/mutatingadmissionpolicybindings/${name}`);
      await cluster.request("DELETE", `${root}/mutatingadmissionpolicies/${name}`);
    });
    for (const [plural, body] of [
      ["mutatingadmissionpolicies", policy],
      ["mutatingadmissionpolicybindings", binding],
    ] as const) {
      const answer = await cluster.request("POST", `${root}/${plural}`, { body });
      assert.equal(answer.status, 201, answer.body);
    }
    // The API server applies a policy with a delay.
    await eventually(async () => {
      const trial = { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "trial" }, spec: trialSpec };
      const answer = await cluster.request("POST", `/apis/apps/v1/namespaces/${namespace}/deployments?dryRun=All`, {
        body: trial,
      });
      assert.match(answer.body, /"imagePullPolicy":"Always"/);
    });

    await apply(server());
    await ready();
    const deployment = await objects.get("Deployment", "mlflow");
    assert.match(JSON.stringify(deployment), /"imagePullPolicy":"Always"/);
    await eventually(() => assert.ok(operator().log.some((line) => /admission/.test(JSON.stringify(line)))));
    const since = await quiet();
    await sleep(3000);
    assert.deepEqual(await writes(since), []);
  });

  test("makes the operator request nothing that its roles forbid", nothingWasForbidden);
});

const trialSpec = {
  selector: { matchLabels: { app: "trial" } },
  template: {
    metadata: { labels: { app: "trial" } },
    spec: { containers: [{ name: "c", image: "i:1", imagePullPolicy: "IfNotPresent" }] },
  },
};
