import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import { finalizer, label } from "../../../src/kube/names.ts";
import type { ClusterAccess } from "../../control-plane/cluster-access.ts";
import { type ControlPlane, startControlPlane } from "../../control-plane/control-plane.ts";
import { onK3s } from "../../control-plane/shared.ts";
import { eventually } from "../../support/eventually.ts";
import { startFaultProxy } from "../../support/fault-proxy.ts";
import { killedAfterWrites } from "../../support/killed-after-writes.ts";
import { condition, type FixtureOptions, fixture, freshNamespace, installed } from "../../support/operator-fixture.ts";
import { type Modification, server } from "../../support/servers.ts";

const byKubernetes: Modification = { "spec.authentication": { kubernetes: {} } };
const workspaces: Modification = { ...byKubernetes, "spec.workspaces": {} };
const withWorkspaces = server("mlflow", workspaces);
const withoutWorkspaces = server("mlflow", byKubernetes);

/** An operator of all namespaces, and a namespace that can be labeled as a workspace. */
async function stage(context: TestContext, cluster: ClusterAccess, options: FixtureOptions = {}) {
  const set = await fixture(context, { cluster, isWide: true, ...options });
  const team = await freshNamespace(cluster);
  const optIn = (value: string | null) =>
    set.objects.patch("Namespace", team, { metadata: { labels: { [label.workspaceOf]: value } } });
  return { ...set, team, optIn, binding: `${set.namespace}.mlflow` };
}

type Stage = Awaited<ReturnType<typeof stage>>;

/** Asserts that the server is ready with its finalizer, and that its ServiceAccount can list workspaces. */
async function bound({ ready, objects, namespace, binding }: Stage, seconds = 60): Promise<void> {
  const { metadata } = await ready("mlflow", seconds);
  assert.deepEqual(metadata.finalizers, [finalizer]);
  const { roleRef, subjects } = await objects.the("ClusterRoleBinding", binding);
  assert.equal(roleRef.name, "mlflow-server");
  assert.deepEqual(subjects, [{ kind: "ServiceAccount", name: "mlflow", namespace }]);
}

async function gone({ objects, binding }: Stage, seconds = 60): Promise<void> {
  await eventually(async () => {
    assert.equal(await objects.get("MlflowServer", "mlflow"), undefined, "the server is still there");
    assert.equal(await objects.get("ClusterRoleBinding", binding), undefined, "the binding is still there");
  }, seconds);
}

