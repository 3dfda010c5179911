import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { AccessRow } from "../../../src/cli/access-table.ts";
import { label } from "../../../src/kube/names.ts";
import { type ControlPlane, startControlPlane } from "../../control-plane/control-plane.ts";
import { onK3s } from "../../control-plane/shared.ts";
import { auditLog } from "../../support/audit-log.ts";
import { runCommand } from "../../support/command-line.ts";
import { eventually } from "../../support/eventually.ts";
import { startFaultProxy } from "../../support/fault-proxy.ts";
import { history } from "../../support/history.ts";
import type { Objects } from "../../support/objects.ts";
import { installed } from "../../support/operator-fixture.ts";
import { server } from "../../support/servers.ts";
import { accessSays, workspaceFixture } from "./workspace-fixture.ts";

const group = (name: string) => ({ kind: "Group", name });
const grant = (role: string, who: string, ...namespaces: string[]) => ({
  role,
  subjects: [group(who)],
  ...(namespaces.length > 0 ? { namespaces } : { selector: {} }),
});
const absent = (team: Objects, kind: "RoleBinding" | "ConfigMap", name: string) =>
  eventually(async () => assert.equal(await team.get(kind, name), undefined, `${kind}/${name} is still there`));

describe("workspaces", { skip: onK3s() }, () => {
  let cluster: ControlPlane;
  before(async () => {
    cluster = await startControlPlane({ beforeControllers: installed });
  });
  after(async () => {
    await cluster?.close();
  });

  test("grants are bound in namespaces that opt in, and nothing is written in others", async (context) => {
    const set = await workspaceFixture(context, cluster);
    const [one, other, silent] = [await set.team(), await set.team(true, { tier: "x" }), await set.team(false)];
    await set.serve({
      access: [
        grant("Editor", "science", one.namespace, silent.namespace),
        { role: "Viewer", subjects: [group("audit")], selector: { matchLabels: { tier: "x" } } },
      ],
    });
    const message = await set.workspacesReady("WorkspaceOptInMissing");
    assert.match(
      message,
      new RegExp(`kubectl label namespace ${silent.namespace} ${label.workspaceOf}=${set.namespace}`),
    );
    // Known missing namespaces are reported while others are still checked.
    await eventually(async () => {
      const { status } = await set.objects.the("MlflowServer", "mlflow");
      assert.deepEqual(status?.workspaces, { ready: 2, total: 3 });
    });
    assert.deepEqual(await set.holders(one, "editor"), ["science"]);
    assert.deepEqual(await set.holders(other, "viewer"), ["audit"]);
    assert.equal(await other.get("RoleBinding", set.binding("editor")), undefined);
    const { data } = await one.the("ConfigMap", "mlflow-client");
    assert.equal(data?.["MLFLOW_TRACKING_URI"], `http://mlflow.${set.namespace}:5000`);
    assert.equal(data?.["MLFLOW_WORKSPACE"], one.namespace);
    assert.deepEqual(await silent.list("RoleBinding"), []);
    assert.equal(await silent.get("ConfigMap", "mlflow-client"), undefined);

    await set.objects.patch("Namespace", silent.namespace, {
      metadata: { labels: { [label.workspaceOf]: set.namespace } },
    });
    await set.workspacesReady("WorkspacesReady");
    assert.deepEqual(await set.holders(silent, "editor"), ["science"]);
    await eventually(async () => {
      const { status } = await set.objects.the("MlflowServer", "mlflow");
      assert.deepEqual(status?.workspaces, { ready: 3, total: 3 });
    });
  });

  test("bindings are deleted with the grant, the label, or the server", async (context) => {
    const set = await workspaceFixture(context, cluster);
    const [one, other] = [await set.team(), await set.team()];
    await set.serve({ access: [grant("Editor", "science"), grant("Viewer", "audit")] });
    await set.workspacesReady("WorkspacesReady");
    await set.serve({ access: [grant("Editor", "science")] });
    await absent(one, "RoleBinding", set.binding("viewer"));
    assert.deepEqual(await set.holders(one, "editor"), ["science"]);
    await set.objects.patch("Namespace", one.namespace, { metadata: { labels: { [label.workspaceOf]: null } } });
    await absent(one, "RoleBinding", set.binding("editor"));
    await absent(one, "ConfigMap", "mlflow-client");
    assert.deepEqual(await set.holders(other, "editor"), ["science"]);
    await set.objects.remove("MlflowServer", "mlflow");
    await absent(other, "RoleBinding", set.binding("editor"));
    await absent(other, "ConfigMap", "mlflow-client");
    await eventually(async () => assert.equal(await set.objects.get("MlflowServer", "mlflow"), undefined));
  });

  test("a deleted server waits until its objects in workspaces are deleted, also after a downtime of the operator", async (context) => {
    const set = await workspaceFixture(context, cluster);
    const team = await set.team();
    await set.serve({ access: [grant("Admin", "science")] });
    await set.workspacesReady("WorkspacesReady");
    await set.stop();
    await set.objects.remove("MlflowServer", "mlflow");
    assert.ok(await set.objects.get("MlflowServer", "mlflow"), "it has its finalizer");
    await set.start();
    await eventually(async () => assert.equal(await set.objects.get("MlflowServer", "mlflow"), undefined));
    assert.equal(await team.get("RoleBinding", set.binding("admin")), undefined);
    assert.equal(await team.get("ConfigMap", "mlflow-client"), undefined);
  });

  test("a terminating namespace blocks neither the others nor the server", async (context) => {
    const set = await workspaceFixture(context, cluster);
    const [one, kept] = [await set.team(), await set.team()];
    await set.serve({ access: [grant("Editor", "science")] });
    await set.workspacesReady("WorkspacesReady");
    // The namespace cannot be deleted while this object exists.
    await kept.create("ConfigMap", { metadata: { name: "keeper", finalizers: ["example.com/keep"] } });
    const release = () => kept.patch("ConfigMap", "keeper", { metadata: { finalizers: null } });
    context.after(release);
    await set.objects.attempt("DELETE", `/api/v1/namespaces/${kept.namespace}`);
    await eventually(async () => {
      const { status } = await set.objects.the("MlflowServer", "mlflow");
      assert.deepEqual(status?.workspaces, { ready: 1, total: 1 });
    });
    await set.serve({ access: [grant("Viewer", "science")] });
    await set.workspacesReady("WorkspacesReady");
    assert.deepEqual(await set.holders(one, "viewer"), ["science"]);
    await set.objects.remove("MlflowServer", "mlflow");
    await eventually(async () => assert.equal(await set.objects.get("MlflowServer", "mlflow"), undefined));
  });

  test("changes by a user are repaired: subjects, role, labels, the object, the ConfigMap's data", async (context) => {
    const set = await workspaceFixture(context, cluster);
    const team = await set.team();
    await set.serve({ access: [grant("Editor", "science")] });
    await set.workspacesReady("WorkspacesReady");
    const name = set.binding("editor");
    const intact = () =>
      eventually(async () => {
        const { metadata, roleRef } = await team.the("RoleBinding", name);
        assert.deepEqual(await set.holders(team, "editor"), ["science"]);
        assert.equal(roleRef.name, "mlflow-workspace-editor");
        assert.equal(metadata.labels?.[label.managedBy], "mlflow-operator");
        assert.equal(metadata.labels?.[label.server], "mlflow");
      });
    const more = { kind: "Group", name: "more", apiGroup: "rbac.authorization.k8s.io" };
    await team.patch("RoleBinding", name, { subjects: [more] });
    await intact();
    for (const key of [label.managedBy, label.server]) {
      await team.patch("RoleBinding", name, { metadata: { labels: { [key]: null } } });
      await intact();
    }
    await team.remove("RoleBinding", name);
    await intact();
    await team.remove("RoleBinding", name);
    await team
      .create("RoleBinding", {
        metadata: {
          name,
          labels: {
            [label.managedBy]: "mlflow-operator",
            [label.serverNamespace]: set.namespace,
            [label.server]: "mlflow",
          },
        },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "view" },
        subjects: [more],
      })
      .catch(() => undefined);
    await intact();
    await team.patch("ConfigMap", "mlflow-client", { data: { MLFLOW_TRACKING_URI: "http://elsewhere" } });
    await eventually(async () => {
      const { data } = await team.the("ConfigMap", "mlflow-client");
      assert.equal(data?.["MLFLOW_TRACKING_URI"], `http://mlflow.${set.namespace}:5000`);
    });
  });

  test("an unmanaged object with a wanted name is neither changed nor deleted, and is reported", async (context) => {
    const set = await workspaceFixture(context, cluster);
    const [team, other] = [await set.team(), await set.team()];
    await team.create("ConfigMap", { metadata: { name: "mlflow-client" }, data: { mine: "1" } });
    await set.serve({ access: [grant("Editor", "science")] });
    const message = await set.workspacesReady("NameConflict");
    assert.match(
      message,
      new RegExp(`in namespace ${team.namespace}: ConfigMap/mlflow-client .*clientConfigMaps: false`),
    );
    assert.deepEqual((await team.the("ConfigMap", "mlflow-client")).data, { mine: "1" });
    // A conflict is reported while other objects are still written.
    await eventually(async () => assert.deepEqual(await set.holders(team, "editor"), ["science"]));
    await eventually(async () => assert.deepEqual(await set.holders(other, "editor"), ["science"]));
    await set.serve({ access: [grant("Editor", "science")], clientConfigMaps: false });
    await set.workspacesReady("WorkspacesReady");
    assert.equal(await other.get("ConfigMap", "mlflow-client"), undefined);
    await set.objects.remove("MlflowServer", "mlflow");
    await absent(team, "RoleBinding", set.binding("editor"));
    assert.deepEqual((await team.the("ConfigMap", "mlflow-client")).data, { mine: "1" });
  });

  test("a team grants by an MlflowWorkspaceAccess until it expires, and its status reports the result", async (context) => {
    const set = await workspaceFixture(context, cluster);
    const [team, silent] = [await set.team(), await set.team(false)];
    await set.serve({ access: [grant("Editor", "science")] });
    const serverRef = { namespace: set.namespace, name: "mlflow" };
    const spec = { serverRef, role: "Editor", subjects: [{ kind: "User", name: "ada" }] };
    await team.create("MlflowWorkspaceAccess", { metadata: { name: "guest" }, spec });
    assert.match(await accessSays(team, "guest", "Granted"), /1 subject has the role Editor by RoleBinding/);
    await eventually(async () => assert.deepEqual(await set.holders(team, "editor"), ["science", "ada"]));

    await silent.create("MlflowWorkspaceAccess", { metadata: { name: "early" }, spec });
    assert.match(await accessSays(silent, "early", "WorkspaceOptInMissing"), /kubectl label namespace/);
    assert.deepEqual(await silent.list("RoleBinding"), []);
    const strange = { ...spec, serverRef: { ...serverRef, name: "none" } };
    await team.create("MlflowWorkspaceAccess", { metadata: { name: "strange" }, spec: strange });
    await accessSays(team, "strange", "WorkspaceNotServed");

    const manual = { apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "eve" };
    await team.create("RoleBinding", {
      metadata: { name: "by-hand" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "mlflow-workspace-viewer" },
      subjects: [manual],
    });
    const { stdout } = await runCommand(["access", "-n", team.namespace, "-o", "json"], {
      environment: { kubeconfig: cluster.kubeconfigPath },
      now: new Date(),
    });
    const rows: AccessRow[] = JSON.parse(stdout).access;
    assert.deepEqual(rows.map(({ subject, role, through }) => `${subject.name} ${role} ${through}`).sort(), [
      `ada Editor MlflowWorkspaceAccess ${team.namespace}/guest`,
      `eve Viewer RoleBinding ${team.namespace}/by-hand`,
      `science Editor MlflowServer ${set.namespace}/mlflow, spec.workspaces.access[0]`,
    ]);

    const began = Date.now();
    await team.patch("MlflowWorkspaceAccess", "guest", { spec: { role: "Admin" } });
    await accessSays(team, "guest", "Granted");
    await eventually(async () => {
      assert.deepEqual(await set.holders(team, "admin"), ["ada"]);
      assert.deepEqual(await set.holders(team, "editor"), ["science"]);
    });
    // Long enough to check it before it expires, also on a busy machine.
    const soon = Date.now() + Math.max(6000, 4 * (Date.now() - began));
    await team.patch("MlflowWorkspaceAccess", "guest", { spec: { expiresAt: new Date(soon).toISOString() } });
    await accessSays(team, "guest", "Granted");
    assert.deepEqual(await set.holders(team, "admin"), ["ada"]);
    await accessSays(team, "guest", "Expired");
    assert.ok(Date.now() >= soon && Date.now() < soon + 10_000, `${Date.now() - soon} ms after its expiry`);
    await absent(team, "RoleBinding", set.binding("admin"));
    await team.remove("MlflowWorkspaceAccess", "strange");
  });

  test("Events record when a grant is in force, changes, ends and expires", async (context) => {
    const set = await workspaceFixture(context, cluster);
    const team = await set.team();
    await set.serve({ access: [] });
    const serverRef = { namespace: set.namespace, name: "mlflow" };
    const spec = { serverRef, role: "Editor", subjects: [{ kind: "User", name: "ada" }] };
    const expected: string[] = [];
    const records = async (event: string) => {
      expected.push(event);
      await eventually(async () => {
        const events = (await team.list("Event")).filter(({ regarding }) => regarding.kind === "MlflowWorkspaceAccess");
        const found = events.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
        assert.deepEqual(
          found.map(({ type, reason, regarding }) => `${type} ${reason} ${regarding.name}`),
          expected,
        );
        for (const { reportingController } of found) assert.equal(reportingController, "mlflow-operator");
      });
    };
    const optIn = (host: string | null) =>
      set.objects.patch("Namespace", team.namespace, { metadata: { labels: { [label.workspaceOf]: host } } });
    await team.create("MlflowWorkspaceAccess", { metadata: { name: "guest" }, spec });
    await records("Normal Granted guest");
    await team.patch("MlflowWorkspaceAccess", "guest", { spec: { role: "Admin" } });
    await records("Normal Granted guest");
    await optIn(null);
    await records("Warning Revoked guest");
    await optIn(set.namespace);
    await records("Normal Granted guest");
    await team.patch("MlflowWorkspaceAccess", "guest", { spec: { expiresAt: "2026-01-01T00:00:00Z" } });
    await records("Normal Expired guest");
  });

  test("conflicting grants of two servers: the older one's grant applies, and the younger one reports it", async (context) => {
    const set = await workspaceFixture(context, cluster);
    const [team, other] = [await set.team(), await set.team()];
    await set.serve({ access: [grant("Viewer", "science", team.namespace)] }, "older");
    // creationTimestamp has whole seconds.
    await new Promise((resolve) => setTimeout(resolve, 1100));
    await set.serve({ access: [grant("Admin", "science", team.namespace), grant("Editor", "audit")] }, "younger");
    assert.match(
      await set.workspacesReady("ConflictingGrants", "younger"),
      /the older MlflowServer \S+\/older grants it Viewer/,
    );
    await set.workspacesReady("WorkspacesReady", "older");
    assert.equal(await team.get("RoleBinding", set.binding("admin", "younger")), undefined);
    await eventually(async () => assert.deepEqual(await set.holders(team, "viewer", "older"), ["science"]));
    await eventually(async () => assert.deepEqual(await set.holders(other, "editor", "younger"), ["audit"]));
    const { data } = await team.the("ConfigMap", "mlflow-client");
    assert.equal(data?.["MLFLOW_TRACKING_URI"], `http://older.${set.namespace}:5000`);
    await set.objects.remove("MlflowServer", "older");
    await set.workspacesReady("WorkspacesReady", "younger");
    assert.deepEqual(await set.holders(team, "admin", "younger"), ["science"]);
  });

  test("a change of a pod or a status makes no call to workspaces, and a change of one grant only to its bindings", async (context) => {
    const set = await workspaceFixture(context, cluster);
    const teams = [await set.team(), await set.team(), await set.team()];
    const [first] = teams;
    assert.ok(first !== undefined);
    const access = [grant("Editor", "science"), grant("Viewer", "audit", first.namespace)];
    await set.serve({ access });
    await set.workspacesReady("WorkspacesReady");
    const inTeams = ({ uri }: { uri: string }) =>
      teams.some(({ namespace }) => uri.includes(`/namespaces/${namespace}/`));
    const quiet = await set.quiet();
    const serverPod = async () => {
      const pods = await set.objects.list("Pod");
      return pods.find(({ metadata }) => metadata.labels?.[label.component] === "server");
    };
    const pod = await serverPod();
    assert.ok(pod !== undefined);
    await set.objects.remove("Pod", pod.metadata.name);
    await eventually(async () => {
      const next = await serverPod();
      assert.ok(next !== undefined && next.metadata.uid !== pod.metadata.uid);
    });
    await set.ready();
    assert.deepEqual((await set.calls(quiet)).filter(inTeams), []);

    const mark = await set.mark();
    await set.serve({ access: [grant("Editor", "science"), grant("Viewer", "auditors", first.namespace)] });
    await eventually(async () => assert.deepEqual(await set.holders(first, "viewer"), ["auditors"]));
    await set.workspacesReady("WorkspacesReady");
    const written = (await set.calls(mark)).filter(inTeams).map(({ verb, uri }) => `${verb} ${uri.split("?")[0]}`);
    assert.deepEqual(written, [
      `patch /apis/rbac.authorization.k8s.io/v1/namespaces/${first.namespace}/rolebindings/${set.binding("viewer")}`,
    ]);
  });

  test("a restarted operator writes nothing if all objects exist", async (context) => {
    const set = await workspaceFixture(context, cluster);
    const team = await set.team();
    await set.serve({ access: [grant("Editor", "science")] });
    await set.workspacesReady("WorkspacesReady");
    await set.stop();
    const mark = await set.mark();
    await set.start();
    await eventually(() => assert.ok(set.operator().log.some(({ message }) => message === "all watches are synced")));
    await new Promise((resolve) => setTimeout(resolve, 2500));
    // Objects of other tests are terminating and are ignored.
    const here = ({ namespace }: { namespace: string }) => namespace === set.namespace || namespace === team.namespace;
    assert.deepEqual((await set.writes(mark)).filter(here), []);
  });

  test("faults: requests that fail, are closed or hang are retried, and nothing is left behind", async (context) => {
    const proxy = await startFaultProxy(cluster);
    context.after(() => proxy.close());
    const set = await workspaceFixture(context, cluster, { proxy, expectsForbidden: true });
    const teams = await Promise.all(Array.from({ length: 6 }, () => set.team()));
    let count = 0;
    const isBinding = ({ method, path }: { method: string; path: string }) =>
      method !== "GET" && /rolebindings|configmaps\/?/.test(path) && !path.includes(set.namespace);
    const everyThird = (request: { method: string; path: string }) => isBinding(request) && count++ % 3 === 0;
    const rule = proxy.fault({ when: everyThird, fault: { kind: "cut" } });
    await set.serve({ access: [grant("Editor", "science"), grant("Viewer", "audit")] });
    await eventually(() => set.workspacesReady("WorkspacesReady"), 60);
    rule.remove();
    for (const team of teams) {
      assert.deepEqual(await set.holders(team, "editor"), ["science"]);
      assert.deepEqual(await set.holders(team, "viewer"), ["audit"]);
    }
    await set.objects.remove("MlflowServer", "mlflow");
    for (const team of teams) await absent(team, "RoleBinding", set.binding("editor"));
  });

  test("WorkspacesReady is never True for a generation whose grants are not applied yet", async (context) => {
    const proxy = await startFaultProxy(cluster);
    context.after(() => proxy.close());
    const set = await workspaceFixture(context, cluster, { proxy });
    const team = await set.team();
    await set.serve({ access: [grant("Editor", "science")] });
    await set.workspacesReady("WorkspacesReady");
    const recorded = await history(cluster, set.namespace, "MlflowServer");
    context.after(() => recorded.stop());
    const isBinding = ({ method, path }: { method: string; path: string }) =>
      method === "POST" && path.includes(`/namespaces/${team.namespace}/rolebindings`);
    const rule = proxy.fault({ when: isBinding, fault: { kind: "delay", milliseconds: 4000 } });
    const access = [grant("Editor", "science"), grant("Viewer", "audit")];
    await set.apply(server("mlflow", { "spec.authentication": { kubernetes: {} }, "spec.workspaces": { access } }));
    await rule.first;
    await set.workspacesReady("WorkspacesReady");
    const { metadata } = await team.the("RoleBinding", set.binding("viewer"));
    const written = Number(metadata.resourceVersion);
    for (const { object, at } of await recorded.versions("mlflow")) {
      const found = object.status?.conditions?.find(({ type }) => type === "WorkspacesReady");
      if (found?.observedGeneration !== object.metadata.generation || found?.status !== "True") continue;
      if (object.metadata.generation === 1) continue;
      assert.ok(at > written, `True before the RoleBinding was written: ${JSON.stringify(found)}`);
    }
  });

  test("a namespace in which the API server rejects a write is reported, and the others continue", async (context) => {
    const set = await workspaceFixture(context, cluster, { expectsForbidden: true });
    const [team, other] = [await set.team(), await set.team()];
    const quota = { hard: { "count/configmaps": "1" } };
    await team.create("ResourceQuota", { metadata: { name: "none" }, spec: quota });
    await eventually(async () => {
      const { status } = await team.the("ResourceQuota", "none");
      // The ConfigMap kube-root-ca.crt of every namespace, which may be created after the quota.
      assert.equal(status?.used?.["count/configmaps"], "1");
    });
    await set.serve({ access: [grant("Editor", "science")] });
    assert.match(await set.workspacesReady("ApplyRejected"), new RegExp(`in namespace ${team.namespace}: .*quota`));
    await eventually(async () => assert.deepEqual(await set.holders(team, "editor"), ["science"]));
    await eventually(async () => assert.deepEqual(await set.holders(other, "editor"), ["science"]));
    await team.remove("ResourceQuota", "none");
    await set.workspacesReady("WorkspacesReady");
  });

  test("no operator of this file made a request that its role forbids", async () => {
    const calls = await auditLog(cluster).calls({ userAgent: "mlflow-operator/" });
    assert.ok(calls.length > 100);
    assert.deepEqual(
      calls.filter(({ isForbidden }) => isForbidden).map(({ verb, uri }) => `${verb} ${uri}`),
      [],
    );
  });
});
