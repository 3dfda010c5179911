import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import type { Pod } from "../../../src/kube/manifests.ts";
import { label } from "../../../src/kube/names.ts";
import { onK3s, sharedControlPlane } from "../../control-plane/shared.ts";
import { auditLog } from "../../support/audit-log.ts";
import { eventually } from "../../support/eventually.ts";
import { history } from "../../support/history.ts";
import { healthy, type PodOutcome } from "../../support/kubelet.ts";
import { condition, type Fixture, fixture, nothingWasForbidden } from "../../support/operator-fixture.ts";
import { databaseSecret, onPostgresql, secret, server } from "../../support/servers.ts";

const isMigration = (pod: Pod) => pod.metadata.labels?.[label.component] === "migration";
const migrations = (fate: PodOutcome) => (pod: Pod) => (isMigration(pod) ? fate : healthy(pod));
const servers = (fate: PodOutcome) => (pod: Pod) => (isMigration(pod) ? healthy(pod) : fate);
const creating: PodOutcome = { does: "waits", reason: "ContainerCreating", message: "" };

/** Waits until `Ready` has this reason, stalled or not, and returns the message. */
function reported({ objects }: Fixture, reason: string, seconds = 60): Promise<string> {
  return eventually(async () => {
    const ready = condition(await objects.the("MlflowServer", "mlflow"), "Ready");
    assert.equal(ready.reason, reason, ready.message);
    return ready.message;
  }, seconds);
}

/** Records the event of a kubelet about each matching pod. */
async function failedMount({ objects, cluster, namespace }: Fixture, fits: (pod: Pod) => boolean): Promise<void> {
  const pod = await eventually(async () => {
    const found = (await objects.list("Pod")).find(fits);
    assert.ok(found !== undefined, "there is no such pod yet");
    return found;
  });
  const { name, uid } = pod.metadata;
  const now = new Date().toISOString();
  const { status, body } = await cluster.request("POST", `/api/v1/namespaces/${namespace}/events`, {
    body: {
      metadata: { name: `${name}.mount` },
      involvedObject: { apiVersion: "v1", kind: "Pod", namespace, name, uid },
      type: "Warning",
      reason: "FailedMount",
      message: 'MountVolume.SetUp failed for volume "data" : rpc error: the share is gone',
      source: { component: "kubelet" },
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
    },
  });
  assert.equal(status, 201, body);
}

