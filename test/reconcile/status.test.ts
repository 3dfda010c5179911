import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MlflowServer } from "../../src/api/server.ts";
import { resolve } from "../../src/features/resolve.ts";
import type { Deployment, Owned } from "../../src/kube/manifests.ts";
import { blocked, outcomeOf } from "../../src/reconcile/outcome.ts";
import { planOf } from "../../src/reconcile/plan.ts";
import { statusOf } from "../../src/reconcile/status.ts";
import { all, completedJob, inputs, jobOf, pod, recordOf, server } from "../support/fixtures.ts";

/** The observed state with all objects of a server, a complete migration and these pods. */
function world(of: MlflowServer, rollout: Deployment["status"], more: Owned[] = []) {
  const wanted = inputs(of);
  const owned = all(wanted).map((manifest): Owned => {
    if (manifest.kind === "Job") return completedJob(manifest);
    if (manifest.kind !== "Deployment") return manifest;
    return { ...manifest, metadata: { ...manifest.metadata, generation: 2 }, ...(rollout && { status: rollout }) };
  });
  const { installation, references } = wanted;
  const migration = recordOf(jobOf(wanted));
  const observed = {
    server: { ...of, status: { ...of.status, migration } },
    owned: [...owned, ...more],
    references,
    model: resolve(wanted),
    installation,
    unmanaged: [],
    granted: [],
    isMutatedByAdmission: () => false,
    now: new Date(0),
  };
  const outcome = outcomeOf(observed, planOf(observed));
  const status = statusOf(observed, outcome);
  const condition = (type: string) => status.conditions?.find((each) => each.type === type);
  return { observed, outcome, status, condition };
}

const done = { observedGeneration: 2, replicas: 1, updatedReplicas: 1, availableReplicas: 1, readyReplicas: 1 };

test("the status has the external URL and that of the Service", () => {
  const externalURL = "https://platform.example.com/clusters/c1/mlflow";
  const { status } = world(server({ exposure: { externalURL } }), done);
  assert.deepEqual(
    [status.url, status.serviceURL, status.externalURL],
    [externalURL, "http://demo.team-a:5000", externalURL],
  );
  assert.equal(world(server(), done).status.externalURL, undefined);
});

describe("Ready", () => {
  test("is True when the rollout of this spec is over", () => {
    const { condition, status } = world(server(), done);
    assert.equal(condition("Ready")?.status, "True");
    assert.equal(condition("Reconciling")?.status, "False");
    assert.equal(condition("Stalled")?.status, "False");
    assert.equal(status.version, "3.17.2");
  });

  test("is False while the Deployment's status is of an earlier spec", () => {
    assert.equal(world(server(), { ...done, observedGeneration: 1 }).condition("Ready")?.status, "False");
  });

  test("is False while a pod of an earlier spec is left, even if pods are available", () => {
    const { condition, status } = world(server(), { ...done, replicas: 2 });
    assert.equal(condition("Ready")?.status, "False");
    assert.equal(condition("Reconciling")?.status, "True");
    assert.equal(condition("Available")?.status, "True");
    assert.equal(status.version, undefined);
  });

  test("is True during hibernation, and Available is not", () => {
    const asleep = world(server({ hibernate: true }), { observedGeneration: 2 });
    assert.equal(asleep.condition("Ready")?.reason, "Hibernated");
    assert.equal(asleep.condition("Ready")?.status, "True");
    assert.equal(asleep.condition("Available")?.status, "False");
  });
});

