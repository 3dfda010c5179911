import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { dataKeys } from "../../../src/model/names.ts";
import { onK3s, sharedControlPlane } from "../../control-plane/shared.ts";
import { runCommand } from "../../support/command-line.ts";
import { eventually } from "../../support/eventually.ts";
import { type Fixture, fixture } from "../../support/operator-fixture.ts";
import { databaseSecret, onPostgresql, server } from "../../support/servers.ts";

describe("mlflow-operator status", { skip: onK3s() }, () => {
  before(async () => void (await sharedControlPlane()));

  test("shows a server, its pods and Events, and follows it by a watch until it is interrupted", async (context) => {
    const stage = await fixture(context);
    await stage.apply(server("mlflow"));
    await stage.ready();
    const environment = { kubeconfig: stage.cluster.kubeconfigPath };
    const asJson = await eventually(async () => {
      const { code, stdout, stderr } = await runCommand(["status", "mlflow", "-n", stage.namespace, "-o", "json"], {
        environment,
      });
      assert.equal(code, 0, stderr);
      const view = JSON.parse(stdout);
      assert.equal(view.pods[0]?.ready, "1/1", stdout);
      assert.ok(view.events.length > 0, stdout);
      return view;
    });
    assert.deepEqual([asJson.state, asJson.conditions, asJson.notRead], ["Ready", [], []]);
    const interruption = new AbortController();
    const views: { state: string }[] = [];
    const watching = runCommand(["status", "mlflow", "-n", stage.namespace, "--watch", "-o", "json"], {
      environment,
      interruption: interruption.signal,
      onOutput: (text) => void views.push(JSON.parse(text)),
    });
    await eventually(() => assert.equal(views.at(-1)?.state, "Ready"));
    await stage.apply(server("mlflow", { "spec.hibernate": true }));
    await eventually(() => assert.equal(views.at(-1)?.state, "Hibernated"));
    interruption.abort();
    assert.equal((await watching).code, 0);
  });

  test("shows what a server waits for", async (context) => {
    const stage = await fixture(context, { operator: { gracePeriodSeconds: 0 } });
    await stage.apply(server("mlflow", onPostgresql));
    await stage.stalled("SecretNotFound");
    const { stdout } = await runCommand(["status", "mlflow", "-n", stage.namespace], {
      environment: { kubeconfig: stage.cluster.kubeconfigPath },
    });
    assert.match(stdout, /^State +Stalled \(SecretNotFound\)$/m);
    assert.match(stdout, /^ +.*Secret.database/m);
    assert.match(stdout, /^Stalled +True +SecretNotFound /m);
  });
});

interface Finding {
  readonly result: "ok" | "problem" | "notChecked";
  readonly object?: string;
  readonly message?: string;
  readonly reason?: string;
}

/** The findings of `doctor` by check, with its exit code. */
async function doctorOf(stage: Fixture, ...args: readonly string[]) {
  const { code, stdout, stderr } = await runCommand(
    ["doctor", "mlflow", "-n", stage.namespace, "-o", "json", ...args],
    { environment: { kubeconfig: stage.cluster.kubeconfigPath }, now: new Date() },
  );
  assert.notEqual(stdout, "", stderr);
  const { checks } = JSON.parse(stdout) as { checks: { check: string; findings: Finding[] }[] };
  const of = (check: string) => checks.find((each) => each.check === check)?.findings ?? [];
  const problems = checks.filter(({ findings }) => findings.some(({ result }) => result === "problem"));
  return { code, stdout, of, problems: problems.map(({ check }) => check) };
}

describe("mlflow-operator doctor", { skip: onK3s() }, () => {
  before(async () => void (await sharedControlPlane()));

  test("finds no problem of objects in a server that runs, and writes a bundle without the values of its Secrets", async (context) => {
    const stage = await fixture(context);
    await stage.objects.create("Secret", databaseSecret);
    await stage.apply(server("mlflow", onPostgresql));
    await stage.ready();
    // The endpoints and the Lease have other writers.
    const { of } = await eventually(async () => {
      const found = await doctorOf(stage);
      for (const check of ["Conditions", "Generation", "Pods", "References", "Pod Security", "Network policies"])
        assert.deepEqual([check, found.of(check).map(({ result }) => result)], [check, ["ok"]], found.stdout);
      return found;
    });
    assert.deepEqual(
      of("TLS").map(({ result }) => result),
      ["notChecked"],
    );
    const directory = await mkdtemp(join(tmpdir(), "mlflow-operator-bundle-"));
    context.after(() => rm(directory, { recursive: true }));
    const path = join(directory, "bundle.yaml");
    const { stdout } = await doctorOf(stage, "--bundle", path);
    const bundle = await readFile(path, "utf8");
    for (const kind of ["Deployment", "Service", "NetworkPolicy", "Pod"])
      assert.match(bundle, new RegExp(`kind: ${kind}$`, "m"));
    const session = await stage.objects.the("Secret", "mlflow-session");
    const { [dataKeys.kekVersion]: version, ...keys } = session.data ?? {};
    assert.equal(Buffer.from(version ?? "", "base64").toString("utf8"), "1");
    const values = Object.values(keys).map((value) => Buffer.from(value, "base64").toString("utf8"));
    assert.ok(values.length > 0 && values.every((value) => value.length > 20));
    for (const value of [...values, "pa%ss @:/?#[]word", "pa%25ss%20"])
      for (const text of [bundle, stdout]) assert.ok(!text.includes(value), "a value of a Secret is in the output");
  });

  test("names a missing Secret, a used quota and an unmanaged NetworkPolicy, and exits 1", async (context) => {
    const stage = await fixture(context, { operator: { gracePeriodSeconds: 0 } });
    const hard = { configmaps: "1" };
    await stage.objects.create("ResourceQuota", { metadata: { name: "quota" }, spec: { hard } });
    await stage.objects.create("NetworkPolicy", {
      metadata: { name: "deny" },
      spec: { podSelector: {}, policyTypes: ["Egress"] },
    });
    await stage.apply(server("mlflow", onPostgresql));
    await stage.stalled("SecretNotFound");
    await eventually(async () => {
      const { code, of, problems } = await doctorOf(stage);
      assert.equal(code, 1);
      for (const check of ["Conditions", "References", "Quotas", "Network policies", "Endpoints"])
        assert.ok(problems.includes(check), `${check} is not among ${problems}`);
      assert.deepEqual(
        of("References").map(({ object }) => object),
        ["Secret/database"],
      );
      assert.deepEqual(
        of("Network policies").map(({ object }) => object),
        ["NetworkPolicy/deny"],
      );
    });
  });
});
