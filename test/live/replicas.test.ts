import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { testedVersion } from "./live-cluster.ts";
import { liveScene } from "./live-scene.ts";
import type { Mlflow, MlflowAnswer } from "./mlflow.ts";
import { patiently } from "./patiently.ts";
import { startPostgresql } from "./postgresql-server.ts";
import { startS3 } from "./s3-server.ts";
import { assertKept, logRun } from "./tracked-run.ts";

const name = "shared";

test("three replicas on PostgreSQL and S3", { timeout: 900_000 }, async (context) => {
  const scene = await liveScene(context);
  const [postgresql, s3] = await Promise.all([startPostgresql(scene), startS3(scene)]);
  await scene.apply({
    metadata: { name },
    spec: {
      version: testedVersion,
      replicas: 3,
      backendStore: { postgresql: postgresql.database("mlflow") },
      artifactStore: { s3: s3.store },
      authentication: { basic: { database: { postgresql: postgresql.database("mlflow_auth") } } },
    },
  });
  await scene.ready(name, 300);
  const admin = await scene.asAdmin(name);

  await context.test("all of them start on the empty database, and none dies of the others", async () => {
    const pods = await scene.pods(name);
    const restarts = pods.map(({ status }) => status?.containerStatuses?.[0]?.restartCount);
    assert.deepEqual(restarts, [0, 0, 0]);
    assert.equal(await postgresql.sql("mlflow", "SELECT count(*) FROM experiments WHERE name = 'Default';"), "1\n");
    assert.equal(await postgresql.sql("mlflow_auth", "SELECT username FROM users;"), "admin\n");
    const tables = "SELECT count(*) FROM information_schema.tables WHERE table_name = 'users';";
    assert.equal(await postgresql.sql("mlflow", tables), "0\n");
  });

  await context.test("artifacts are in the bucket below the prefix, and clients never see it", async () => {
    const run = await logRun(admin);
    await assertKept(admin, run);
    const keys = await s3.keys();
    assert.ok(
      keys.some((key) => key.startsWith("team-a/live/") && key.includes(run.runId)),
      keys.join(", "),
    );
  });

  await context.test("a session that one pod began is known to another", async () => {
    const [first, second] = await scene.pods(name);
    const [a, b] = [admin.as({ address: ipOf(first) }), admin.as({ address: ipOf(second) })];
    const page = await a.call("GET", "/signup");
    assert.equal(page.status, 200, page.body);
    const cookie = (page.headers["set-cookie"] ?? []).map((line) => line.split(";")[0]).join("; ");
    const token = /name="csrf_token"[^>]*value="([^"]+)"/.exec(page.body)?.[1];
    assert.ok(cookie !== "" && token !== undefined, "the page has no session");
    const form = new URLSearchParams({ csrf_token: token, username: "ada", password: "of-ada-1234567" }).toString();
    const headers = { "content-type": "application/x-www-form-urlencoded", cookie };
    const path = "/api/2.0/mlflow/users/create-ui";
    const stranger = await b.call("POST", path, {
      body: form,
      headers: { "content-type": "application/x-www-form-urlencoded" },
    });
    assert.equal(stranger.status, 400, "a form without a session is taken");
    const answer = await b.call("POST", path, { body: form, headers });
    assert.equal(answer.status, 200, answer.body);
    const ada = admin.as({ login: { username: "ada", password: "of-ada-1234567" } });
    assert.equal((await ada.call("GET", "/api/2.0/mlflow/experiments/search?max_results=1")).status, 200);
  });

  await context.test("requests go on when a pod ends in an orderly way, and it is replaced", async () => {
    const [victim] = await scene.pods(name);
    assert.ok(victim !== undefined);
    const load = steadyLoad(admin);
    await scene.objects.remove("Pod", victim.metadata.name);
    await patiently(async () => {
      const pods = await scene.pods(name);
      const ready = pods.filter(({ status }) =>
        status?.conditions?.some((c) => c.type === "Ready" && c.status === "True"),
      );
      assert.equal(ready.length, 3);
      assert.ok(pods.every(({ metadata }) => metadata.uid !== victim.metadata.uid));
    }, 300);
    const { answered, failed } = await load.end();
    assert.ok(answered > 10, `only ${answered} requests were answered`);
    assert.deepEqual(failed, []);
    context.diagnostic(`${answered} requests were answered meanwhile, none failed`);
  });
});

function ipOf(pod: { status?: { podIP?: string } } | undefined): string {
  const ip = pod?.status?.podIP;
  assert.ok(ip !== undefined, "the pod has no address");
  return ip;
}

/** One request after another, each over a connection of its own, until it is ended. */
function steadyLoad(mlflow: Mlflow) {
  const failed: string[] = [];
  let answered = 0;
  let isOver = false;
  const note = ({ status, body }: MlflowAnswer) => {
    if (status === 200) answered += 1;
    else failed.push(`${status} ${body}`);
  };
  const path = "/api/2.0/mlflow/experiments/search?max_results=1";
  const running = (async () => {
    while (!isOver) {
      await mlflow
        .call("GET", path, { headers: { connection: "close" } })
        .then(note, (error: unknown) => void failed.push(String(error)));
      await sleep(50);
    }
  })();
  return {
    end: async () => {
      isOver = true;
      await running;
      return { answered, failed };
    },
  };
}
