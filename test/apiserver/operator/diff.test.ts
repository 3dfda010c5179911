import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, describe, type TestContext, test } from "node:test";
import { dump, load } from "js-yaml";
import { onK3s, sharedControlPlane } from "../../control-plane/shared.ts";
import { runCommand } from "../../support/command-line.ts";
import { eventually } from "../../support/eventually.ts";
import { type Fixture, fixture } from "../../support/operator-fixture.ts";
import { databaseSecret, exposed, type Modification, onPostgresql, server } from "../../support/servers.ts";

/** The password of the database, as it is and in the URI, and the URI in base64. */
const secretData = /pa%ss|pa%25ss|cG9zdGdyZXNxb/;

/** What `diff` prints for a manifest in the namespace of a fixture. */
async function diffOf({ cluster, namespace }: Fixture, ...modifications: readonly Modification[]) {
  return runCommand(["diff", "-", "-n", namespace, "--image-repository", "registry.example.com/mlflow-server"], {
    stdin: dump(server("mlflow", ...modifications)),
    environment: { kubeconfig: cluster.kubeconfigPath },
  });
}

/** The objects that differ, by the names of the compared files. */
function differing(stdout: string): string[] {
  return [...stdout.matchAll(/^\+\+\+ .*\/MERGED\/(\S+)/gm)].map(([, name = ""]) =>
    name.replace(/\.[^.]+\.(?=[^.]+$)/, " "),
  );
}

async function running(context: TestContext, ...modifications: readonly Modification[]): Promise<Fixture> {
  const stage = await fixture(context);
  await stage.objects.create("Secret", databaseSecret);
  await stage.apply(server("mlflow", ...modifications));
  await stage.ready();
  return stage;
}

describe("mlflow-operator diff", { skip: onK3s() }, () => {
  before(async () => void (await sharedControlPlane()));

  test("shows every object as new before the server exists, and creates nothing", async (context) => {
    const stage = await fixture(context, { operator: false });
    await stage.objects.create("Secret", databaseSecret);
    const { code, stdout, stderr } = await diffOf(stage, onPostgresql);
    assert.deepEqual([code, stderr], [1, ""]);
    const names = differing(stdout);
    for (const kind of ["apps.v1.Deployment mlflow", "v1.Service mlflow", "v1.Secret mlflow-store"])
      assert.ok(names.includes(kind), names.join("\n"));
    assert.match(stdout, /^\+ {2}backend-store-uri: '\*\*\*'$/m);
    assert.doesNotMatch(stdout, secretData);
    assert.deepEqual(await stage.objects.list("Deployment"), []);
  });

  test("exits 0 without output where the cluster has what the operator applies, and makes no change", async (context) => {
    const stage = await running(context, onPostgresql, exposed);
    const since = await stage.quiet();
    const { code, stdout, stderr } = await diffOf(stage, onPostgresql, exposed);
    assert.deepEqual([code, stdout, stderr], [0, "", ""]);
    await stage.quiet();
    assert.deepEqual(await stage.writes(since), []);
  });

  test("shows changed fields, new and obsolete objects, and masks the data of Secrets", async (context) => {
    const stage = await running(context, onPostgresql, exposed);
    await eventually(() => stage.objects.the("Ingress", "mlflow"));
    const { code, stdout } = await diffOf(stage, onPostgresql, {
      "spec.backendStore.postgresql.host": "db2.example.com",
      "spec.replicas": 2,
    });
    assert.equal(code, 1);
    const names = differing(stdout);
    for (const name of [
      "apps.v1.Deployment mlflow",
      "v1.Secret mlflow-store",
      "networking.k8s.io.v1.Ingress mlflow",
      "policy.v1.PodDisruptionBudget mlflow",
    ])
      assert.ok(names.includes(name), names.join("\n"));
    assert.match(stdout, /^- {2}replicas: 1$/m);
    assert.match(stdout, /^\+ {2}replicas: 2$/m);
    assert.match(stdout, /^- {2}backend-store-uri: '\*\*\* \(before\)'$/m);
    assert.match(stdout, /^\+ {2}backend-store-uri: '\*\*\* \(after\)'$/m);
    assert.doesNotMatch(stdout, secretData);
    assert.match(stdout, /^-kind: Ingress$/m);
  });

  test("exits 2 for a wrong manifest, a namespace that does not exist and an API server that does not answer", async (context) => {
    const stage = await fixture(context, { operator: false });
    const wrong = await diffOf(stage, { "spec.replicas": 2 });
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /^standard input:\d+: MlflowServer\/mlflow: spec\.replicas: /);
    const stdin = dump(server("mlflow"));
    const environment = { kubeconfig: stage.cluster.kubeconfigPath };
    const elsewhere = await runCommand(["diff", "-", "-n", "no-such-namespace"], { stdin, environment });
    assert.equal(elsewhere.code, 2);
    assert.match(elsewhere.stderr, /namespaces "no-such-namespace" not found/);
    const noCluster = await runCommand(["diff", "-"], { stdin, environment: {} });
    assert.equal(noCluster.code, 2);
    assert.match(noCluster.stderr, /there is no kubeconfig/);
  });

  test("uses the namespace and the contexts of the kubeconfig, and merges several files", async (context) => {
    const stage = await fixture(context, { operator: false });
    const directory = await mkdtemp(join(tmpdir(), "mlflow-operator-kubeconfig-"));
    context.after(() => rm(directory, { recursive: true }));
    const [empty, own] = [join(directory, "empty"), join(directory, "own")];
    await writeFile(empty, dump({ apiVersion: "v1", kind: "Config", clusters: [], users: [], contexts: [] }));
    const config = load(await readFile(stage.cluster.kubeconfigPath, "utf8")) as Record<string, unknown>;
    const [current] = config["contexts"] as { name: string; context: object }[];
    const contexts = [{ name: current?.name, context: { ...current?.context, namespace: stage.namespace } }];
    await writeFile(own, dump({ ...config, contexts }));
    const stdin = dump(server("mlflow"));
    const { stdout, stderr } = await runCommand(["diff", "-"], {
      stdin,
      environment: { kubeconfig: `${empty}:${own}` },
    });
    assert.match(stdout, new RegExp(`^\\+ {2}namespace: ${stage.namespace}$`, "m"), stderr);
    const unknown = await runCommand(["diff", "-", "--context", "none"], { stdin, environment: { kubeconfig: own } });
    assert.equal(unknown.code, 2);
    assert.match(unknown.stderr, /has no cluster for the context none/);
  });
});
