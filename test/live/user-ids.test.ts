import assert from "node:assert/strict";
import { test } from "node:test";
import { pathOf } from "../support/objects.ts";
import { server } from "../support/servers.ts";
import { liveFixture } from "./live-fixture.ts";
import { assertKept, logRun } from "./tracked-run.ts";
import { waitUntil } from "./wait-until.ts";

/** Outside of the ids of Debian and of the images, as OpenShift assigns them. */
const assigned = 1_000_660_000;

/**
 * What OpenShift's SecurityContextConstraint `restricted-v2` does with the user and groups of pods: pods without ids get those of their namespace,
 * and other ids are rejected.
 */
function constraint(namespace: string): readonly object[] {
  const metadata = { name: `assigned-ids-${namespace}` };
  const binding = { policyName: metadata.name };
  const matchConstraints = {
    namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
    resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }],
  };
  const ids = `Object.spec.securityContext{runAsUser: ${assigned}, fsGroup: ${assigned}}`;
  const mutation = {
    patchType: "ApplyConfiguration",
    applyConfiguration: { expression: `Object{spec: Object.spec{securityContext: ${ids}}}` },
  };
  const withoutIDs = { name: "without-ids", expression: "!has(object.spec.securityContext.runAsUser)" };
  const validation = {
    expression: `object.spec.securityContext.runAsUser == ${assigned} && object.spec.securityContext.fsGroup == ${assigned}`,
    message: "user and groups must be in the range of the namespace",
  };
  const mutating = {
    matchConstraints,
    matchConditions: [withoutIDs],
    mutations: [mutation],
    reinvocationPolicy: "Never",
  };
  return Object.entries({
    MutatingAdmissionPolicy: mutating,
    MutatingAdmissionPolicyBinding: binding,
    ValidatingAdmissionPolicy: { matchConstraints, validations: [validation] },
    ValidatingAdmissionPolicyBinding: { ...binding, validationActions: ["Deny"] },
  }).map(([kind, spec]) => ({ apiVersion: "admissionregistration.k8s.io/v1", kind, metadata, spec }));
}

/** A pod that Pod Security `restricted` accepts. */
const podOf = (ids: object) => ({
  metadata: { name: "trial" },
  spec: {
    securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" }, ...ids },
    containers: [
      {
        name: "trial",
        image: "trial",
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
      },
    ],
  },
});

test("a server on a volume, with the user and group that the namespace assigns", {
  timeout: 1_200_000,
}, async (context) => {
  const fixture = await liveFixture(context, { userIDs: "namespace" });
  const { cluster, namespace } = fixture;
  const policies = JSON.stringify({ apiVersion: "v1", kind: "List", items: constraint(namespace) });
  const applied = await cluster.kubectl(["apply", "-f", "-"], policies);
  assert.equal(applied.code, 0, applied.stderr);
  context.after(() => cluster.kubectl(["delete", "-f", "-"], policies));
  await waitUntil(async () => {
    const path = `${pathOf("Pod", namespace)}?dryRun=All`;
    const create = (ids: object) =>
      fixture.objects.attempt("POST", path, { apiVersion: "v1", kind: "Pod", ...podOf(ids) });
    assert.match((await create({ runAsUser: 1000, fsGroup: 1000 })).body, /must be in the range of the namespace/);
    assert.equal(JSON.parse((await create({})).body).spec.securityContext.runAsUser, assigned);
  }, 120);

  await fixture.apply(server());
  await fixture.ready("mlflow");
  const admin = await fixture.asAdmin("mlflow");
  await assertKept(admin, await logRun(admin));
  const [pod] = await fixture.pods("mlflow");
  assert.ok(pod !== undefined);
  assert.match(
    await fixture.inPod(pod.metadata.name, ["id"]),
    new RegExp(`^uid=${assigned} gid=0\\(root\\) .*${assigned}`),
  );
});
