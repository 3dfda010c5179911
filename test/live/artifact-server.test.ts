import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pod } from "../../src/kube/manifests.ts";
import { label } from "../../src/kube/names.ts";
import { metricsPort } from "../../src/model/names.ts";
import { installGateway } from "../cluster/gateway/install-gateway.ts";
import { condition } from "../support/operator-fixture.ts";
import { fetchedArtifact, sentArtifact } from "./large-artifact.ts";
import { testedVersion } from "./live-cluster.ts";
import { adminOf, liveFixture, timeoutSeconds } from "./live-fixture.ts";
import { type Mlflow, mlflowAt } from "./mlflow.ts";
import { startPostgresql } from "./postgresql-server.ts";
import { startS3 } from "./s3-server.ts";
import { steadyLoad } from "./steady-load.ts";
import { assertKept, logRun, type TrackedRun } from "./tracked-run.ts";
import { waitUntil } from "./wait-until.ts";

const name = "apart";
const host = "apart.example.com";
const further = `${name}-artifacts`;

test("a server with separate pods for artifacts behind a gateway", { timeout: 1_500_000 }, async (context) => {
  const fixture = await liveFixture(context);
  const [postgresql, s3] = await Promise.all([startPostgresql(fixture), startS3(fixture)]);
  const gateway = await installGateway(fixture.cluster, () => {});
  const spec = {
    version: testedVersion,
    backendStore: { postgresql: postgresql.database("mlflow") },
    artifactStore: { s3: s3.store },
    authentication: { basic: {} },
    monitoring: { namespace: fixture.namespace },
    exposure: {
      externalURL: `http://${host}:5000`,
      httpRoute: { parentRefs: [{ name: gateway.name, namespace: gateway.namespace }] },
    },
  };
  const apart = { ...spec, artifactServer: { resources: { requests: { cpu: "200m" } } } };
  const apply = (wanted: object) => fixture.apply({ metadata: { name }, spec: wanted });
  await apply(spec);
  await fixture.ready(name);
  await fixture.reason(name, "Exposed", "Exposed");
  const login = await adminOf(fixture.objects, name);
  // Through the gateway, as clients outside the cluster.
  const mlflow = mlflowAt({ address: gateway.address, listener: 80, host, login });
  await waitUntil(async () => assert.equal((await mlflow.call("GET", "/health")).status, 200), timeoutSeconds);
  const podsOf = async (component: string) =>
    (await fixture.objects.list("Pod")).filter(
      ({ metadata }) => metadata.labels?.[label.component] === component && metadata.deletionTimestamp === undefined,
    );
  /** The number of requests for artifacts that the pods of a component have answered. */
  const transfers = async (component: string) => {
    const counts = (await podsOf(component)).map(async (pod) => transfersIn(await metricsOf(pod)));
    return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
  };
  const metricsOf = ({ metadata }: Pod) =>
    fixture.inPod(metadata.name, [
      ...["python", "-c"],
      `import urllib.request as r; print(r.urlopen("http://127.0.0.1:${metricsPort}/metrics").read().decode())`,
    ]);
  const run = await logRun(mlflow);
  const alone = await duringUploads(mlflow, run, { address: gateway.address, login });

  await context.test("gets them, and the routes to them, without a failed request", async () => {
    const loads = [steadyLoad(mlflow), steadyLoad(mlflow, run.artifactPath)];
    await apply(apart);
    await fixture.ready(name);
    await waitUntil(async () => {
      const { spec: route } = await fixture.objects.the("HTTPRoute", name);
      assert.equal(route.rules?.length, 2);
      await logRun(mlflow);
      assert.ok((await transfers("artifacts")) > 0, "no pod for artifacts has answered");
    }, timeoutSeconds);
    await fixture.reason(name, "Exposed", "Exposed");
    for (const load of loads) assert.deepEqual((await load.end()).failed, []);
  });

  await context.test("transfers artifacts there, and answers all else as before", async () => {
    const before = { server: await transfers("server"), artifacts: await transfers("artifacts") };
    const another = await logRun(mlflow);
    await assertKept(mlflow, another);
    await assertKept(mlflow, run);
    const image = await mlflow.call("GET", `/get-artifact?path=note.txt&run_uuid=${another.runId}`);
    assert.deepEqual([image.status, image.body], [200, another.content]);
    assert.deepEqual(
      [(await transfers("server")) - before.server, (await transfers("artifacts")) - before.artifacts],
      [0, 4],
    );
  });

  await context.test("authenticates and authorizes there as elsewhere", async () => {
    const anonymous = mlflowAt({ address: gateway.address, listener: 80, host });
    const path = run.artifactPath;
    assert.equal((await anonymous.call("GET", path)).status, 401);
    await mlflow.json("POST", "/api/2.0/mlflow/users/create", { username: "grace", password: "of-grace-1234567" });
    const grace = mlflow.as({ login: { username: "grace", password: "of-grace-1234567" } });
    assert.equal((await grace.call("GET", path)).status, 200);
    assert.equal((await grace.call("PUT", path, { body: "changed" })).status, 403);
    const server = await fixture.reason(name, "EndpointSecured", "Secured");
    assert.equal(condition(server, "EndpointSecured").status, "True");
  });

  await context.test("answers other requests while large files are uploaded", async () => {
    const separate = await duringUploads(mlflow, run, { address: gateway.address, login });
    context.diagnostic(`log-metric during three uploads, p50 and p95 in ms: ${alone} in one pod, ${separate} apart`);
  });

  await context.test("stops and starts them with the others", async () => {
    await apply({ ...apart, hibernate: true });
    await fixture.reason(name, "Ready", "Hibernated");
    await waitUntil(
      async () => assert.deepEqual([...(await podsOf("server")), ...(await podsOf("artifacts"))], []),
      timeoutSeconds,
    );
    await apply(apart);
    await fixture.ready(name);
    await waitUntil(async () => assertKept(mlflow, run), 120);
    assert.deepEqual([(await podsOf("server")).length, (await podsOf("artifacts")).length], [1, 1]);
  });

  await context.test("loses the routes first, then the pods, without a failed request", async () => {
    const loads = [steadyLoad(mlflow), steadyLoad(mlflow, run.artifactPath)];
    await apply(spec);
    await waitUntil(async () => {
      const left = await Promise.all((["Deployment", "Service"] as const).map((kind) => fixture.objects.list(kind)));
      assert.deepEqual(
        left.flat().filter(({ metadata }) => metadata.name === further),
        [],
      );
      assert.deepEqual(await podsOf("artifacts"), []);
    }, timeoutSeconds);
    await assertKept(mlflow, run);
    for (const load of loads) assert.deepEqual((await load.end()).failed, []);
  });
});