describe("Stalled", () => {
  const waiting = (reason: string) =>
    pod("server", {
      containerStatuses: [
        {
          name: "mlflow",
          image: "i:1",
          imageID: "",
          ready: false,
          restartCount: 0,
          state: { waiting: { reason, message: "no such image" } },
        },
      ],
    });

  test("reports why a pod does not become ready, with Ready False and the previous pods Available", () => {
    const { condition } = world(server(), { ...done, updatedReplicas: 0 }, [waiting("ImagePullBackOff")]);
    assert.equal(condition("Stalled")?.reason, "ImagePullFailed");
    assert.match(condition("Stalled")?.message ?? "", /image i:1.*no such image.*spec\.image/);
    assert.equal(condition("Ready")?.status, "False");
    assert.equal(condition("Available")?.status, "True");
  });

  test("reports Unschedulable only after ten seconds, because a node may still become available", () => {
    const noNode = (creationTimestamp: string) => {
      const conditions = [{ type: "PodScheduled", status: "False", reason: "Unschedulable", message: "0/1 nodes" }];
      return world(server(), { ...done, availableReplicas: 0 }, [pod("server", { conditions }, { creationTimestamp })]);
    };
    const young = noNode(new Date(-9_000).toISOString());
    assert.equal(young.condition("Stalled")?.status, "False");
    assert.equal(young.condition("Reconciling")?.reason, "Progressing");
    assert.ok(young.outcome.againInSeconds, "no reconciliation is scheduled after the ten seconds");
    assert.equal(noNode(new Date(-11_000).toISOString()).condition("Stalled")?.reason, "Unschedulable");
  });

  test("reports rejected pods with the API server's message", () => {
    const conditions = [{ type: "ReplicaFailure", status: "True", message: "exceeded quota: small" }];
    const { condition } = world(server(), { ...done, availableReplicas: 0, conditions });
    assert.equal(condition("Stalled")?.reason, "PodsRejected");
    assert.match(condition("Stalled")?.message ?? "", /exceeded quota/);
  });
});

describe("conditions", () => {
  test("lastTransitionTime changes only with the status", () => {
    const before = {
      type: "Ready",
      status: "True",
      reason: "Ready",
      message: "old",
      observedGeneration: 0,
      lastTransitionTime: "2020-01-01T00:00:00Z",
    } as const;
    const same = world(server({}, { status: { conditions: [before] } }), done).condition("Ready");
    assert.equal(same?.lastTransitionTime, "2020-01-01T00:00:00Z");
    assert.equal(same?.observedGeneration, 1);
    const changed = world(server({}, { status: { conditions: [before] } }), {}).condition("Ready");
    assert.equal(changed?.lastTransitionTime, "1970-01-01T00:00:00Z");
  });
});

describe("a condition that was not checked", () => {
  const ready = world(server(), done).status;
  const changed = (spec: Parameters<typeof server>[0]) => {
    const of = server(spec);
    return { ...of, metadata: { ...of.metadata, generation: 2 }, status: ready };
  };
  const missing = { reason: "SecretNotFound", message: "Secret none does not exist" } as const;

  test("keeps its generation", () => {
    const of = changed({ authentication: { basic: { adminCredentialsSecretRef: { name: "none" } } } });
    const { observed } = world(of, done);
    const { conditions = [] } = statusOf(observed, blocked([missing], observed));
    const of2 = conditions.filter(({ observedGeneration }) => observedGeneration === 2).map(({ type }) => type);
    assert.deepEqual(of2, ["Ready", "Reconciling", "Stalled", "Available", "EndpointSecured"]);
    const database = conditions.find(({ type }) => type === "DatabaseReady");
    assert.deepEqual([database?.status, database?.observedGeneration], ["True", 1]);
  });

  test("is Unknown for a database that has never been checked", () => {
    const { observed } = world(server(), done);
    const { conditions = [] } = statusOf(observed, blocked([missing], observed));
    assert.equal(conditions.find(({ type }) => type === "DatabaseReady")?.status, "Unknown");
  });

  test("keeps the authentication of pods of an earlier spec that may still run", () => {
    const { observed } = world(changed({ authentication: { none: {} } }), done);
    const status = statusOf(observed, blocked([missing], observed));
    assert.deepEqual([status.authentication, status.adminCredentialsSecretRef?.name], ["Basic", "demo-admin"]);
    const { status: after } = world(changed({ authentication: { none: {} } }), done);
    assert.deepEqual([after.authentication, after.adminCredentialsSecretRef], ["None", undefined]);
  });
});

describe("the plan", () => {
  test("is empty if all objects match the spec", () => {
    assert.equal(world(server(), done).outcome.state, "ready");
  });
});

test("the administrator's Secret is in the status only if the administrator can log in", () => {
  const groups = { filter: "(member=%s)", admin: "cn=a,dc=test", user: "cn=u,dc=test" };
  const ldap = { url: "ldaps://ldap.example.com/dc=test", userBind: "uid=%s,dc=test", groups };
  const ofBasic = world(server(), done).status;
  const ofLdap = world(server({ authentication: { ldap } }), done).status;
  assert.deepEqual([ofBasic.authentication, ofBasic.adminCredentialsSecretRef?.name], ["Basic", "demo-admin"]);
  assert.deepEqual([ofLdap.authentication, ofLdap.adminCredentialsSecretRef], ["LDAP", undefined]);
});
