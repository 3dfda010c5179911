import assert from "node:assert/strict";
import { before, describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Job, Pod } from "../../../src/kube/manifests.ts";
import { label } from "../../../src/kube/names.ts";
import { onK3s, sharedControlPlane } from "../../control-plane/shared.ts";
import { eventually, steadily } from "../../support/eventually.ts";
import { history, type Version } from "../../support/history.ts";
import { healthy, type PodOutcome } from "../../support/kubelet.ts";
import { condition, type Fixture, fixture, nothingWasForbidden } from "../../support/operator-fixture.ts";
import { databaseSecret, onPostgresql, secret, server } from "../../support/servers.ts";

const isMigration = ({ metadata }: Pod | Job) => metadata.labels?.[label.component] === "migration";

/** Pods of migrations behave like this, and those of servers run. */
const migrations = (fate: PodOutcome) => (pod: Pod) => (isMigration(pod) ? fate : healthy(pod));

const notPulled: PodOutcome = { does: "waits", reason: "ImagePullBackOff", message: "back-off pulling image" };

const failing = (reason: string, message: string): PodOutcome => ({
  does: "exits",
  exitCode: 1,
  message: `${JSON.stringify({ reason, message })}\n`,
});

/** Its pods can serve until those of the newest version replace them. */
const older = { ...onPostgresql, "spec.version": "3.17.0" };

interface Watched extends Fixture {
  /** Every version of every Job so far. */
  readonly jobs: () => Promise<readonly Version<Job>[]>;
}

/** A fixture that asserts at its end that no two Jobs were unfinished at the same time. */
async function watched(context: TestContext): Promise<Watched> {
  const stage = await fixture(context);
  const seen = await history(stage.cluster, stage.namespace, "Job");
  context.after(async () => {
    try {
      assertOneAtATime(await seen.versions());
    } finally {
      seen.stop();
    }
  });
  await stage.objects.create("Secret", databaseSecret);
  return { ...stage, jobs: () => seen.versions() };
}

function assertOneAtATime(versions: readonly Version<Job>[]): void {
  const unfinished = new Map<string, string>();
  for (const { type, object } of versions) {
    if (!isMigration(object)) continue;
    const { uid = "", name } = object.metadata;
    const isOver = object.status?.conditions?.some(({ type, status }) => type === "Complete" && status === "True");
    if (type === "DELETED" || isOver) unfinished.delete(uid);
    else unfinished.set(uid, name);
    assert.ok(unfinished.size <= 1, `two migrations at the same time: ${[...unfinished.values()].join(" and ")}`);
  }
}

/** The one Job, which must not be complete. */
async function onlyJob({ objects }: Fixture): Promise<Job> {
  const jobs = (await objects.list("Job")).filter(isMigration);
  assert.equal(jobs.length, 1, `Jobs: ${jobs.map(({ metadata }) => metadata.name).join(", ")}`);
  const [job] = jobs;
  assert.ok(job !== undefined);
  return job;
}

async function serverPods({ objects }: Fixture): Promise<(string | undefined)[]> {
  const pods = await objects.list("Pod");
  return pods
    .filter(({ metadata }) => metadata.labels?.[label.component] === "server")
    .map(({ metadata }) => metadata.uid);
}

const sleepy: PodOutcome = { does: "nothing" };