function transfersIn(metrics: string): number {
  const lines = metrics.matchAll(/^mlflow_server_http_requests_total\{route="artifacts",[^}]*\} (\d+)$/gm);
  return [...lines].reduce((sum, [, count]) => sum + Number(count), 0);
}

interface Outside {
  readonly address: string;
  readonly login: { readonly username: string; readonly password: string };
}

/** Median and 95th percentile of the duration of a logged metric in ms, while three clients upload files of 64 MiB. */
async function duringUploads(mlflow: Mlflow, { runId, artifactPath }: TrackedRun, { address, login }: Outside) {
  const authorization = `Basic ${Buffer.from(`${login.username}:${login.password}`).toString("base64")}`;
  const place = (index: number) => ({
    ...{ address, port: 80, path: artifactPath.replace("note.txt", `large-${index}.bin`) },
    headers: { authorization, host: `${host}:5000` },
  });
  let isOver = false;
  const uploads = Promise.all(
    [0, 1, 2].map(async (index) => {
      for (let round = 0; round < 2; round++) {
        const sent = await sentArtifact(place(index), 64);
        assert.deepEqual({ ...(await fetchedArtifact(place(index))) }, sent);
      }
    }),
  ).finally(() => {
    isOver = true;
  });
  const durations: number[] = [];
  while (!isOver) {
    const began = performance.now();
    const body = { run_id: runId, key: "progress", value: durations.length, timestamp: 1, step: durations.length };
    await mlflow.json("POST", "/api/2.0/mlflow/runs/log-metric", body);
    durations.push(performance.now() - began);
  }
  await uploads;
  const sorted = durations.sort((one, other) => one - other);
  const at = (share: number) => Math.round(sorted[Math.floor(sorted.length * share)] ?? Number.NaN);
  return `${at(0.5)} and ${at(0.95)}`;
}
