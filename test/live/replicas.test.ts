import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pod } from "../../src/kube/manifests.ts";
import { killContainers } from "./kill-containers.ts";
import { testedVersion } from "./live-cluster.ts";
import { type LiveFixture, liveFixture, timeoutSeconds } from "./live-fixture.ts";
import { basicOn, startPostgresql } from "./postgresql-server.ts";
import { startS3 } from "./s3-server.ts";
import { steadyLoad } from "./steady-load.ts";
import { assertKept, logRun } from "./tracked-run.ts";
import { waitUntil } from "./wait-until.ts";

const name = "shared";

test("three replicas on PostgreSQL and S3", { timeout: 1_500_000 }, async (context) => {
  const fixture = await liveFixture(context);
  const [postgresql, s3] = await Promise.all([startPostgresql(fixture), startS3(fixture)]);
  await fixture.objects.create("Secret", { metadata: { name: "setting" }, stringData: { level: "1" } });
  const setting = { name: "SETTING_OF_TESTS", valueFrom: { secretKeyRef: { name: "setting", key: "level" } } };
  const spec = {
    version: testedVersion,
    ...basicOn(postgresql),
    artifactStore: { s3: s3.store },
    server: {
      env: [setting],
      allowedHosts: ["mlflow.example.com", "mlflow.example.com:8443"],
      corsAllowedOrigins: ["https://mlflow.example.com"],
    },
  };
  await fixture.apply({ metadata: { name }, spec: { ...spec, replicas: 3 } });
  await fixture.ready(name);
  const admin = await fixture.asAdmin(name);

  await context.test("all replicas start on an empty database without restarts", async () => {
    const pods = await fixture.pods(name);
    const restarts = pods.map(({ status }) => status?.containerStatuses?.[0]?.restartCount);
    assert.deepEqual(restarts, [0, 0, 0]);
    assert.equal(await postgresql.sql("mlflow", "SELECT count(*) FROM experiments WHERE name = 'Default';"), "1\n");
    assert.equal(await postgresql.sql("mlflow_auth", "SELECT username FROM users;"), "admin\n");
    const tables = "SELECT count(*) FROM information_schema.tables WHERE table_name = 'users';";
    assert.equal(await postgresql.sql("mlflow", tables), "0\n");
  });

  await context.test("artifacts are in the bucket below the prefix, and clients never access it directly", async () => {
    const run = await logRun(admin);
    await assertKept(admin, run);
    const keys = await s3.keys();
    assert.ok(
      keys.some((key) => key.startsWith("team-a/live/") && key.includes(run.runId)),
      keys.join(", "),
    );
  });

  await context.test("garbage collection deletes a deleted run with its artifacts, and no other", async () => {
    const garbageCollection = { schedule: "0 0 1 1 *", olderThan: "1s" };
    await fixture.apply({ metadata: { name }, spec: { ...spec, replicas: 3, garbageCollection } });
    const [kept, deleted] = [await logRun(admin), await logRun(admin)];
    await admin.json("POST", "/api/2.0/mlflow/runs/delete", { run_id: deleted.runId });
    await waitUntil(() => fixture.objects.the("CronJob", `${name}-gc`), timeoutSeconds);
    const { metadata, spec: cronJob } = await fixture.objects.the("CronJob", `${name}-gc`);
    // As kubectl create job --from=cronjob/shared-gc.
    const owner = { apiVersion: "batch/v1", kind: "CronJob", name: metadata.name, uid: metadata.uid, controller: true };
    await fixture.objects.create("Job", {
      metadata: { name: "collect-now", ownerReferences: [owner] },
      spec: cronJob.jobTemplate.spec,
    });
    const { status } = await fixture.reason(name, "GarbageCollectionReady", "GarbageCollectionSucceeded");
    assert.equal(status?.garbageCollection?.deletedRuns, 1);
    await assertKept(admin, kept);
    const answer = await admin.call("GET", `/api/2.0/mlflow/runs/get?run_id=${deleted.runId}`);
    assert.equal(answer.status, 404, answer.body);
    const keys = await s3.keys();
    assert.deepEqual(
      [kept, deleted].map(({ runId }) => keys.some((key) => key.includes(runId))),
      [true, false],
    );
  });

  await context.test("a session of one pod is valid in another", async () => {
    const [first, second] = await fixture.pods(name);
    const [a, b] = [admin.as({ address: ipOf(first) }), admin.as({ address: ipOf(second) })];
    const page = await a.call("GET", "/signup");
    assert.equal(page.status, 200, page.body);
    const cookie = (page.headers["set-cookie"] ?? []).map((line) => line.split(";")[0]).join("; ");
    const token = /name="csrf_token"[^>]*value="([^"]+)"/.exec(page.body)?.[1];
    assert.ok(cookie !== "" && token !== undefined, "the page has no session");
    const form = new URLSearchParams({ csrf_token: token, username: "ada", password: "of-ada-1234567" }).toString();
    const headers = { "content-type": "application/x-www-form-urlencoded", cookie };
    const path = "/api/2.0/mlflow/users/create-ui";
    const unrelated = await b.call("POST", path, {
      body: form,
      headers: { "content-type": "application/x-www-form-urlencoded" },
    });
    assert.equal(unrelated.status, 400, "a form without a session is accepted");
    const answer = await b.call("POST", path, { body: form, headers });
    assert.equal(answer.status, 200, answer.body);
    const ada = admin.as({ login: { username: "ada", password: "of-ada-1234567" } });
    assert.equal((await ada.call("GET", "/api/2.0/mlflow/experiments/search?max_results=1")).status, 200);
  });

  await context.test("no request fails when a pod terminates gracefully and is replaced", async () => {
    const [victim] = await fixture.pods(name);
    assert.ok(victim !== undefined);
    const load = steadyLoad(admin);
    await fixture.objects.remove("Pod", victim.metadata.name);
    await waitUntil(() => allReplaced(fixture, [victim.metadata.uid], 3), timeoutSeconds);
    const { answered, failed } = await load.end();
    assert.ok(answered > 0, "no request was answered");
    assert.deepEqual(failed, []);
    context.diagnostic(`${answered} requests were answered, none failed`);
  });

  await context.test(
    "accepts Host and Origin of the spec in addition to the Service's names, and no other",
    async () => {
      const status = async (headers: Readonly<Record<string, string>>) =>
        (await admin.call("POST", "/api/2.0/mlflow/experiments/search", { body: { max_results: 1 }, headers })).status;
      for (const host of ["mlflow.example.com", "mlflow.example.com:8443", `${name}.${fixture.namespace}.svc:5000`])
        assert.equal(await status({ host }), 200, host);
      for (const host of ["mlflow.example.com:80", "MLFLOW.example.com", "other.example.com", "x.mlflow.example.com"])
        assert.equal(await status({ host }), 403, host);
      assert.equal(await status({ origin: "https://mlflow.example.com" }), 200);
      for (const origin of ["http://mlflow.example.com", "https://evil.example.com", "null"])
        assert.equal(await status({ origin }), 403, origin);
    },
  );

  await context.test("no request fails when two replicas are replaced for a changed Secret under load", async () => {
    await fixture.apply({ metadata: { name }, spec: { ...spec, replicas: 2 } });
    await fixture.ready(name);
    await waitUntil(async () => assert.equal((await fixture.pods(name)).length, 2), timeoutSeconds);
    const before = (await fixture.pods(name)).map(({ metadata }) => metadata.uid);
    const load = steadyLoad(admin);
    await fixture.objects.patch("Secret", "setting", { stringData: { level: "2" } });
    await waitUntil(() => allReplaced(fixture, before, 2), timeoutSeconds);
    await fixture.ready(name);
    const { answered, failed } = await load.end();
    assert.ok(answered > 0, "no request was answered");
    assert.deepEqual(failed, []);
    context.diagnostic(`${answered} requests were answered during the rollout, none failed`);
  });

  await context.test("a pod with one worker uses at most 0.5 GiB", async () => {
    const used = (await fixture.pods(name)).map(async ({ metadata }) =>
      Number(await fixture.inPod(metadata.name, ["python", "-c", workingSetProgram])),
    );
    const mebibytes = (await Promise.all(used)).map((bytes) => Math.round(bytes / 2 ** 20));
    context.diagnostic(`pods use ${mebibytes.join(" and ")} MiB after the requests above`);
    assert.ok(mebibytes.every((each) => each > 0 && each <= 512));
  });

  await context.test("no data is lost when the node kills and evicts pods while the operator is stopped", async () => {
    const run = await logRun(admin);
    const [killed, evicted] = await fixture.pods(name);
    assert.ok(killed !== undefined && evicted !== undefined);
    const restarts = restartsOf(killed);
    await fixture.stopOperator();
    await killContainers(killed);
    await fixture.objects.evict(evicted.metadata.name);
    await fixture.startOperator();
    await waitUntil(async () => {
      await allReplaced(fixture, [evicted.metadata.uid], 2);
      const again = (await fixture.pods(name)).find(({ metadata }) => metadata.uid === killed.metadata.uid);
      assert.equal(restartsOf(again), restarts + 1, "the container was not restarted");
    }, timeoutSeconds);
    const all = await fixture.pods(name);
    for (const { metadata } of all) await fixture.objects.remove("Pod", metadata.name, { gracePeriodSeconds: 0 });
    const former = all.map(({ metadata }) => metadata.uid);
    await waitUntil(() => allReplaced(fixture, former, 2), timeoutSeconds);
    await fixture.ready(name);
    await assertKept(admin, run);
  });

  await context.test("a pod is added under load by the measured CPU usage, and stays without autoscaling", async () => {
    const autoscaling = { minReplicas: 1, maxReplicas: 2, targetCPUUtilization: 10 };
    await fixture.apply({ metadata: { name }, spec: { ...spec, replicas: 1, autoscaling } });
    await waitUntil(async () => assert.equal((await fixture.pods(name)).length, 1), timeoutSeconds);
    const began = performance.now();
    const load = steadyLoad(admin);
    await waitUntil(async () => {
      const { spec } = await fixture.objects.the("MlflowServer", name);
      assert.equal(spec.replicas, 2);
    }, timeoutSeconds);
    context.diagnostic(`the pod was added after ${Math.round((performance.now() - began) / 1000)} s of load`);
    await waitUntil(() => allReplaced(fixture, [], 2), timeoutSeconds);
    const { answered, failed } = await load.end();
    assert.ok(answered > 0, "no request was answered");
    assert.deepEqual(failed, []);
    await fixture.apply({ metadata: { name }, spec });
    await waitUntil(async () => {
      assert.deepEqual(await fixture.objects.list("HorizontalPodAutoscaler"), []);
      assert.equal((await fixture.objects.the("MlflowServer", name)).spec.replicas, 2);
    }, timeoutSeconds);
    assert.equal((await fixture.pods(name)).length, 2);
  });
});

