import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { SignJWT } from "jose";
import { label } from "../../src/kube/names.ts";
import {
  readsAuthenticationConfiguration,
  writeAuthenticationConfiguration,
} from "../cluster/authentication-configuration.ts";
import { clusterPaths } from "../cluster/cluster-paths.ts";
import { objects } from "../support/objects.ts";
import { freshNamespace } from "../support/operator-fixture.ts";
import { clientPod } from "./client-pod.ts";
import { assertStored, startCollector } from "./collector.ts";
import { imageReference, testedVersion } from "./live-cluster.ts";
import { proxyFixture } from "./proxy-fixture.ts";
import { startClient } from "./running-client.ts";
import { apiAudience, enableDiscovery, grant, serviceAccountToken } from "./service-accounts.ts";
import { waitUntil } from "./wait-until.ts";

const name = "mlflow-workspaces";
const trainer = "workspace-trainer";

/** Logs a run with MLflow's client, in the given workspace, if any, and prints its id or the error. */
const program = `
import sys, mlflow
try:
    if len(sys.argv) > 1:
        mlflow.set_workspace(sys.argv[1])
    mlflow.set_experiment("by-hand")
    with mlflow.start_run() as run:
        mlflow.log_metric("loss", 0.5)
    print(run.info.run_id)
except mlflow.exceptions.MlflowException as error:
    print(error)
`;

