import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { workspaceRoleNames } from "../../src/kube/workspace-roles.ts";
import { access } from "../api/accesses.ts";
import { changed, type Document, type Json, proxied, smallest } from "../api/documents.ts";
import { controlPlaneBinaries } from "../control-plane/binaries.ts";
import { type ControlPlane, startControlPlane } from "../control-plane/control-plane.ts";
import { eventually } from "../support/eventually.ts";
import { freshNamespace } from "../support/operator-fixture.ts";
import { chart, helmProgram } from "./helm.ts";
import { call, installation, may } from "./installation.ts";
import { randomChange, reach } from "./random-grants.ts";

const unavailableReason = await controlPlaneBinaries().then(
  ({ kubeControllerManager }) => !kubeControllerManager && "KUBEBUILDER_ASSETS has no kube-controller-manager",
  (error: unknown) => String(error),
);
const rbac = "/apis/rbac.authorization.k8s.io/v1";
const apiGroup = "rbac.authorization.k8s.io";

let cluster: ControlPlane;
before(async () => {
  if (unavailableReason) return;
  await helmProgram();
  cluster = await startControlPlane();
});
after(() => cluster?.close());

/** Somebody with a token of their own. */
interface Tenant {
  /** What kubectl says against it as this tenant; empty where the API server takes it. */
  readonly applies: (document: Document, namespace: string) => Promise<string>;
}

/** A ServiceAccount with these roles in these namespaces, `*` is all; those of the tests are in force. */
async function tenant(home: string, name: string, roles: Readonly<Record<string, string>>): Promise<Tenant> {
  await call(cluster, "POST", `/api/v1/namespaces/${home}/serviceaccounts`, { metadata: { name } });
  const subjects = [{ kind: "ServiceAccount", name, namespace: home }];
  for (const [role, namespace] of Object.entries(roles)) {
    const scope = namespace === "*" ? "clusterrolebindings" : `namespaces/${namespace}/rolebindings`;
    await call(cluster, "POST", `${rbac}/${scope}`, {
      metadata: { name: `${role}-of-${name}` },
      roleRef: { apiGroup, kind: "ClusterRole", name: role },
      subjects,
    });
  }
  for (const [role, namespace] of Object.entries(roles).filter(([role]) => ownRoles.has(role)))
    await eventually(async () => {
      const where = { group: signs, ...(namespace !== "*" && { namespace }) };
      assert.ok(await may(cluster, `system:serviceaccount:${home}:${name}`, "get", role, where));
    });
  const kubeconfig = await cluster.kubeconfigFor({ serviceAccount: name, namespace: home });
  return {
    applies: async (document, namespace) => {
      const args = [
        "--kubeconfig",
        kubeconfig,
        "apply",
        "--server-side",
        "--force-conflicts",
        "-n",
        namespace,
        "-f",
        "-",
      ];
      const { code, stderr } = await cluster.kubectl(args, JSON.stringify(document));
      return code === 0 ? "" : stderr;
    },
  };
}

const ownRoles = new Set<string>();
/** No API: a right to a resource of it that is called like a role tells that the role is in force. */
const signs = "signs.example.com";

async function clusterRole(name: string, rules: readonly object[]): Promise<void> {
  const sign = { apiGroups: [signs], resources: [name], verbs: ["get"] };
  await call(cluster, "POST", `${rbac}/clusterroles`, { metadata: { name }, rules: [...rules, sign] });
  ownRoles.add(name);
}

const granting = (role: string, name = role.toLowerCase()) =>
  changed(access, { "spec.role": role, "metadata.name": name });
const serving = (grants: Json, more: Readonly<Record<string, Json | undefined>> = {}) =>
  changed(proxied, { "spec.authentication": { kubernetes: {} }, "spec.workspaces": { access: grants }, ...more });
const grant = (role: string, who: string) => ({ role, subjects: [{ kind: "Group", name: who }], selector: {} });
const refusal = (role: string) => new RegExp(`may not bind ClusterRole mlflow-workspace-${role}`);

