import assert from "node:assert/strict";
import { before, describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { onK3s, sharedControlPlane } from "../../control-plane/shared.ts";
import { auditLog } from "../../support/audit-log.ts";
import { eventually } from "../../support/eventually.ts";
import { type Fixture, fixture, mustNotBeForbidden, nothingWasForbidden } from "../../support/operator-fixture.ts";
import { operatorIdentity } from "../../support/operator-identity.ts";
import { operatorInProcess } from "../../support/operator-in-process.ts";
import { type OperatorProcess, operatorProcess } from "../../support/operator-process.ts";
import { databaseSecret, onPostgresql, server } from "../../support/servers.ts";

interface Candidate {
  readonly running: OperatorProcess;
  readonly user: string;
}

/** An operator with leader election and its own ServiceAccount, so that the audit log shows which operator wrote. */
async function candidate(context: TestContext, { cluster, namespace }: Fixture, name: string): Promise<Candidate> {
  const identity = await operatorIdentity(cluster, namespace, [namespace], name);
  mustNotBeForbidden(identity);
  const args = [`--watch-namespaces=${namespace}`, "--leader-elect=true"];
  const running = operatorProcess(context, await identity.kubeconfig(), identity, args);
  await running.logged(/^all watches are synced$/);
  return { running, user: identity.user };
}

/** The ServiceAccounts that wrote anything but a Lease since then. */
async function writers({ cluster }: Fixture, candidates: readonly Candidate[], since: number): Promise<Set<string>> {
  const calls = await auditLog(cluster).calls({ since, exclude: ({ resource }) => resource === "leases" });
  const written = calls.filter(({ verb }) => !["get", "list", "watch"].includes(verb)).map(({ user }) => user);
  return new Set(candidates.map(({ user }) => user).filter((user) => written.includes(user)));
}

describe("two operators", { skip: onK3s(), concurrency: 3 }, () => {
  before(async () => void (await sharedControlPlane()));

  test("write one at a time; on SIGTERM the other takes over immediately", async (context) => {
    const stage = await fixture(context, { operator: false });
    await stage.objects.create("Secret", databaseSecret);
    const first = await candidate(context, stage, "first");
    await first.running.logged(/^this process is the leader$/);
    const second = await candidate(context, stage, "second");
    const both = [first, second];
    const start = await stage.mark();
    await stage.apply(server("mlflow", onPostgresql));
    await stage.ready("mlflow", 60);
    assert.deepEqual(await writers(stage, both, start), new Set([first.user]));
    assert.ok(!second.running.log().some(({ message }) => message === "this process is the leader"));
    assert.equal((await second.running.get("/readyz")).status, 200, "a process that waits is ready to take over");

    const since = await stage.mark();
    const began = performance.now();
    first.running.signal("SIGTERM");
    await second.running.logged(/^this process is the leader$/);
    const seconds = (performance.now() - began) / 1000;
    context.diagnostic(`the other led ${seconds.toFixed(2)} s after SIGTERM`);
    assert.ok(seconds < 12, `it took ${seconds} s, as if it had waited for the Lease to expire`);
    assert.deepEqual(await first.running.ended, { code: 0, signal: null });
    const over = await stage.mark();
    // The other one has only the new change to apply.
    await sleep(1000);
    assert.deepEqual(await writers(stage, [second], since), new Set());
    await stage.apply(server("mlflow", onPostgresql, { "spec.replicas": 2 }));
    await stage.ready("mlflow", 60);
    assert.deepEqual(await writers(stage, both, over), new Set([second.user]));
  });

  test("when the leader is killed, the other takes over as soon as the Lease has expired", async (context) => {
    const stage = await fixture(context, { operator: false });
    await stage.objects.create("Secret", databaseSecret);
    const first = await candidate(context, stage, "first");
    await first.running.logged(/^this process is the leader$/);
    const second = await candidate(context, stage, "second");
    await stage.apply(server("mlflow", onPostgresql));
    await stage.ready("mlflow", 60);
    first.running.signal("SIGKILL");
    await first.running.ended;
    const [lease] = await stage.objects.list("Lease");
    assert.equal(lease?.spec?.leaseDurationSeconds, 15);
    const renewed = Date.parse(lease.spec.renewTime ?? "");
    const since = await stage.mark();
    await stage.apply(server("mlflow", onPostgresql, { "spec.replicas": 2 }));
    await second.running.logged(/^this process is the leader$/);
    const seconds = (Date.now() - renewed) / 1000;
    context.diagnostic(`the other led ${seconds.toFixed(2)} s after the last renewal`);
    assert.ok(seconds >= 15 && seconds < 40, `it took ${seconds} s`);
    await stage.ready("mlflow", 60);
    assert.deepEqual(await writers(stage, [first, second], since), new Set([second.user]));
  });

  test("a new leader begins with the servers that changed last, however many there are", async (context) => {
    const stage = await fixture(context, { operator: false });
    const { namespace, identity, objects: own } = stage;
    const names = Array.from({ length: 8 }, (_, index) => `server-${index}`);
    for (const name of names) await stage.apply(server(name));
    const spec = { holderIdentity: "another", leaseDurationSeconds: 3600 };
    await own.create("Lease", { metadata: { name: "mlflow-operator" }, spec });
    const candidate = { leaderElection: true, workers: 1 };
    const running = await operatorInProcess({ namespace, credentials: identity.credentials() }, candidate);
    context.after(() => running.stop());
    const saw = (message: string) => running.log.some((line) => line.message === message);
    const worked = () => running.log.flatMap((line) => line["server"] ?? []);
    await eventually(() => assert.ok(saw("all watches are synced")));
    for (let count = 0; !saw("this process is the leader"); count += 1) {
      await stage.apply(server("server-4", { "spec.replicas": count % 2 }));
      if (count === 20) await own.remove("Lease", "mlflow-operator");
    }
    await eventually(() => assert.equal(new Set(worked()).size, names.length));
    assert.equal(worked()[0], `${namespace}/server-4`);
  });

  test("a restarted operator writes nothing if nothing has changed", async (context) => {
    const stage = await fixture(context);
    await stage.objects.create("Secret", databaseSecret);
    await stage.apply(server("one", onPostgresql));
    await stage.apply(server("two"));
    await stage.apply(server("three", { "spec.authentication.basic.adminCredentialsSecretRef": { name: "none" } }));
    await stage.ready("one", 60);
    await stage.ready("two", 60);
    await stage.stalled("SecretNotFound", "three");
    // Objects that were repaired by an apply are counted like created ones.
    await stage.objects.patch("Service", "one", { spec: { ports: [{ port: 5000, targetPort: 1 }] } });
    await eventually(async () => {
      const [port] = (await stage.objects.the("Service", "one")).spec.ports ?? [];
      assert.equal(port?.targetPort, "http");
    });
    await stage.stop();
    const since = await stage.mark();
    await stage.start();
    await eventually(() => {
      assert.ok(stage.operator().log.some(({ message }) => /^1 replica of MLflow/.test(message)));
      assert.equal(stage.operator().log.filter(({ server }) => server !== undefined).length, 3);
    });
    await sleep(3000);
    assert.deepEqual(await stage.writes(since), []);
    const got = await stage.calls(since);
    const secrets = `/api/v1/namespaces/${stage.namespace}/secrets`;
    assert.deepEqual(
      // The schema is read again, on condition that it has changed, when another kind of the operator has been listed.
      [...new Set(got.map(({ verb, uri }) => `${verb} ${uri}`))].sort(),
      [`${secrets}/database`, `${secrets}/none`, "/apis", "/openapi/v3/apis/mlflow-operator.dev/v1alpha1"].map(
        (uri) => `get ${uri}`,
      ),
      "it reads the API groups, the schema and references, and nothing else",
    );
  });
});

test("nothing was forbidden", { skip: onK3s() }, nothingWasForbidden);