function ipOf(pod: { status?: { podIP?: string } } | undefined): string {
  const ip = pod?.status?.podIP;
  assert.ok(ip !== undefined, "the pod has no address");
  return ip;
}

/** Asserts that this number of pods is ready, and that none is a previous one. */
async function allReplaced(
  fixture: LiveFixture,
  former: readonly (string | undefined)[],
  count: number,
): Promise<void> {
  const pods = await fixture.pods(name);
  const ready = pods.filter(({ status }) => status?.conditions?.some((c) => c.type === "Ready" && c.status === "True"));
  assert.equal(ready.length, count);
  assert.ok(pods.every(({ metadata }) => !former.includes(metadata.uid)));
}

function restartsOf(pod: Pod | undefined): number {
  return pod?.status?.containerStatuses?.[0]?.restartCount ?? 0;
}

/** Returns the working set memory of the container, as kubelet computes it; cgroup v2, otherwise v1. */
const workingSetProgram = `
from pathlib import Path
root = Path("/sys/fs/cgroup")
v2 = (root / "memory.current").exists()
folder = root if v2 else root / "memory"
used = int((folder / ("memory.current" if v2 else "memory.usage_in_bytes")).read_text())
stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
print(used - int(stat["inactive_file" if v2 else "total_inactive_file"]))
`;
