import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../src/kube/object.ts";
import { chart, helmProgram } from "../chart/helm.ts";
import { installation } from "../chart/installation.ts";
import { auditLog } from "../support/audit-log.ts";
import { objects } from "../support/objects.ts";
import { condition, freshNamespace, installed } from "../support/operator-fixture.ts";
import { server } from "../support/servers.ts";
import { imageReference, liveCluster, testedVersion } from "./live-cluster.ts";
import { addressOf, adminOf, podsOf } from "./live-fixture.ts";
import { mlflowAt } from "./mlflow.ts";
import { metricsByMonitor, type ReadMetrics } from "./operator-metrics.ts";
import { assertReconciled, operatorName, operatorPods, waiting } from "./operator-pods.ts";
import { steadyLoad } from "./steady-load.ts";
import { waitUntil } from "./wait-until.ts";

const name = "served";
const definitionPath = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/mlflowservers.mlflow-operator.dev";

/** A program for the operator's container that prints its user id and the errors of writes. */
const insideProgram = `
const { writeFileSync } = require("node:fs");
const errors = ["/app/x", "/tmp/x", "/x"].map((path) => { try { writeFileSync(path, ""); } catch ({ code }) { return code; } });
console.log(JSON.stringify([process.getuid(), errors]));
`;

test("the chart, on a real node", { timeout: 1_500_000 }, async (context) => {
  await helmProgram();
  const cluster = await liveCluster();
  const image = await imageReference(cluster, "mlflow-operator");
  await imageReference(cluster, `mlflow-server:${testedVersion}`);
  await installed(cluster);
  const release = await installation(cluster);
  const operator = operatorPods(cluster, release.namespace);
  const tenant = objects(cluster, await freshNamespace(cluster));
  const log = auditLog(cluster);
  const began = await log.mark();
  context.after(async () => {
    if (!context.passed) context.diagnostic(await operator.logs());
    for (const namespace of [tenant.namespace, release.namespace])
      await cluster.request("DELETE", `/api/v1/namespaces/${namespace}`);
  });
  // Other tests use this cluster too, so the operator is limited to its own namespace and changes no shared object.
  const isolated = [`watchNamespaces={${tenant.namespace}}`, "rbac.aggregateToUserRoles=false", "crds.enabled=false"];
  const sets = [...isolated, "image.pullPolicy=Never"];
  const withSets = (...more: readonly string[]) => [...sets, ...more].flatMap((set) => ["--set", set]);
  const waitOptions = ["--wait", "--timeout", "5m"];
  const forbidden = async () =>
    (await log.calls({ since: began, user: release.user })).filter(({ code }) => code === 403);

  await context.test("fails if the CRD has another owner, unless it does not install the CRD", async () => {
    const error = await release.rejected("install", chart, ...withSets("crds.enabled=true"));
    assert.match(error, /CustomResourceDefinition .* exists .* invalid ownership metadata/);
    await release.run("install", chart, ...withSets(), ...waitOptions);
  });

  await context.test("runs two replicas of the image, one of which is the leader", async () => {
    for (const { metadata, spec, status } of await operator.leaderAndOther()) {
      assert.deepEqual(
        spec?.containers.map((container) => container.image),
        [image],
      );
      assert.equal(status?.containerStatuses?.[0]?.restartCount, 0, metadata.name);
    }
  });

  await context.test("its container runs as an unprivileged user and cannot write", async () => {
    const [{ metadata }] = await operator.leaderAndOther();
    const exec = ["exec", "--namespace", release.namespace, metadata.name, "--", "node", "--eval", insideProgram];
    const { code, stdout, stderr } = await cluster.kubectl(exec);
    assert.equal(code, 0, stderr);
    // The image has no /tmp.
    assert.deepEqual(JSON.parse(stdout), [65532, ["EROFS", "ENOENT", "EROFS"]]);
  });

  let metrics: ReadMetrics | undefined;
  await context.test("serves metrics at the endpoint of its ServiceMonitor", async () => {
    const read = await metricsByMonitor(cluster, release.namespace);
    metrics = read;
    // The leader's metric changes shortly after the Lease.
    await waitUntil(async () => {
      const texts = await Promise.all((await operator.leaderAndOther()).map(read));
      const leading = texts.map((text) => /^leader_election_master_status\{name="[^"]+"\} (\d)$/m.exec(text)?.[1]);
      assert.deepEqual(leading, ["1", "0"]);
    }, 60);
  });

  await context.test("reconciles a server to Ready", async () => {
    // Without a CPU request it would be too slow on a busy machine: one request in five seconds.
    const resources = { requests: { cpu: "300m" } };
    await tenant.create("MlflowServer", server(name, { "spec.pod": { resources } }));
    await waitUntil(async () => {
      const { status, message } = condition(await tenant.the("MlflowServer", name), "Ready");
      assert.equal(status, "True", message);
    }, 600);
  });

  const [address, login] = [await addressOf(tenant, name), await adminOf(tenant, name)];
  const mlflow = mlflowAt({ address, host: name, login });
  // The Service is reachable shortly after the server is ready.
  await waitUntil(async () => assert.equal((await mlflow.call("GET", "/health")).status, 200), 60);
  const load = steadyLoad(mlflow);
  context.after(() => load.end());
  /** Everything that must not change: the server with its status, its Deployment and its pods. */
  const stateOf = async () => {
    const [server, deployment] = [await tenant.the("MlflowServer", name), await tenant.the("Deployment", name)];
    const pods = (await podsOf(tenant, name)).map(({ metadata, status }) => ({
      uid: metadata.uid,
      restarts: status?.containerStatuses?.map(({ restartCount }) => restartCount),
    }));
    const identity = ({ metadata }: KubeObject) => [metadata.uid, metadata.generation];
    const { conditions, ...status } = server.status ?? {};
    return {
      status,
      // The result of a probe depends on the network, whose policies change here.
      conditions: conditions?.filter(({ type }) => type !== "EndpointSecured"),
      server: identity(server),
      deployment: identity(deployment),
      pods,
    };
  };
  const isProbed = () =>
    waitUntil(async () => {
      const { reason, message } = condition(await tenant.the("MlflowServer", name), "EndpointSecured");
      assert.equal(reason, "Secured", message);
    }, 300);
  await isProbed();
  const initialState = await stateOf();

  await context.test(
    "replaces an evicted leader, and rejects the eviction of the second replica in the meantime",
    async () => {
      const [leader, other] = await operator.leaderAndOther();
      const evict = ({ metadata }: { metadata: { name: string } }) =>
        cluster.request("POST", `/api/v1/namespaces/${release.namespace}/pods/${metadata.name}/eviction`, {
          body: { apiVersion: "policy/v1", kind: "Eviction", metadata: { name: metadata.name } },
        });
      const evicted = performance.now();
      assert.equal((await evict(leader)).status, 201);
      assert.equal((await evict(other)).status, 429);
      await operator.worksOn(tenant, "after-the-eviction");
      context.diagnostic(
        `a server was reconciled ${Math.round(performance.now() - evicted)} ms after the leader was evicted`,
      );
      const [next] = await operator.leaderAndOther();
      assert.notEqual(next.metadata.uid, leader.metadata.uid);
      assert.deepEqual(await stateOf(), initialState);
    },
  );

  await context.test("an upgrade with other values and a restricted network changes no server", async () => {
    const before = (await operator.leaderAndOther()).map(({ metadata }) => metadata.uid);
    await release.run("upgrade", chart, ...withSets("workers=4", "networkPolicy.enabled=true"), ...waitOptions);
    const [leader, other] = await operator.leaderAndOther();
    assert.ok([leader, other].every(({ metadata }) => !before.includes(metadata.uid)));
    await waitUntil(() => assert.rejects(async () => metrics?.(leader), "metrics are still open to all clients"), 60);
    await operator.worksOn(tenant, "after-the-upgrade");
    await isProbed();
    assert.deepEqual(await stateOf(), initialState);
    assert.deepEqual(await forbidden(), []);
  });

  await context.test("uninstalling keeps the CRD, the servers and their pods", async () => {
    await release.run("uninstall", ...waitOptions);
    assert.equal(await objects(cluster, release.namespace).get("Deployment", operatorName), undefined);
    await waitUntil(async () => assert.deepEqual(await objects(cluster, release.namespace).list("Pod"), []), 60);
    assert.equal((await cluster.request("GET", definitionPath)).status, 200);
    await tenant.create("MlflowServer", waiting("created-meanwhile"));
    assert.deepEqual(await stateOf(), initialState);
  });

  await context.test("a new installation reuses everything without a rollout", async () => {
    const since = await log.mark();
    const allowThisMachine = `networkPolicy.metricsFrom[0].ipBlock.cidr=${cluster.hostAddress}/32`;
    const closed = withSets("networkPolicy.enabled=true", allowThisMachine);
    await release.run("install", chart, ...closed, ...waitOptions);
    await waitUntil(() => assertReconciled(tenant, "created-meanwhile"), 180);
    const [leader] = await operator.leaderAndOther();
    await waitUntil(
      async () => assert.match((await metrics?.(leader)) ?? "", /^leader_election_master_status\{name="[^"]+"\} 1$/m),
      60,
    );
    await operator.worksOn(tenant, "after-the-return");
    assert.deepEqual(await stateOf(), initialState);
    const calls = await log.calls({ since, user: release.user });
    assert.deepEqual(
      calls.filter(({ code }) => code === 403),
      [],
    );
    assert.deepEqual(
      calls.filter((each) => each.name === name && each.verb !== "get" && each.verb !== "watch"),
      [],
    );
  });

  await context.test("every request to the server was answered during the whole test", async () => {
    const { answered, failed } = await load.end();
    assert.deepEqual(failed, []);
    assert.ok(answered > 10, `only ${answered} requests were answered`);
    context.diagnostic(`${answered} requests were answered, none failed`);
  });
});
