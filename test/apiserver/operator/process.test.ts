import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { completed } from "../../control-plane/completed.ts";
import { onK3s, sharedControlPlane } from "../../control-plane/shared.ts";
import { auditLog } from "../../support/audit-log.ts";
import { eventually } from "../../support/eventually.ts";
import { startKubelet } from "../../support/kubelet.ts";
import { objects } from "../../support/objects.ts";
import {
  fixture,
  freshNamespace,
  installed,
  mustNotBeForbidden,
  nothingWasForbidden,
} from "../../support/operator-fixture.ts";
import { operatorIdentity } from "../../support/operator-identity.ts";
import { operatorProcess } from "../../support/operator-process.ts";
import { server } from "../../support/servers.ts";
import { assertPending } from "../../support/status-invariants.ts";

describe("the process", { skip: onK3s(), concurrency: 3 }, () => {
  before(async () => void (await sharedControlPlane()));

  test("serves health and metrics, logs JSON that names the object, and exits cleanly on SIGTERM", async (context) => {
    const stage = await fixture(context, { operator: false });
    const kubeconfig = await stage.identity.kubeconfig();
    const narrow = [`--watch-namespaces=${stage.namespace}`, "--leader-elect=true"];
    const running = operatorProcess(context, kubeconfig, stage.identity, narrow);
    assert.equal((await running.get("/healthz")).status, 200);
    await running.logged(/^all watches are synced$/);
    assert.deepEqual(await running.get("/readyz"), {
      status: 200,
      contentType: "text/plain; charset=utf-8",
      body: "ok\n",
    });
    assert.equal((await running.get("/secrets")).status, 404);
    await stage.apply(server());
    await stage.ready("mlflow", 60);
    await stage.apply(server("broken", { "spec.authentication.basic.adminCredentialsSecretRef": { name: "none" } }));
    await stage.stalled("SecretNotFound", "broken");

    for (const line of running.log()) {
      assert.match(String(line["time"]), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      assert.match(line.level, /^(debug|info|warn|error)$/);
      assert.equal(typeof line.message, "string");
    }
    await eventually(async () => {
      const about = running.log().filter((line) => line["server"] === `${stage.namespace}/broken`);
      assert.ok(
        about.some((line) => line.level === "warn" && line["reason"] === "SecretNotFound"),
        running.output(),
      );
    });

    // A reconciliation is counted when it is complete, including its event.
    const { status, contentType, body } = await eventually(async () => {
      const answer = await running.get("/metrics");
      const sample = (text: string) => answer.body.split("\n").find((line) => line.startsWith(`${text} `));
      assert.ok(sample('leader_election_master_status{name="mlflow-operator"}')?.endsWith(" 1"), answer.body);
      const state = `mlflow_operator_server_state{namespace="${stage.namespace}",name="broken",state="stalled"}`;
      assert.ok(sample(state)?.endsWith(" 1"), answer.body);
      for (const counted of [
        /^controller_runtime_reconcile_total\{controller="mlflowserver",result="success"\} [1-9]/m,
        /^rest_client_requests_total\{method="POST",code="201"\} [1-9]/m,
      ])
        assert.match(answer.body, counted);
      return answer;
    });
    assert.equal(status, 200);
    assert.match(contentType, /^text\/plain; version=0\.0\.4/);
    assertExposition(body);

    const began = performance.now();
    running.signal("SIGTERM");
    assert.deepEqual(await running.ended, { code: 0, signal: null });
    const seconds = (performance.now() - began) / 1000;
    context.diagnostic(`it ended ${seconds.toFixed(2)} s after SIGTERM`);
    assert.ok(seconds < 10, `it took ${seconds} s to end`);
    const [lease] = await stage.objects.list("Lease");
    assert.equal(lease?.spec?.holderIdentity, "", "the Lease is not released");
  });

  test("with watchNamespaces needs no ClusterRole, and does not change other namespaces", async (context) => {
    const cluster = await sharedControlPlane();
    await installed(cluster);
    const [home, other, foreign] = [
      await freshNamespace(cluster),
      await freshNamespace(cluster),
      await freshNamespace(cluster),
    ];
    const identity = await operatorIdentity(cluster, home, [home, other]);
    mustNotBeForbidden(identity);
    const kubelets = [startKubelet(cluster, home), startKubelet(cluster, other)];
    context.after(async () => {
      for (const kubelet of kubelets) await kubelet.stop();
      for (const name of [home, other, foreign]) await cluster.request("DELETE", `/api/v1/namespaces/${name}`);
    });
    const log = auditLog(cluster);
    const since = await log.mark();
    for (const namespace of [home, other, foreign]) {
      await objects(cluster, namespace).create("MlflowServer", server("mlflow"));
    }
    const args = [`--watch-namespaces=${home},${other}`, "--leader-elect=true"];
    const running = operatorProcess(context, await identity.kubeconfig(), identity, args);
    await running.logged(/^1 replica of MLflow/);
    for (const namespace of [home, other]) {
      const stage = objects(cluster, namespace);
      await eventually(async () => {
        const { status } = await stage.the("MlflowServer", "mlflow");
        assert.equal(status?.conditions?.find(({ type }) => type === "Ready")?.status, "True", JSON.stringify(status));
      });
    }
    const ignored = objects(cluster, foreign);
    assertPending(await ignored.the("MlflowServer", "mlflow"));
    assert.deepEqual(await ignored.list("Deployment"), []);
    const calls = await log.calls({ since, user: identity.user });
    const elsewhere = calls.filter(({ namespace, resource }) => resource && namespace !== home && namespace !== other);
    assert.deepEqual(elsewhere, []);
  });

  test("reports invalid options, and exits with code 2", async () => {
    for (const [args, says] of [
      [["--no-such-option"], /unknown option '--no-such-option'/],
      [["--workers=0"], /--workers 0: use a whole number from 1 to 64\./],
      [["--watch-namespaces=Not_A_Name"], /Not_A_Name is not a valid namespace name/],
      [["--log-level=loud"], /--log-level loud: use debug, info, warn or error/],
    ] as const) {
      const given = ["src/main.ts", "run", "--kubeconfig=/nowhere", ...args];
      const { code, stdout, stderr } = await completed(process.execPath, given);
      assert.equal(code, 2, stderr);
      assert.match(stderr, says);
      assert.equal(stdout, "");
    }
  });
});

test("nothing was forbidden", { skip: onK3s() }, nothingWasForbidden);

/** Prometheus' text format 0.0.4, and its rules for names: each metric has HELP and TYPE, counters end in `_total`. */
function assertExposition(text: string): void {
  const types = new Map<string, string>();
  const helped = new Set<string>();
  for (const line of text.split("\n").filter((each) => each !== "")) {
    const [, keyword, name = "", rest = ""] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (keyword === "HELP") helped.add(name);
    else if (keyword === "TYPE") types.set(name, rest);
    else {
      const label = String.raw`[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\]|\\.)*"`;
      const sample = new RegExp(String.raw`^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{${label}(?:,${label})*\})? (\S+)$`).exec(
        line,
      );
      assert.ok(sample !== null, `no sample: ${line}`);
      assert.ok(!Number.isNaN(Number(sample[2]?.replace("+Inf", "Infinity"))), line);
      const family = sample[1]?.replace(/_(bucket|sum|count)$/, "") ?? "";
      const known = types.has(family) ? family : (sample[1] ?? "");
      assert.ok(types.has(known) && helped.has(known), `${known} has no TYPE and HELP`);
      assert.match(
        known,
        /^(mlflow_operator|controller_runtime|leader_election|rest_client|workqueue|process|nodejs)_/,
      );
      if (types.get(known) === "counter") assert.match(known, /_total$/);
    }
  }
  assert.ok(types.size >= 6, text);
}