describe("pods without progress", { skip: onK3s(), concurrency: 4 }, () => {
  before(async () => void (await sharedControlPlane()));

  test("a quota on limits rejects pods of the migration: the status quotes the event within a minute", async (context) => {
    const stage = await fixture(context);
    const hard = { "limits.cpu": "4", "limits.memory": "8Gi" };
    await stage.objects.create("ResourceQuota", { metadata: { name: "team" }, spec: { hard } });
    await stage.apply(server());
    const stalled = await stage.stalled("PodsRejected");
    for (const type of ["Stalled", "DatabaseReady"])
      assert.match(
        condition(stalled, type).message,
        /^pods cannot be created: .*failed quota: team: must specify limits/,
      );
    await stage.objects.remove("ResourceQuota", "team");
    await stage.ready("mlflow", 180);
  });

  test("an admission policy denies pods of the migration: the status quotes its message", async (context) => {
    const stage = await fixture(context);
    const name = `deny-${stage.namespace}`;
    const policies = "/apis/admissionregistration.k8s.io/v1";
    const rules = [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }];
    const validations = [{ expression: "false", message: "images come from registry.corp only" }];
    const policy = { failurePolicy: "Fail", matchConstraints: { resourceRules: rules }, validations };
    const matchResources = { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": stage.namespace } } };
    const create = async (plural: string, spec: object) => {
      const { status, body } = await stage.cluster.request("POST", `${policies}/${plural}`, {
        body: { metadata: { name }, spec },
      });
      assert.equal(status, 201, body);
    };
    await create("validatingadmissionpolicies", policy);
    await create("validatingadmissionpolicybindings", {
      ...{ policyName: name, validationActions: ["Deny"], matchResources },
    });
    context.after(async () => {
      await stage.cluster.request("DELETE", `${policies}/validatingadmissionpolicybindings/${name}`);
      await stage.cluster.request("DELETE", `${policies}/validatingadmissionpolicies/${name}`);
    });
    // Until the policy is active, pods are admitted.
    await eventually(async () => {
      const securityContext = {
        ...{ allowPrivilegeEscalation: false, runAsNonRoot: true, capabilities: { drop: ["ALL"] } },
        seccompProfile: { type: "RuntimeDefault" },
      };
      const spec = { containers: [{ name: "a", image: "a", securityContext }] };
      const trial = { apiVersion: "v1", kind: "Pod", metadata: { name: "trial" }, spec };
      const path = `/api/v1/namespaces/${stage.namespace}/pods?dryRun=All`;
      const { body } = await stage.cluster.request("POST", path, { body: trial });
      assert.match(body, /registry\.corp only/);
    });
    await stage.apply(server());
    const stalled = await stage.stalled("PodsRejected");
    assert.match(condition(stalled, "Stalled").message, /images come from registry\.corp only/);
  });

  for (const [title, held, fits] of [
    ["the migration", migrations(creating), isMigration],
    ["the server", servers(creating), (pod: Pod) => !isMigration(pod)],
  ] as const) {
    test(`a volume of ${title} cannot be mounted: the status quotes the event within a minute`, async (context) => {
      const stage = await fixture(context);
      stage.kubelet.decide(held);
      await stage.apply(server());
      await failedMount(stage, fits);
      const stalled = await stage.stalled("PodNotStarting");
      assert.match(condition(stalled, "Stalled").message, /\(FailedMount\): MountVolume.*the share is gone/);
      stage.kubelet.decide(healthy);
      await stage.ready("mlflow", 60);
    });
  }

  test("a sidecar keeps the migration's Job from completing: the status names the container", async (context) => {
    const stage = await fixture(context);
    stage.kubelet.decide(migrations({ does: "succeeds", injected: "linkerd-proxy" }));
    await stage.apply(server());
    const stalled = await stage.stalled("SidecarRunning");
    assert.match(condition(stalled, "Stalled").message, /container linkerd-proxy of pod mlflow-migrate-.* still runs/);
    stage.kubelet.decide(healthy);
    await stage.ready("mlflow", 60);
  });

  test("a suspended Job or a paused Deployment is reported immediately, until it is resumed", async (context) => {
    const stage = await fixture(context);
    stage.kubelet.decide(migrations({ does: "nothing" }));
    await stage.apply(server());
    const job = await eventually(async () => {
      const [found] = await stage.objects.list("Job");
      assert.ok(found !== undefined);
      return found.metadata.name;
    });
    await stage.objects.patch("Job", job, { spec: { suspend: true } });
    assert.match(await reported(stage, "JobSuspended"), /kubectl patch job/);
    await stage.stalled("JobSuspended", "mlflow", 90);
    stage.kubelet.decide(healthy);
    await stage.objects.patch("Job", job, { spec: { suspend: false } });
    await stage.ready("mlflow", 60);

    await stage.objects.patch("Deployment", "mlflow", { spec: { paused: true } });
    await stage.objects.patch("MlflowServer", "mlflow", { spec: { server: { workers: 2 } } });
    assert.match(await reported(stage, "RolloutPaused"), /kubectl rollout resume/);
    await stage.stalled("RolloutPaused", "mlflow", 90);
    await stage.objects.patch("Deployment", "mlflow", { spec: { paused: false } });
    await stage.ready("mlflow", 60);
  });

  test("no event is read of pods with progress", async (context) => {
    const stage = await fixture(context);
    const since = await stage.mark();
    await stage.apply(server());
    await stage.ready("mlflow", 60);
    const calls = await auditLog(stage.cluster).calls({ since, user: stage.identity.user });
    assert.deepEqual(
      calls.filter(({ resource, verb }) => resource === "events" && verb === "list"),
      [],
    );
  });
});

describe("a reference that another controller creates", { skip: onK3s(), concurrency: 2 }, () => {
  test("does not stall a server if it is created a little later", async (context) => {
    const stage = await fixture(context, { operator: { gracePeriodSeconds: 120 } });
    const recorded = await history(stage.cluster, stage.namespace, "MlflowServer");
    context.after(() => recorded.stop());
    await stage.apply(server("mlflow", onPostgresql));
    await reported(stage, "SecretNotFound");
    await stage.objects.create("Secret", databaseSecret);
    await stage.ready("mlflow", 60);
    for (const { object } of await recorded.versions("mlflow")) {
      const stalled = object.status?.conditions?.find(({ type }) => type === "Stalled");
      assert.notEqual(stalled?.status, "True", JSON.stringify(object.status));
    }
  });

  test("stalls a server if it is not created within the grace period, which a restart does not reset", async (context) => {
    const seconds = 8;
    const stage = await fixture(context, { operator: false });
    const start = () => stage.start({ gracePeriodSeconds: seconds });
    await start();
    await stage.apply(server("mlflow", onPostgresql, { "spec.server.tls": { certificateSecretRef: { name: "tls" } } }));
    const message = await reported(stage, "SecretNotFound");
    assert.match(message, /^2 problems: \(1\) .*Secret database.*\(2\) .*Secret tls/);
    const began = Date.now();
    const first = await stage.objects.the("MlflowServer", "mlflow");
    assert.equal(condition(first, "Reconciling").status, "True");
    await stage.stop();
    await start();
    const stalled = await stage.stalled("SecretNotFound", "mlflow", seconds + 5);
    assert.ok(Date.now() - began < (seconds + 5) * 1000);
    assert.equal(stalled.status?.observedGenerationTime, first.status?.observedGenerationTime);
    const since = await stage.quiet();
    await stage.objects.create("Secret", secret("unrelated", { a: "b" }));
    assert.deepEqual(await stage.calls(since), []);
  });
});

test("nothing was forbidden", { skip: onK3s() }, nothingWasForbidden);