describe("migration", { skip: onK3s(), concurrency: 4 }, () => {
  before(async () => void (await sharedControlPlane()));

  test("runs first: no Deployment before the Job is complete", async (context) => {
    const stage = await watched(context);
    stage.kubelet.decide(migrations(sleepy));
    await stage.apply(server("mlflow", onPostgresql));
    await eventually(() => onlyJob(stage));
    await steadily(async () => assert.deepEqual(await stage.objects.list("Deployment"), []), 2);
    const job = await onlyJob(stage);
    const waiting = await eventually(async () => {
      const found = await stage.objects.the("MlflowServer", "mlflow");
      assert.equal(condition(found, "Reconciling").reason, "MigrationRunning");
      return found;
    });
    assert.match(condition(waiting, "Reconciling").message, new RegExp(`^Job/${job.metadata.name} `));
    assert.deepEqual(
      [condition(waiting, "DatabaseReady").status, condition(waiting, "DatabaseReady").reason],
      ["False", "MigrationRunning"],
    );
    stage.kubelet.decide(migrations({ does: "runs" }));
    await steadily(async () => assert.deepEqual(await stage.objects.list("Deployment"), []), 1);
    stage.kubelet.decide(healthy);
    const ready = await stage.ready("mlflow", 60);
    assert.equal(condition(ready, "DatabaseReady").reason, "MigrationComplete");
    assert.deepEqual((await onlyJob(stage)).metadata.uid, job.metadata.uid);
  });

  test("that fails reports its program's message, and recovers", async (context) => {
    const stage = await watched(context);
    const message = "Connecting: the database at db.example.com:5432 does not answer.";
    stage.kubelet.decide(migrations(failing("DatabaseUnreachable", message)));
    await stage.apply(server("mlflow", onPostgresql));
    const stalled = await stage.stalled("DatabaseUnreachable");
    assert.equal(condition(stalled, "Stalled").message, message);
    assert.equal(condition(stalled, "DatabaseReady").message, message);
    assert.deepEqual(await stage.objects.list("Deployment"), []);
    stage.kubelet.decide(migrations(failing("DatabaseAuthenticationFailed", "refused")));
    await stage.stalled("DatabaseAuthenticationFailed");
    stage.kubelet.decide(healthy);
    await stage.ready("mlflow", 60);
  });

  test("that exits without a report has a message that names the log, and quotes nothing", async (context) => {
    const stage = await watched(context);
    const leak = "could not connect with password hunter2hunter2";
    stage.kubelet.decide(migrations({ does: "exits", exitCode: 137, message: leak }));
    await stage.apply(server("mlflow", onPostgresql));
    const stalled = await stage.stalled("CrashLooping");
    assert.match(condition(stalled, "Stalled").message, /exit code 137.*kubectl logs -n \S+ \S+ -c migrate --previous/);
    assert.ok(!JSON.stringify(stalled).includes("hunter2"));
    stage.kubelet.decide(healthy);
    await stage.ready("mlflow", 60);
  });

  test("whose image cannot be pulled is reported", async (context) => {
    const stage = await watched(context);
    stage.kubelet.decide(migrations(notPulled));
    await stage.apply(server("mlflow", onPostgresql));
    const stalled = await stage.stalled("ImagePullFailed");
    assert.match(condition(stalled, "Stalled").message, /mlflow-server:3\.17\.2 cannot be pulled.*Check spec\.image/);
    stage.kubelet.decide(healthy);
    await stage.ready("mlflow", 60);
  });

  test("of an upgrade does not change running pods until it is complete", async (context) => {
    const stage = await watched(context);
    await stage.apply(server("mlflow", older, { "spec.replicas": 2 }));
    assert.equal((await stage.ready("mlflow", 60)).status?.version, "3.17.0");
    const former = await serverPods(stage);
    const deployment = await stage.objects.the("Deployment", "mlflow");
    stage.kubelet.decide(migrations({ does: "runs" }));
    await stage.apply(server("mlflow", onPostgresql, { "spec.replicas": 2 }));
    await eventually(async () => assert.equal((await stage.objects.list("Job")).filter(isMigration).length, 2));
    await steadily(async () => {
      assert.deepEqual(await serverPods(stage), former);
      const now = await stage.objects.the("Deployment", "mlflow");
      assert.equal(now.metadata.generation, deployment.metadata.generation);
    }, 2);
    const migrating = await stage.objects.the("MlflowServer", "mlflow");
    assert.equal(condition(migrating, "Available").status, "True");
    assert.equal(migrating.status?.version, "3.17.0");
    stage.kubelet.decide(healthy);
    assert.equal((await stage.ready("mlflow", 60)).status?.version, "3.17.2");
    assert.equal(new Set([...(await serverPods(stage)), ...former]).size, 4, "all pods are new");
    await eventually(() => onlyJob(stage));
  });

  test("whose image cannot be pulled is removed when the spec is reverted", async (context) => {
    const stage = await watched(context);
    await stage.apply(server("mlflow", older));
    await stage.ready("mlflow", 60);
    const former = await serverPods(stage);
    stage.kubelet.decide(migrations(notPulled));
    await stage.apply(server("mlflow", onPostgresql));
    await stage.stalled("ImagePullFailed");
    await stage.apply(server("mlflow", older));
    await stage.ready("mlflow", 60);
    assert.deepEqual(await serverPods(stage), former);
    await eventually(() => onlyJob(stage));
  });

  test("to a third version starts once a stuck one to the second is deleted", async (context) => {
    const stage = await watched(context);
    stage.kubelet.decide(migrations(notPulled));
    await stage.apply(server("mlflow", older));
    await stage.stalled("ImagePullFailed");
    const stuck = await onlyJob(stage);
    await stage.apply(server("mlflow", { ...onPostgresql, "spec.version": "3.17.1" }));
    await eventually(async () => assert.notEqual((await onlyJob(stage)).metadata.name, stuck.metadata.name));
    stage.kubelet.decide(healthy);
    assert.equal((await stage.ready("mlflow", 60)).status?.version, "3.17.1");
  });

  test("that is running completes before a newer spec is migrated", async (context) => {
    const stage = await watched(context);
    stage.kubelet.decide(migrations(notPulled));
    await stage.apply(server("mlflow", older));
    await stage.stalled("ImagePullFailed");
    const first = await onlyJob(stage);
    stage.kubelet.decide(migrations({ does: "runs" }));
    // Only then does the operator know that the pod runs.
    await eventually(async () => {
      const working = await stage.objects.the("MlflowServer", "mlflow");
      assert.equal(condition(working, "Reconciling").reason, "MigrationRunning");
    });
    await stage.apply(server("mlflow", onPostgresql));
    await eventually(async () => {
      const waiting = await stage.objects.the("MlflowServer", "mlflow");
      assert.equal(condition(waiting, "Reconciling").reason, "MigrationPending");
    });
    await steadily(async () => assert.equal((await onlyJob(stage)).metadata.uid, first.metadata.uid), 2);
    stage.kubelet.decide(healthy);
    assert.equal((await stage.ready("mlflow", 60)).status?.version, "3.17.2");
  });

  test("starts again when the credentials change while it fails", async (context) => {
    const stage = await watched(context);
    stage.kubelet.decide(migrations(failing("DatabaseAuthenticationFailed", "refused")));
    await stage.apply(server("mlflow", onPostgresql));
    await stage.stalled("DatabaseAuthenticationFailed");
    const first = await onlyJob(stage);
    stage.kubelet.decide((pod) => {
      const isFirst = pod.metadata.ownerReferences?.some(({ uid }) => uid === first.metadata.uid);
      return isFirst ? failing("DatabaseAuthenticationFailed", "refused") : healthy(pod);
    });
    await stage.objects.patch("Secret", "database", { stringData: { password: "the right one" } });
    await stage.ready("mlflow", 60);
    const second = await onlyJob(stage);
    assert.equal(second.metadata.name, first.metadata.name);
    assert.notEqual(second.metadata.uid, first.metadata.uid);
  });

  test("is not run again when a user deletes its completed Job", async (context) => {
    const stage = await watched(context);
    await stage.apply(server("mlflow", onPostgresql));
    await stage.ready("mlflow", 60);
    const pods = await serverPods(stage);
    const first = await onlyJob(stage);
    const since = await stage.quiet();
    await stage.objects.remove("Job", first.metadata.name, { propagationPolicy: "Background" });
    await steadily(async () => assert.deepEqual(await stage.writes(since), []), 2);
    const ready = await stage.ready("mlflow", 60);
    assert.equal(condition(ready, "DatabaseReady").status, "True");
    assert.equal(ready.status?.migration?.phase, "Complete");
    assert.deepEqual(await serverPods(stage), pods);
    await stage.stop();
    await stage.start();
    await stage.apply(server("mlflow", onPostgresql, { "spec.server.workers": 3 }));
    await stage.ready("mlflow", 60);
    assert.deepEqual(await stage.objects.list("Job"), []);
  });

  test("whose Job a TTL controller deletes on completion is run once", async (context) => {
    const stage = await watched(context);
    stage.kubelet.decide(migrations({ does: "runs" }));
    await stage.apply(server("mlflow", onPostgresql));
    const { metadata } = await eventually(() => onlyJob(stage));
    await stage.objects.patch("Job", metadata.name, { spec: { ttlSecondsAfterFinished: 0 } });
    await eventually(async () => {
      const { status } = await stage.objects.the("MlflowServer", "mlflow");
      assert.equal(status?.migration?.phase, "Started");
    });
    stage.kubelet.decide(healthy);
    await stage.ready("mlflow", 60);
    await eventually(async () => assert.deepEqual(await stage.objects.list("Job"), []));
    const uids = new Set((await stage.jobs()).map(({ object }) => object.metadata.uid));
    assert.deepEqual([...uids], [metadata.uid]);
  });

  test("that is running is not stopped by a revert, a Secret or a label, and its result is reported", async (context) => {
    const stage = await watched(context);
    await stage.apply(server("mlflow", older));
    await stage.ready("mlflow", 60);
    const former = await serverPods(stage);
    stage.kubelet.decide(migrations({ does: "runs" }));
    await stage.apply(server("mlflow", onPostgresql));
    const running = await eventually(async () => {
      const found = (await stage.objects.list("Job"))
        .filter(isMigration)
        .find(({ status }) => status?.succeeded === undefined);
      assert.ok(found !== undefined && (found.status?.ready ?? 0) === 1);
      return found;
    });
    const changes: readonly (() => Promise<unknown>)[] = [
      () => stage.objects.patch("Secret", "database", { stringData: { password: "rotated" } }),
      () => stage.apply(server("mlflow", onPostgresql, { "spec.pod": { labels: { team: "a" } } })),
      () => stage.apply(server("mlflow", older, { "spec.hibernate": true })),
      () => stage.apply(server("mlflow", older)),
    ];
    for (const change of changes) {
      await change();
      const since = await stage.quiet();
      await steadily(async () => {
        const { metadata } = await stage.objects.the("Job", running.metadata.name);
        assert.deepEqual([metadata.uid, metadata.deletionTimestamp], [running.metadata.uid, undefined]);
        assert.deepEqual(await stage.writes(since), []);
        const { status } = await stage.objects.the("MlflowServer", "mlflow");
        assert.equal(status?.conditions?.find(({ type }) => type === "DatabaseReady")?.status, "False");
      }, 1);
    }
    stage.kubelet.decide(healthy);
    const refused = await stage.stalled("DowngradeRejected");
    assert.equal(condition(refused, "DatabaseReady").status, "False");
    assert.equal(condition(refused, "Available").status, "True");
    assert.equal(refused.status?.migration?.version, "3.17.2");
    assert.deepEqual(await serverPods(stage), former);
    await stage.apply(server("mlflow", onPostgresql));
    assert.equal((await stage.ready("mlflow", 60)).status?.version, "3.17.2");
  });

  test("is run again after a revert, even if a previous Job of that version had completed", async (context) => {
    const stage = await watched(context);
    await stage.apply(server("mlflow", older));
    await stage.ready("mlflow", 60);
    const former = await serverPods(stage);
    const proof = await onlyJob(stage);
    stage.kubelet.decide(migrations(failing("DatabasePermissionDenied", "not the owner")));
    await stage.apply(server("mlflow", onPostgresql));
    await stage.stalled("DatabasePermissionDenied");
    const tooNew = failing("DatabaseTooNew", "at a revision that this MLflow does not know");
    stage.kubelet.decide(migrations(tooNew));
    await stage.apply(server("mlflow", older));
    const stalled = await stage.stalled("DatabaseTooNew");
    assert.equal(condition(stalled, "DatabaseReady").status, "False");
    assert.equal(condition(stalled, "Available").status, "True");
    const again = await onlyJob(stage);
    assert.equal(again.metadata.name, proof.metadata.name);
    assert.notEqual(again.metadata.uid, proof.metadata.uid);
    stage.kubelet.decide(healthy);
    await stage.ready("mlflow", 60);
    assert.deepEqual(await serverPods(stage), former);
  });

  test("to an older version is possible once an annotation confirms a restored backup", async (context) => {
    const stage = await watched(context);
    await stage.apply(server("mlflow", onPostgresql));
    await stage.ready("mlflow", 60);
    const first = await onlyJob(stage);
    await stage.apply(server("mlflow", older));
    await stage.stalled("DowngradeRejected");
    const annotations = { "mlflow-operator.dev/database-restored": "2026-01-02" };
    await stage.objects.patch("MlflowServer", "mlflow", { metadata: { annotations } });
    assert.equal((await stage.ready("mlflow", 60)).status?.version, "3.17.0");
    await eventually(async () => assert.notEqual((await onlyJob(stage)).metadata.name, first.metadata.name));
  });

  test("is run for another database that differs only in the query of a URI", async (context) => {
    const stage = await watched(context);
    const uri = (host: string) => `postgresql+psycopg2://mlflow:pw@/mlflow?host=${host}`;
    await stage.objects.create("Secret", secret("uri", { uri: uri("one") }));
    const backendStore = { uriSecretRef: { name: "uri", key: "uri" } };
    await stage.apply(server("mlflow", { "spec.backendStore": backendStore }));
    await stage.ready("mlflow", 60);
    const { metadata } = await onlyJob(stage);
    await stage.objects.patch("Secret", "uri", { stringData: { uri: uri("two") } });
    await eventually(async () => assert.notEqual((await onlyJob(stage)).metadata.name, metadata.name));
    await stage.ready("mlflow", 60);
  });

  test("is run for another volume of the same name", async (context) => {
    const stage = await watched(context);
    await stage.apply(server());
    await stage.ready("mlflow", 60);
    const { metadata } = await onlyJob(stage);
    await stage.stop();
    // With the finalizer that protects claims in use.
    await stage.objects.patch("PersistentVolumeClaim", "mlflow", { metadata: { finalizers: null } });
    await stage.objects.remove("PersistentVolumeClaim", "mlflow");
    await eventually(async () => assert.equal(await stage.objects.get("PersistentVolumeClaim", "mlflow"), undefined));
    await stage.start();
    await eventually(async () => assert.notEqual((await onlyJob(stage)).metadata.name, metadata.name));
    await stage.ready("mlflow", 60);
  });

  test("continues when a label is removed from its Job", async (context) => {
    const stage = await watched(context);
    stage.kubelet.decide(migrations({ does: "runs" }));
    await stage.apply(server("mlflow", onPostgresql));
    const { metadata } = await eventually(() => onlyJob(stage));
    await stage.objects.patch("Job", metadata.name, { metadata: { labels: { [label.managedBy]: null } } });
    await sleep(1000);
    await stage.objects.patch("MlflowServer", "mlflow", { metadata: { annotations: { touched: "yes" } } });
    await sleep(1000);
    assert.equal((await onlyJob(stage)).metadata.uid, metadata.uid);
    stage.kubelet.decide(healthy);
    await stage.ready("mlflow", 40);
    await eventually(async () => {
      const job = await onlyJob(stage);
      assert.equal(job.metadata.uid, metadata.uid);
      assert.equal(job.metadata.labels?.[label.managedBy], "mlflow-operator");
    });
  });

  test("is not repeated for another Secret with the same database", async (context) => {
    const stage = await watched(context);
    await stage.objects.create("Secret", secret("other", { username: "mlflow", password: "other" }));
    await stage.apply(server("mlflow", onPostgresql));
    await stage.ready("mlflow", 60);
    const { metadata } = await onlyJob(stage);
    await stage.apply(
      server("mlflow", onPostgresql, { "spec.backendStore.postgresql.credentialsSecretRef": { name: "other" } }),
    );
    await stage.ready("mlflow", 60);
    assert.equal((await onlyJob(stage)).metadata.uid, metadata.uid);
    await stage.apply(server("mlflow", onPostgresql, { "spec.backendStore.postgresql.database": "another" }));
    await stage.ready("mlflow", 60);
    await eventually(async () => assert.notEqual((await onlyJob(stage)).metadata.name, metadata.name));
  });

  test("that is Manual only checks, and stalls without the schema", async (context) => {
    const stage = await watched(context);
    const manual = { "spec.backendStore.migration": "Manual" };
    stage.kubelet.decide(migrations(failing("ManualMigrationNeeded", "run mlflow db upgrade")));
    await stage.apply(server("mlflow", onPostgresql, manual));
    await stage.stalled("ManualMigrationNeeded");
    const { spec } = await onlyJob(stage);
    const mode = spec.template.spec?.containers[0]?.env?.find(({ name }) => name === "MIGRATION_MODE");
    assert.equal(mode?.value, "check");
    assert.deepEqual(await stage.objects.list("Deployment"), []);
    stage.kubelet.decide(healthy);
    await stage.ready("mlflow", 60);
  });

  test("that is Manual without a check has no Job", async (context) => {
    const stage = await watched(context);
    stage.kubelet.decide(migrations(notPulled));
    await stage.apply(
      server("mlflow", onPostgresql, {
        "spec.backendStore.migration": "Manual",
        "spec.backendStore.connectionCheck": false,
      }),
    );
    const ready = await stage.ready("mlflow", 60);
    assert.equal(condition(ready, "DatabaseReady").reason, "MigrationDisabled");
    assert.deepEqual(await stage.jobs(), []);
  });
});

test("nothing was forbidden", { skip: onK3s() }, nothingWasForbidden);