describe("who may grant, and lead outside", { skip: unavailableReason }, () => {
  let team: string;
  let other: string;

  before(async () => {
    if (unavailableReason) return;
    const own = await installation(cluster);
    await own.run("install", chart);
    team = await freshNamespace(cluster);
    other = await freshNamespace(cluster);
    await clusterRole("writer", [
      { apiGroups: ["mlflow-operator.dev"], resources: ["mlflowservers", "mlflowworkspaceaccesses"], verbs: ["*"] },
    ]);
    await clusterRole("binder-of-viewer", [
      {
        apiGroups: [apiGroup],
        resources: ["clusterroles"],
        resourceNames: ["mlflow-workspace-viewer"],
        verbs: ["bind"],
      },
    ]);
    await clusterRole("binder-of-all", [
      {
        apiGroups: [apiGroup],
        resources: ["clusterroles"],
        resourceNames: ["viewer", "editor", "admin", "trace-writer"].map((role) => `mlflow-workspace-${role}`),
        verbs: ["bind"],
      },
    ]);
    // Policies come into force a moment after they are there.
    const probe = await tenant(team, "probe", { writer: team });
    let attempts = 0;
    await eventually(async () => {
      // Another each time: one that was taken before the policy held may be written again.
      attempts += 1;
      const name = { "metadata.name": `probe-${attempts}` };
      assert.match(await probe.applies(changed(granting("Viewer"), name), team), refusal("viewer"));
      assert.match(await probe.applies(changed(serving([grant("Viewer", "science")]), name), team), refusal("viewer"));
      const led = { ...name, "spec.exposure": { ingress: { hosts: [{ host: "probe.example.com" }] } } };
      assert.match(await probe.applies(changed(smallest, led), team), /may not create ingresses/);
    });
  });

  test("whoever may write an access, but not bind its role, may not grant it: by any role", async () => {
    const { applies } = await tenant(team, "writer", { writer: team });
    for (const role of workspaceRoleNames)
      assert.match(
        await applies(granting(role), team),
        /may not bind ClusterRole mlflow-workspace-\S+ in namespace .*ask somebody who may/,
      );
  });

  test("whoever may bind one role there may grant it there, and no other, and nowhere else", async () => {
    const { applies } = await tenant(team, "viewers", { writer: "*", "binder-of-viewer": team });
    assert.equal(await applies(granting("Viewer"), team), "");
    assert.match(await applies(granting("Editor"), team), refusal("editor"));
    assert.match(await applies(granting("Viewer"), other), refusal("viewer"));
    assert.match(await applies(changed(granting("Viewer"), { "spec.role": "Admin" }), team), refusal("admin"));
  });

  test("an admin of a namespace, by the cluster's own role, may grant every role in it, and not in another", async () => {
    const { applies } = await tenant(team, "administrator", { admin: team });
    await eventually(async () => {
      for (const role of workspaceRoleNames)
        assert.equal(await applies(granting(role, `of-${role.toLowerCase()}`), team), "");
    });
    assert.match(await applies(granting("Viewer"), other), /forbidden/);
  });

  test("an access that exists may be written as it is by whoever may write it; its subjects may not be changed", async () => {
    const { applies } = await tenant(team, "careful", { writer: team, "binder-of-viewer": team });
    assert.equal(await applies(granting("Viewer", "kept"), team), "");
    const { applies: writes } = await tenant(team, "later", { writer: team });
    assert.equal(await writes(changed(granting("Viewer", "kept"), { "metadata.labels": { a: "b" } }), team), "");
    const more = { "spec.subjects": [{ kind: "User", name: "mallory" }] };
    assert.match(await writes(changed(granting("Viewer", "kept"), more), team), refusal("viewer"));
  });

  test("what an access grants may be made less by whoever may write it: fewer people, or until earlier; not more again", async () => {
    const people = ["ada", "eve"].map((name) => ({ kind: "User", name }));
    const both = changed(granting("Viewer", "lessened"), { "spec.subjects": people, "spec.expiresAt": undefined });
    const { applies } = await tenant(team, "lessener", { writer: team });
    const { applies: decides } = await tenant(team, "giver", { writer: team, "binder-of-viewer": team });
    assert.equal(await decides(both, team), "");
    const until = (year: number, access = both) => changed(access, { "spec.expiresAt": `${year}-01-01T00:00:00Z` });
    assert.equal(await applies(until(2099), team), "", "an end where there was none");
    assert.equal(await applies(until(2098), team), "", "an earlier end");
    assert.match(await applies(until(2099), team), refusal("viewer"), "a later end");
    assert.match(await applies(both, team), refusal("viewer"), "no end");
    const fewer = changed(until(2098), { "spec.subjects": people.slice(0, 1) });
    assert.equal(await applies(fewer, team), "", "fewer people");
    assert.match(await applies(until(2098), team), refusal("viewer"), "who was taken out is in again");
    const elsewhere = changed(fewer, { "spec.serverRef.name": "another" });
    assert.match(await applies(elsewhere, team), refusal("viewer"), "another server");
    assert.match(await applies(changed(fewer, { "spec.role": "TraceWriter" }), team), refusal("trace-writer"));
  });

  test("grants of a server need the right in all namespaces: that in its own is not enough", async () => {
    const { applies } = await tenant(team, "local", { writer: team, "binder-of-all": team });
    for (const role of workspaceRoleNames)
      assert.match(
        await applies(serving([grant(role, "science")]), team),
        /in all namespaces, so may not grant \S+ by spec\.workspaces\.access: .*MlflowWorkspaceAccess/,
      );
    assert.equal(await applies(serving([grant("Viewer", "science")], { "spec.workspaces": {} }), team), "");
  });

  test("a server with grants may be changed by whoever may write it, but not so that more is granted", async () => {
    const { applies: decides } = await tenant(team, "platform", { writer: "*", "binder-of-all": "*" });
    const narrow = { "spec.workspaces.selector": { matchLabels: { tier: "x" } } };
    const grants = [grant("Viewer", "science"), grant("Editor", "audit")];
    const server = changed(serving(grants, narrow), { "metadata.name": "shared" });
    assert.equal(await decides(server, other), "");
    const { applies } = await tenant(other, "operator-of-it", { writer: other });
    const change = (changes: Readonly<Record<string, Json | undefined>>) => applies(changed(server, changes), other);
    assert.equal(await change({ "spec.replicas": 0 }), "");
    assert.equal(await change({ "spec.workspaces.access": [grant("Editor", "audit")] }), "", "fewer grants");
    assert.match(await change({}), refusal("viewer"), "what was taken away is a new grant");
    assert.equal(await decides(server, other), "");
    assert.match(await change({ "spec.workspaces.access": [...grants, grant("Admin", "me")] }), refusal("admin"));
    assert.match(await change({ "spec.workspaces.access[0].role": "Editor" }), refusal("editor"));
    assert.match(await change({ "spec.workspaces.access[0].subjects[0].name": "me" }), refusal("viewer"));
    assert.match(await change({ "metadata.name": "copy" }), /may not bind ClusterRole/, "the same of another server");
  });

  test("which workspaces a server has may be made fewer by whoever may write it, and not more", async () => {
    const { applies: decides } = await tenant(team, "chooser", { writer: "*", "binder-of-all": "*" });
    const server = changed(serving([grant("Viewer", "science")]), { "metadata.name": "chosen" });
    const chosen = (matchLabels: Json | undefined, more: Readonly<Record<string, Json>> = {}) =>
      changed(server, { "spec.workspaces.selector": matchLabels === undefined ? undefined : { matchLabels }, ...more });
    assert.equal(await decides(chosen({ tier: "x" }), other), "");
    const { applies } = await tenant(other, "tenant-of-it", { writer: other });
    const change = (...args: Parameters<typeof chosen>) => applies(chosen(...args), other);
    assert.equal(await change({ tier: "x" }, { "spec.workspaces.default": "team-a" }), "", "what chooses nothing");
    for (const [wider, what] of [
      [undefined, "all that consent"],
      [{}, "all that consent, said otherwise"],
      [{ tier: "y" }, "others"],
      [{ level: "x" }, "others by another label"],
    ] as const)
      assert.match(await change(wider), refusal("viewer"), what);
    assert.equal(await change({ tier: "x", team: "a" }), "", "fewer");
    assert.match(await change({ tier: "x" }), refusal("viewer"), "those that were taken out");
    assert.match(await change({ tier: "x" }, { "spec.workspaces.clientConfigMaps": false }), refusal("viewer"));
    assert.equal(await change(undefined, { "spec.workspaces.access": [] }), "", "all, but nothing is granted in them");
    assert.match(await change({ tier: "x", team: "a" }), refusal("viewer"), "what was taken away");
    assert.equal(await decides(chosen({ tier: "x" }), other), "");
    assert.equal(await decides(chosen(undefined), other), "", "whoever may bind may widen");
    assert.equal(await change({ tier: "x" }), "", "fewer than all");
  });

  test("where a grant counts may be made less by whoever may write the server, and not more", async () => {
    const { applies: decides } = await tenant(team, "placer", { writer: "*", "binder-of-all": "*" });
    const { applies } = await tenant(other, "tenant-of-grants", { writer: other });
    const people = ["science", "audit"].map((name) => ({ kind: "Group", name }));
    type Place = { namespaces: Json } | { selector: Json };
    const placed = (place: Place, subjects: Json = people) =>
      changed(serving([{ role: "Viewer", subjects, ...place }]), { "metadata.name": "placed" });
    const named = (...namespaces: readonly string[]) => ({ namespaces: [...namespaces] });
    const labelled = (matchLabels?: Json): Place => ({
      selector: matchLabels === undefined ? {} : { matchLabels },
    });
    const less: readonly (readonly [Place, Place])[] = [
      [named("a", "b"), named("b")],
      [labelled(), labelled({ tier: "x" })],
      [labelled({ tier: "x" }), labelled({ tier: "x", team: "a" })],
      [labelled(), named("a")],
    ];
    for (const [before, after] of less) {
      const what = `${JSON.stringify(before)} → ${JSON.stringify(after)}`;
      assert.equal(await decides(placed(before), other), "", what);
      assert.equal(await applies(placed(after), other), "", what);
      assert.match(await applies(placed(before), other), refusal("viewer"), `back: ${what}`);
    }
    const more: readonly (readonly [Place, Place])[] = [
      [named("a"), named("b")],
      [named("a"), labelled({ tier: "x" })],
      [named("a"), labelled()],
      [labelled({ tier: "x" }), labelled({ tier: "y" })],
      // Whether it has the label is not to be seen here.
      [labelled({ tier: "x" }), named("a")],
    ];
    for (const [before, after] of more) {
      const what = `${JSON.stringify(before)} → ${JSON.stringify(after)}`;
      assert.equal(await decides(placed(before), other), "", what);
      assert.match(await applies(placed(after), other), refusal("viewer"), what);
    }
    assert.equal(await decides(placed(named("a")), other), "");
    assert.equal(await applies(placed(named("a"), people.slice(1)), other), "", "fewer people");
    assert.match(await applies(placed(named("a")), other), refusal("viewer"), "who was taken out");
  });

  test("of hundreds of random changes by somebody who may bind nothing, none that is taken reaches farther", async () => {
    await tenant(other, "gambler", { writer: other });
    const headers = { "impersonate-user": `system:serviceaccount:${other}:gambler` };
    const path = `/apis/mlflow-operator.dev/v1alpha1/namespaces/${other}/mlflowservers`;
    const of = (workspaces: object) =>
      changed(serving([]), { "spec.workspaces": JSON.parse(JSON.stringify(workspaces)) });
    const attempts = 400;
    let taken = 0;
    let { metadata } = await call<{ metadata: object & { name: string } }>(cluster, "POST", path, {
      ...of({}),
      metadata: { name: "random" },
    });
    for (let seed = 1; seed <= attempts; seed += 1) {
      const { before, after: wanted } = randomChange(seed);
      const own = `${path}/${metadata.name}`;
      ({ metadata } = await call<{ metadata: typeof metadata }>(cluster, "PUT", own, { ...of(before), metadata }));
      const answer = await cluster.request("PUT", `${own}?dryRun=All`, { headers, body: { ...of(wanted), metadata } });
      const said = `seed ${seed}: ${JSON.stringify({ before, wanted })}: ${answer.status} ${answer.body}`;
      if (answer.status !== 200) {
        assert.match(answer.body, /may not bind ClusterRole/, said);
        continue;
      }
      taken += 1;
      const had = reach(before);
      for (const each of reach(wanted)) assert.ok(had.has(each), `${each}: ${said}`);
    }
    assert.ok(taken > attempts / 5 && taken < (attempts * 4) / 5, `${taken} taken`);
  });

  test("the largest server that the schema takes is within what a policy may cost", async () => {
    const { applies } = await tenant(team, "large", { writer: "*", "binder-of-all": "*" });
    const who = (index: number) => ({ kind: "Group", name: `${"g".repeat(40)}-${index}` });
    const subjects = Array.from({ length: 64 }, (_, index) => who(index));
    const namespaces = Array.from({ length: 256 }, (_, index) => `team-${"n".repeat(30)}-${index}`);
    const role = (index: number) => workspaceRoleNames[index % workspaceRoleNames.length] ?? "Viewer";
    const grants = Array.from({ length: 32 }, (_, index) => ({ role: role(index), subjects, namespaces }));
    const server = changed(serving(grants), { "metadata.name": "large" });
    assert.equal(await applies(server, other), "");
    assert.equal(await applies(changed(server, { "spec.replicas": 0 }), other), "");
    assert.equal(await applies(changed(server, { "spec.workspaces.access[31].role": "Viewer" }), other), "");
    const { applies: writes } = await tenant(other, "of-large", { writer: other });
    assert.equal(
      await writes(changed(server, { "spec.replicas": 0, "spec.workspaces.access[31].role": "Viewer" }), other),
      "",
    );
    // One name fewer in one grant; in all at once it may be refused, and is done in steps.
    const fewer = { "spec.workspaces.access[0].namespaces": namespaces.slice(1) };
    assert.equal(await writes(changed(server, { ...fewer, "spec.workspaces.access[31].role": "Viewer" }), other), "");
    const more = { "spec.workspaces.access[0].namespaces": [...namespaces.slice(1), "another"] };
    assert.match(await writes(changed(server, more), other), /forbidden|may not bind|cost/);
  });

  test("whoever could not write an Ingress or HTTPRoute there may not have one by a server, nor another host by one", async () => {
    await clusterRole("ingress-writer", [
      { apiGroups: ["networking.k8s.io"], resources: ["ingresses"], verbs: ["create"] },
    ]);
    const { applies: leads } = await tenant(team, "leads", { writer: team, "ingress-writer": team });
    const { applies } = await tenant(team, "led", { writer: team });
    const named = (name: string, exposure: Json) =>
      changed(smallest, { "metadata.name": name, "spec.exposure": exposure });
    const byIngress = named("by-ingress", { ingress: { hosts: [{ host: "a.example.com" }] } });
    const byRoute = named("by-route", {
      httpRoute: { parentRefs: [{ name: "platform" }], hostnames: ["a.example.com"] },
    });
    const noIngress =
      /may not create ingresses\.networking\.k8s\.io in namespace .*ask somebody who may, or leave it out/;
    await eventually(async () => assert.match(await applies(byIngress, team), noIngress));
    assert.match(await applies(byRoute, team), /may not create httproutes\.gateway\.networking\.k8s\.io/);
    assert.match(await leads(byRoute, team), /may not create httproutes/);
    assert.equal(await applies(named("by-url", { externalURL: "https://a.example.com" }), team), "");
    assert.equal(await leads(byIngress, team), "");
    assert.equal(await applies(changed(byIngress, { "spec.replicas": 0 }), team), "", "what is there already");
    const host = "spec.exposure.ingress.hosts[0].host";
    assert.match(await applies(changed(byIngress, { [host]: "bank.example.com" }), team), noIngress);
    assert.equal(await applies(changed(byIngress, { "spec.exposure": undefined }), team), "", "nothing leads there");
  });

  test("a policy that could not be evaluated would refuse", async () => {
    const { items } = await call<{ items: { metadata: { name: string }; spec: { failurePolicy: string } }[] }>(
      cluster,
      "GET",
      "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
    );
    const ours = items.filter(({ metadata }) => metadata.name.startsWith("mlflow-operator-"));
    assert.ok(ours.length > 3);
    for (const { metadata, spec } of ours) assert.equal(spec.failurePolicy, "Fail", metadata.name);
  });
});