test("namespaces as workspaces, authorized with callers' tokens", {
  timeout: 1_800_000,
}, async (context) => {
  const fixture = await proxyFixture(context, { isWide: true });
  const { cluster, namespace, issuer } = fixture;
  const [team, other, unrelated] = await Promise.all([0, 1, 2].map(() => freshNamespace(cluster)));
  assert.ok(team !== undefined && other !== undefined && unrelated !== undefined);
  context.after(async () => {
    for (const each of [team, other, unrelated]) await cluster.request("DELETE", `/api/v1/namespaces/${each}`);
  });
  context.after(await enableDiscovery(fixture));
  const setOptIn = (of: string, to: string | null) =>
    fixture.objects.patch("Namespace", of, { metadata: { labels: { [label.workspaceOf]: to } } });
  for (const each of [team, other]) await setOptIn(each, namespace);

  const image = await imageReference(cluster, `mlflow-server:${testedVersion}`);
  const example = await readFile(join(import.meta.dirname, "../../examples/kubernetes-workspaces.yaml"), "utf8");
  const here = example
    .replaceAll("namespace: team-a", `namespace: ${team}`)
    .replaceAll("namespace: mlflow\n", `namespace: ${namespace}\n`)
    .replaceAll(`${name}.mlflow:5000`, `${name}.${namespace}:5000`)
    .replaceAll(/image: ghcr\.io\/\S+/g, `image: ${image}`);
  const { code, stderr } = await cluster.kubectl(["apply", "-f", "-"], here);
  assert.equal(code, 0, stderr);
  const inTeam = objects(cluster, team);
  const uri = `http://${name}.${namespace}:5000`;
  await inTeam.create("Pod", clientPod({ name: "client", image, trackingUri: uri, serviceAccount: trainer }));
  await fixture.ready(name, 600);
  await grant(
    fixture,
    "alice",
    [{ kind: "User", apiGroup: "rbac.authorization.k8s.io", name: `${namespace}:alice` }],
    team,
  );
  await waitUntil(async () => assert.equal((await inTeam.the("Pod", "client")).status?.phase, "Running"), 300);

  const token = await serviceAccountToken({ ...fixture, namespace: team }, trainer);
  const owner = `system:serviceaccount:${team}:${trainer}`;
  const search = async (workspace: string | undefined, bearer = token) => {
    const mlflow = await fixture.asAnonymous(name);
    const headers = {
      authorization: `Bearer ${bearer}`,
      ...(workspace !== undefined && { "x-mlflow-workspace": workspace }),
    };
    return mlflow.call("GET", "/api/2.0/mlflow/experiments/search?max_results=5", { headers });
  };
  const created = async (workspace: string) => {
    const mlflow = await fixture.asAnonymous(name);
    const headers = { authorization: `Bearer ${token}`, "x-mlflow-workspace": workspace };
    const body = { name: `tried-${Math.random()}` };
    return mlflow.call("POST", "/api/2.0/mlflow/experiments/create", { headers, body });
  };
  /** Writes traces from a collector in the team's namespace, whose only credential is its projected token. */
  const collectorWrites = async () => {
    const { body } = await created(team);
    const [, experiment = ""] = /"experiment_id": *"(\d+)"/.exec(body) ?? [];
    const args = ["--workspace", team];
    const collector = await startCollector(fixture, name, {
      place: { namespace: team, sender: "client" },
      experiment,
      args,
    });
    const reader = { authorization: `Bearer ${token}`, "x-mlflow-workspace": team };
    await assertStored(await fixture.asAnonymous(name), await collector.send(), reader);
  };
  const ownerOf = async (run: string) => {
    const mlflow = await fixture.asAnonymous(name);
    const headers = { authorization: `Bearer ${token}`, "x-mlflow-workspace": team };
    const { body } = await mlflow.call("GET", `/api/2.0/mlflow/runs/get?run_id=${run}`, { headers });
    return /"user_id": *"([^"]*)"/.exec(body)?.[1] ?? body;
  };
  /** Returns the output of the program in the team's pod, whose only credential is its projected token. */
  const inPod = async (provider: string, ...args: readonly string[]) => {
    const command = ["env", `MLFLOW_TRACKING_AUTH=${provider}`, "python", "-W", "ignore", "-", ...args];
    const { stdout, stderr } = await cluster.kubectl(["exec", "-i", "-n", team, "client", "--", ...command], program);
    return stdout.trim().split("\n").at(-1) ?? stderr;
  };
  const podsAuthenticate = async () => {
    assert.equal(await ownerOf(await inPod("kubernetes-namespaced")), owner);
    assert.equal(await ownerOf(await inPod("kubernetes", team)), owner);
    assert.match(await inPod("kubernetes", other), /[Pp]ermission|PERMISSION_DENIED|403/);
  };
  /** Both providers without a mounted ServiceAccount: namespace and token come from the kubeconfig's context. */
  const kubeconfigAuthenticates = async () => {
    const context = { namespace: team };
    const attempts = {
      namespaced: { provider: "kubernetes-namespaced", context },
      "token alone": { provider: "kubernetes", workspace: team },
      "another workspace": { provider: "kubernetes-namespaced", context, workspace: other },
      "no workspace": { provider: "kubernetes" },
      "no namespace": { provider: "kubernetes-namespaced" },
      "no token": { provider: "kubernetes", workspace: team, hasNoToken: true },
    };
    const { calls, ...results } = await outside.run("client-kubeconfig.py", JSON.stringify(attempts));
    for (const title of ["namespaced", "token alone"])
      assert.equal(await ownerOf(String(results[title])), owner, title);
    assert.match(String(results["another workspace"]), /PERMISSION_DENIED/);
    assert.match(String(results["no workspace"]), /[Ww]orkspace/);
    assert.match(String(results["no namespace"]), /Could not determine Kubernetes namespace/);
    assert.match(String(results["no token"]), /Could not determine Kubernetes credentials/);
    // The client caches a context's token for a minute.
    assert.ok(Number(calls) >= 4 && Number(calls) <= 8, `${calls} runs of the exec plugin`);
  };

  await context.test("the example's Job writes into the workspace of its namespace with its own identity", async () => {
    await waitUntil(async () => {
      assert.equal((await inTeam.the("Job", "workspace-training")).status?.succeeded, 1);
    }, 600);
    // The Job is older than the server: a pod may have failed before, and then another one has the run.
    const ofJob = ["--selector", "batch.kubernetes.io/job-name=workspace-training", "--tail=-1"];
    const run = await waitUntil(async () => {
      const { stdout } = await cluster.kubectl(["logs", "--namespace", team, ...ofJob]);
      const found = /^[0-9a-f]{32}$/m.exec(stdout)?.[0];
      assert.ok(found !== undefined, stdout);
      return found;
    }, 60);
    assert.equal(await ownerOf(run), owner);
  });

  await context.test("a pod authenticates with its projected token only, with both providers", podsAuthenticate);

  const outside = await startClient(fixture, { name: "outside", image, trackingUri: uri });
  await context.test("a kubeconfig with an exec plugin authenticates, with both providers", async () => {
    await fixture.inPod("outside", ["mkdir", "-p", "/tmp/kube"]);
    await outside.write("/tmp/kube/token", token);
    await kubeconfigAuthenticates();
  });

  await context.test("denies access to a workspace without a RoleBinding for the caller", async () => {
    assert.equal((await search(team)).status, 200);
    assert.equal((await created(team)).status, 200);
    assert.equal((await created(other)).status, 403);
    // Lists contain only objects that the caller can read.
    assert.deepEqual(JSON.parse((await search(other)).body), {});
    assert.equal((await search(namespace)).status, 404, "the server's own namespace is a workspace only if it opts in");
    assert.equal((await search(unrelated)).status, 404);
    assert.equal((await search("kube-system")).status, 404);
    assert.equal((await search(undefined)).status, 400, "there is no default workspace");
    const headers = { authorization: `Bearer ${token}` };
    const { body } = await (await fixture.asAnonymous(name)).call("GET", "/api/3.0/mlflow/workspaces", { headers });
    assert.deepEqual([body.includes(team), body.includes(other)], [true, false], body);
  });

  await context.test("a collector writes traces into its workspace with its projected token only", collectorWrites);

  await context.test("answers 401 for a token that has expired or has another audience", async () => {
    const key = createPrivateKey(await readFile(join(clusterPaths.state, "service-accounts.key"), "utf8"));
    const now = Math.floor(Date.now() / 1000);
    const [, claims = ""] = token.split(".");
    const as = (change: object) =>
      new SignJWT({ ...JSON.parse(Buffer.from(claims, "base64url").toString()), ...change })
        .setProtectedHeader({ alg: "ES256" })
        .sign(key);
    assert.equal((await search(team, await as({}))).status, 200, "the cluster's own key signs");
    assert.equal((await search(team, await as({ iat: now - 7200, nbf: now - 7200, exp: now - 3600 }))).status, 401);
    assert.equal(
      (await search(team, await serviceAccountToken({ ...fixture, namespace: team }, trainer, "mlflow"))).status,
      401,
    );
    assert.equal((await search(team, "x")).status, 401);
  });

  await context.test("the same behind oauth2-proxy", async () => {
    const proxy = { ...fixture.proxy, acceptServiceAccountTokens: { issuer: apiAudience } };
    await fixture.objects.patch("MlflowServer", name, {
      spec: {
        authentication: { kubernetes: null, oauth2Proxy: { ...proxy, authorization: { kubernetes: {} } } },
      },
    });
    await fixture.ready(name, 600);
    await podsAuthenticate();
    await kubeconfigAuthenticates();
    await collectorWrites();
    assert.equal((await search(unrelated)).status, 404);
    assert.equal((await search(team, "x")).status, 401);
  });

  await context.test("a namespace without the opt-in label is no longer a workspace", async () => {
    await setOptIn(other, null);
    await waitUntil(async () => assert.equal((await search(other)).status, 404), 60);
    assert.equal((await search(team)).status, 200);
  });

  const unknown =
    !(await readsAuthenticationConfiguration()) &&
    "this cluster's API server was started without --authentication-config. Restart the cluster";
  await context.test("users of an issuer that the API server trusts are authenticated", { skip: unknown }, async () => {
    const alice = await issuer.token("alice", "mlflow");
    assert.equal((await search(team, alice)).status, 401, "the API server does not trust the issuer yet");
    await writeAuthenticationConfiguration([
      { url: issuer.url, audience: "mlflow", ca: issuer.ca, prefix: `${namespace}:` },
    ]);
    context.after(() => writeAuthenticationConfiguration());
    // The API server reads the file once a minute.
    await waitUntil(async () => assert.equal((await search(team, alice)).status, 200), 180);
    const { body } = await search(team, await issuer.token("bob", "mlflow"));
    const { experiments = [] }: { experiments?: unknown[] } = JSON.parse(body);
    assert.deepEqual(experiments, [], "the user is authenticated, and has no permissions");
  });
});