describe("an object outside the server's namespace", { skip: onK3s() }, () => {
  let cluster: ControlPlane;
  before(async () => {
    cluster = await startControlPlane({ beforeControllers: installed });
  });
  after(() => cluster?.close());

  test("is created with the opt-in, and deleted with it or the server", async (context) => {
    const set = await stage(context, cluster);
    const { objects, optIn, binding, namespace } = set;
    await set.apply(withWorkspaces);
    const waiting = await set.stalled("WorkspaceOptInMissing");
    assert.match(condition(waiting, "Ready").message, new RegExp(`workspace-of=${namespace}$`));
    assert.equal(waiting.metadata.finalizers, undefined);
    assert.equal(await objects.get("ClusterRoleBinding", binding), undefined, "no namespace has opted in");
    assert.equal(await objects.get("Deployment", "mlflow"), undefined);

    await optIn("somebody-else");
    await optIn(namespace);
    await bound(set);
    await optIn(null);
    const { metadata } = await set.stalled("WorkspaceOptInMissing");
    await eventually(async () => {
      assert.equal(await objects.get("ClusterRoleBinding", binding), undefined);
      assert.equal((await objects.the("MlflowServer", "mlflow")).metadata.finalizers, undefined);
    });
    assert.ok(await objects.get("Deployment", "mlflow"), `the Deployment stays, of ${metadata.name}`);

    await optIn(namespace);
    await bound(set);
    await objects.remove("MlflowServer", "mlflow");
    await gone(set);
  });

  test("is deleted when the spec no longer needs it, and the finalizer is removed", async (context) => {
    const set = await stage(context, cluster);
    await set.optIn(set.namespace);
    await set.apply(withWorkspaces);
    await bound(set);
    await set.apply(withoutWorkspaces);
    await set.ready();
    await eventually(async () => {
      assert.equal(await set.objects.get("ClusterRoleBinding", set.binding), undefined);
      assert.equal((await set.objects.the("MlflowServer", "mlflow")).metadata.finalizers, undefined);
    });
  });

  test("is repaired: its subjects, its role, its labels, the object", async (context) => {
    const set = await stage(context, cluster);
    const { objects, binding } = set;
    await set.optIn(set.namespace);
    await set.apply(withWorkspaces);
    await bound(set);
    const stranger = { kind: "ServiceAccount", name: "stranger", namespace: "default" };
    await objects.patch("ClusterRoleBinding", binding, { subjects: [stranger] });
    await eventually(() => bound(set));
    await objects.patch("ClusterRoleBinding", binding, { metadata: { labels: { [label.managedBy]: null } } });
    await eventually(async () => {
      const { metadata } = await objects.the("ClusterRoleBinding", binding);
      assert.equal(metadata.labels?.[label.managedBy], "mlflow-operator");
    });
    const { metadata } = await objects.the("ClusterRoleBinding", binding);
    await objects.remove("ClusterRoleBinding", binding);
    await eventually(() => bound(set));
    await set.stop();
    await objects.remove("ClusterRoleBinding", binding);
    const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "view" };
    await objects.create("ClusterRoleBinding", {
      metadata: { name: binding, labels: metadata.labels ?? {} },
      roleRef,
      subjects: [stranger],
    });
    await set.start();
    await eventually(() => bound(set));
  });

  test("is never adopted or deleted if it is unmanaged", async (context) => {
    const set = await stage(context, cluster);
    const { objects, binding } = set;
    const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "view" };
    const { metadata } = await objects.create("ClusterRoleBinding", { metadata: { name: binding }, roleRef });
    await set.optIn(set.namespace);
    await set.apply(withWorkspaces);
    const stalled = await set.stalled("NameConflict");
    assert.match(
      condition(stalled, "Ready").message,
      new RegExp(`ClusterRoleBinding/${binding} exists and does not belong to this server`),
    );
    await objects.remove("MlflowServer", "mlflow");
    await eventually(async () => assert.equal(await objects.get("MlflowServer", "mlflow"), undefined));
    const after = await objects.the("ClusterRoleBinding", binding);
    assert.equal(after.metadata.resourceVersion, metadata.resourceVersion);
    await objects.remove("ClusterRoleBinding", binding);
  });

  test("does not block a deletion if it is missing, and is deleted if the server was removed without finalizers", async (context) => {
    const set = await stage(context, cluster);
    const { objects, binding } = set;
    await set.optIn(set.namespace);
    await set.apply(withWorkspaces);
    await bound(set);
    await set.stop();
    await objects.remove("ClusterRoleBinding", binding);
    await objects.remove("MlflowServer", "mlflow");
    await set.start();
    await gone(set);

    await set.apply(withWorkspaces);
    await bound(set);
    await set.stop();
    await objects.patch("MlflowServer", "mlflow", { metadata: { finalizers: null } });
    await objects.remove("MlflowServer", "mlflow");
    await set.start();
    await gone(set);
  });

  test("also allows reviewing the access of other users, when the server's own namespace opts in", async (context) => {
    const set = await stage(context, cluster);
    const { objects, namespace, binding } = set;
    const vouched: Modification = {
      "spec.authentication": {
        oauth2Proxy: {
          issuerURL: "https://dex.example.com",
          clientID: "mlflow",
          authorization: { kubernetes: { accessReview: "SubjectAccessReview" } },
        },
      },
    };
    await set.optIn(namespace);
    await set.apply(server("mlflow", vouched));
    const waiting = await set.stalled("WorkspaceOptInMissing");
    assert.match(condition(waiting, "Ready").message, new RegExp(`label namespace ${namespace} .*=${namespace}$`));
    assert.equal(await objects.get("ClusterRoleBinding", `${binding}.reviewer`), undefined);

    await objects.patch("Namespace", namespace, { metadata: { labels: { [label.workspaceOf]: namespace } } });
    await set.ready("mlflow", 60);
    const { roleRef } = await objects.the("ClusterRoleBinding", `${binding}.reviewer`);
    assert.equal(roleRef.name, "mlflow-server-reviewer");
    assert.equal(await objects.get("ClusterRoleBinding", binding), undefined, "it has no workspaces to list");
    await set.apply(server("mlflow", vouched, { "spec.workspaces": {} }));
    await eventually(() => bound(set));
    await objects.remove("MlflowServer", "mlflow");
    await gone(set);
    assert.equal(await objects.get("ClusterRoleBinding", `${binding}.reviewer`), undefined);
  });

  test("is deleted with the server's namespace, which terminates immediately", async (context) => {
    // Elsewhere, because the namespace controller may delete the operator's ServiceAccount before the server.
    const set = await stage(context, cluster, { home: await freshNamespace(cluster) });
    await set.optIn(set.namespace);
    await set.apply(withWorkspaces);
    await bound(set);
    await set.objects.remove("Namespace", set.namespace);
    await gone(set);
  });

  test("is not recognized by labels on an object in a namespace", async (context) => {
    const set = await stage(context, cluster);
    await set.optIn(set.namespace);
    await set.apply(withWorkspaces);
    await bound(set);
    const labels = {
      [label.managedBy]: "mlflow-operator",
      [label.server]: "mlflow",
      [label.serverNamespace]: set.namespace,
    };
    const { request } = cluster;
    const body = {
      metadata: { name: "mlflow-session", labels },
      stringData: { "flask-secret-key": "known to a stranger" },
    };
    const answer = await request("POST", `/api/v1/namespaces/${set.team}/secrets`, {
      body,
    });
    assert.equal(answer.status, 201, answer.body);
    await set.apply(server("mlflow", workspaces, { "spec.server.workers": 2 }));
    await set.ready();
    await set.objects.remove("MlflowServer", "mlflow");
    await gone(set);
    const left = await request("GET", `/api/v1/namespaces/${set.team}/secrets/mlflow-session`);
    assert.equal(left.status, 200, "it is not changed");
  });

  for (const [file, name] of [
    ["kubernetes-workspaces", "mlflow-workspaces"],
    ["proxy-identity", "mlflow-people"],
  ] as const)
    test(`examples/${file}.yaml becomes Ready if namespaces opt in`, async (context) => {
      const set = await stage(context, cluster);
      await set.optIn(set.namespace);
      await set.objects.patch("Namespace", set.namespace, {
        metadata: { labels: { [label.workspaceOf]: set.namespace } },
      });
      const example = (await readFile(join(import.meta.dirname, `../../../examples/${file}.yaml`), "utf8"))
        .replaceAll("namespace: team-a", `namespace: ${set.team}`)
        .replaceAll("namespace: mlflow\n", `namespace: ${set.namespace}\n`);
      const place = example.includes(`\n  namespace: ${set.namespace}\n`) ? [] : ["--namespace", set.namespace];
      const applied = await cluster.kubectl([...place, "apply", "-f", "-"], example);
      assert.equal(applied.code, 0, applied.stderr);
      await set.ready(name, 60);
      await set.objects.remove("MlflowServer", name);
      await eventually(async () => assert.equal(await set.objects.get("MlflowServer", name), undefined));
    });

  test("is created and deleted completely if an operator is killed after any write", async (context) => {
    const proxy = await startFaultProxy(cluster);
    context.after(() => proxy.close());
    const set = await stage(context, cluster);
    // All other objects exist, so only the tested ones are written.
    await set.apply(withoutWorkspaces);
    await set.ready();
    await set.stop();
    const play = async (done: () => Promise<void>) => {
      const writes = await killedAfterWrites(context, proxy, set.identity, [], done);
      return writes.map(({ method, path }) => `${method} ${path}`);
    };
    await set.optIn(set.namespace);
    await set.apply(withWorkspaces);
    const coming = await play(() => bound(set, 0));
    await set.objects.remove("MlflowServer", "mlflow");
    const going = await play(() => gone(set, 0));
    const far = (path: string) => /clusterrolebindings|mlflowservers\/mlflow$/.test(path);
    assert.equal(coming.filter(far).length, 2, coming.join(", "));
    assert.ok(
      coming.findIndex((each) => each.endsWith("mlflowservers/mlflow")) <
        coming.findIndex((each) => each.endsWith("clusterrolebindings")),
    );
    assert.ok(going.some(far), going.join(", "));
  });
});

test("an operator with Roles reports that it cannot serve workspaces", { skip: onK3s() }, async (context) => {
  const { apply, stalled } = await fixture(context);
  await apply(withWorkspaces);
  assert.match(
    condition(await stalled("WorkspacesUnavailable"), "Ready").message,
    /needs an operator that watches all namespaces/,
  );
});

test("an operator with Roles reports ClusterRoleBindings of another operator, and keeps the finalizer", {
  skip: onK3s(),
}, async (context) => {
  const { apply, objects } = await fixture(context);
  await apply({ ...withoutWorkspaces, metadata: { name: "mlflow", finalizers: [finalizer] } });
  await objects.remove("MlflowServer", "mlflow");
  const { status } = await eventually(async () => {
    const left = await objects.the("MlflowServer", "mlflow");
    assert.equal(condition(left, "Stalled").reason, "WorkspacesUnavailable");
    return left;
  });
  assert.match(JSON.stringify(status), /remove mlflow-operator\.dev\/release from metadata\.finalizers/);
  await objects.patch("MlflowServer", "mlflow", { metadata: { finalizers: null } });
  await eventually(async () => assert.equal(await objects.get("MlflowServer", "mlflow"), undefined));
});
