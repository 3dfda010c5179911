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

/** A user with their own token. */
interface Tenant {
  /** The error of kubectl as this tenant; empty if the API server accepts the document. */
  readonly applies: (document: Document, namespace: string) => Promise<string>;
}

/** A ServiceAccount with these roles in these namespaces; `*` means all. Returns when the roles of the tests are in force. */
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
/** An API group without resources: a permission on a resource with the name of a role shows that the role is in force. */
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
const denial = (role: string) => new RegExp(`cannot bind ClusterRole mlflow-workspace-${role}`);

describe("admission policies for grants and exposure", { skip: unavailableReason }, () => {
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
    // Policies are enforced a moment after they are created.
    const probe = await tenant(team, "probe", { writer: team });
    let attempts = 0;
    await eventually(async () => {
      // Another name each time: an object that was accepted before the policy was enforced can be written again.
      attempts += 1;
      const name = { "metadata.name": `probe-${attempts}` };
      assert.match(await probe.applies(changed(granting("Viewer"), name), team), denial("viewer"));
      assert.match(await probe.applies(changed(serving([grant("Viewer", "science")]), name), team), denial("viewer"));
      const exposed = { ...name, "spec.exposure": { ingress: { hosts: [{ host: "probe.example.com" }] } } };
      assert.match(await probe.applies(changed(smallest, exposed), team), /cannot create ingresses/);
    });
  });

  test("rejects an access of a user who cannot bind its role, for every role", async () => {
    const { applies } = await tenant(team, "writer", { writer: team });
    for (const role of workspaceRoleNames)
      assert.match(
        await applies(granting(role), team),
        /cannot bind ClusterRole mlflow-workspace-\S+ in namespace .*ask a user who can/,
      );
  });

  test("a user who can bind one role in a namespace can grant only that role, and only there", async () => {
    const { applies } = await tenant(team, "viewers", { writer: "*", "binder-of-viewer": team });
    assert.equal(await applies(granting("Viewer"), team), "");
    assert.match(await applies(granting("Editor"), team), denial("editor"));
    assert.match(await applies(granting("Viewer"), other), denial("viewer"));
    assert.match(await applies(changed(granting("Viewer"), { "spec.role": "Admin" }), team), denial("admin"));
  });

  test("an admin of a namespace can grant every role in it, and none in another", async () => {
    const { applies } = await tenant(team, "administrator", { admin: team });
    await eventually(async () => {
      for (const role of workspaceRoleNames)
        assert.equal(await applies(granting(role, `of-${role.toLowerCase()}`), team), "");
    });
    assert.match(await applies(granting("Viewer"), other), /forbidden/);
  });

  test("a user with write permission can update an existing access, but not its subjects", async () => {
    const { applies } = await tenant(team, "careful", { writer: team, "binder-of-viewer": team });
    assert.equal(await applies(granting("Viewer", "kept"), team), "");
    const { applies: writes } = await tenant(team, "later", { writer: team });
    assert.equal(await writes(changed(granting("Viewer", "kept"), { "metadata.labels": { a: "b" } }), team), "");
    const more = { "spec.subjects": [{ kind: "User", name: "mallory" }] };
    assert.match(await writes(changed(granting("Viewer", "kept"), more), team), denial("viewer"));
  });

  test("a user with write permission can narrow an access (fewer subjects, earlier expiry), but not widen it again", async () => {
    const people = ["ada", "eve"].map((name) => ({ kind: "User", name }));
    const both = changed(granting("Viewer", "narrowed"), { "spec.subjects": people, "spec.expiresAt": undefined });
    const { applies } = await tenant(team, "narrower", { writer: team });
    const { applies: decides } = await tenant(team, "giver", { writer: team, "binder-of-viewer": team });
    assert.equal(await decides(both, team), "");
    const until = (year: number, access = both) => changed(access, { "spec.expiresAt": `${year}-01-01T00:00:00Z` });
    assert.equal(await applies(until(2099), team), "", "an expiry is added");
    assert.equal(await applies(until(2098), team), "", "an earlier expiry");
    assert.match(await applies(until(2099), team), denial("viewer"), "a later expiry");
    assert.match(await applies(both, team), denial("viewer"), "no expiry");
    const fewer = changed(until(2098), { "spec.subjects": people.slice(0, 1) });
    assert.equal(await applies(fewer, team), "", "fewer subjects");
    assert.match(await applies(until(2098), team), denial("viewer"), "a removed subject is added again");
    const elsewhere = changed(fewer, { "spec.serverRef.name": "another" });
    assert.match(await applies(elsewhere, team), denial("viewer"), "another server");
    assert.match(await applies(changed(fewer, { "spec.role": "TraceWriter" }), team), denial("trace-writer"));
  });

  test("grants of a server need the permission to bind in all namespaces, not only in its own", async () => {
    const { applies } = await tenant(team, "local", { writer: team, "binder-of-all": team });
    for (const role of workspaceRoleNames)
      assert.match(
        await applies(serving([grant(role, "science")]), team),
        /in all namespaces, so cannot grant \S+ by spec\.workspaces\.access: .*MlflowWorkspaceAccess/,
      );
    assert.equal(await applies(serving([grant("Viewer", "science")], { "spec.workspaces": {} }), team), "");
  });

  test("a user with write permission can change a server with grants, but not extend the grants", async () => {
    const { applies: decides } = await tenant(team, "platform", { writer: "*", "binder-of-all": "*" });
    const narrow = { "spec.workspaces.selector": { matchLabels: { tier: "x" } } };
    const grants = [grant("Viewer", "science"), grant("Editor", "audit")];
    const server = changed(serving(grants, narrow), { "metadata.name": "shared" });
    assert.equal(await decides(server, other), "");
    const { applies } = await tenant(other, "operator-of-it", { writer: other });
    const change = (changes: Readonly<Record<string, Json | undefined>>) => applies(changed(server, changes), other);
    assert.equal(await change({ "spec.replicas": 0 }), "");
    assert.equal(await change({ "spec.workspaces.access": [grant("Editor", "audit")] }), "", "fewer grants");
    assert.match(await change({}), denial("viewer"), "a removed grant counts as new");
    assert.equal(await decides(server, other), "");
    assert.match(await change({ "spec.workspaces.access": [...grants, grant("Admin", "me")] }), denial("admin"));
    assert.match(await change({ "spec.workspaces.access[0].role": "Editor" }), denial("editor"));
    assert.match(await change({ "spec.workspaces.access[0].subjects[0].name": "me" }), denial("viewer"));
    assert.match(
      await change({ "metadata.name": "copy" }),
      /cannot bind ClusterRole/,
      "the same grants of another server",
    );
  });

  test("a user with write permission can narrow the selector of workspaces, but not widen it", async () => {
    const { applies: decides } = await tenant(team, "chooser", { writer: "*", "binder-of-all": "*" });
    const server = changed(serving([grant("Viewer", "science")]), { "metadata.name": "chosen" });
    const chosen = (matchLabels: Json | undefined, more: Readonly<Record<string, Json>> = {}) =>
      changed(server, { "spec.workspaces.selector": matchLabels === undefined ? undefined : { matchLabels }, ...more });
    assert.equal(await decides(chosen({ tier: "x" }), other), "");
    const { applies } = await tenant(other, "tenant-of-it", { writer: other });
    const change = (...args: Parameters<typeof chosen>) => applies(chosen(...args), other);
    assert.equal(
      await change({ tier: "x" }, { "spec.workspaces.default": "team-a" }),
      "",
      "a field that selects nothing",
    );
    for (const [wider, what] of [
      [undefined, "all that opt in"],
      [{}, "all that opt in, in another form"],
      [{ tier: "y" }, "others"],
      [{ level: "x" }, "others by another label"],
    ] as const)
      assert.match(await change(wider), denial("viewer"), what);
    assert.equal(await change({ tier: "x", team: "a" }), "", "fewer");
    assert.match(await change({ tier: "x" }), denial("viewer"), "the removed workspaces");
    assert.match(await change({ tier: "x" }, { "spec.workspaces.clientConfigMaps": false }), denial("viewer"));
    assert.equal(await change(undefined, { "spec.workspaces.access": [] }), "", "all, without grants");
    assert.match(await change({ tier: "x", team: "a" }), denial("viewer"), "the removed grants");
    assert.equal(await decides(chosen({ tier: "x" }), other), "");
    assert.equal(await decides(chosen(undefined), other), "", "a user who can bind can widen");
    assert.equal(await change({ tier: "x" }), "", "fewer than all");
  });

  test("a user with write permission can narrow the namespaces of a grant, but not widen them", async () => {
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
      assert.match(await applies(placed(before), other), denial("viewer"), `back: ${what}`);
    }
    const more: readonly (readonly [Place, Place])[] = [
      [named("a"), named("b")],
      [named("a"), labelled({ tier: "x" })],
      [named("a"), labelled()],
      [labelled({ tier: "x" }), labelled({ tier: "y" })],
      // The policy cannot check whether the namespace has the label.
      [labelled({ tier: "x" }), named("a")],
    ];
    for (const [before, after] of more) {
      const what = `${JSON.stringify(before)} → ${JSON.stringify(after)}`;
      assert.equal(await decides(placed(before), other), "", what);
      assert.match(await applies(placed(after), other), denial("viewer"), what);
    }
    assert.equal(await decides(placed(named("a")), other), "");
    assert.equal(await applies(placed(named("a"), people.slice(1)), other), "", "fewer subjects");
    assert.match(await applies(placed(named("a")), other), denial("viewer"), "the removed subject");
  });

  test("hundreds of random changes by a user without bind permission: no accepted one widens a grant", async () => {
    await tenant(other, "gambler", { writer: other });
    const headers = { "impersonate-user": `system:serviceaccount:${other}:gambler` };
    const path = `/apis/mlflow-operator.dev/v1alpha1/namespaces/${other}/mlflowservers`;
    const of = (workspaces: object) =>
      changed(serving([]), { "spec.workspaces": JSON.parse(JSON.stringify(workspaces)) });
    const attempts = 400;
    let accepted = 0;
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
        assert.match(answer.body, /cannot bind ClusterRole/, said);
        continue;
      }
      accepted += 1;
      const had = reach(before);
      for (const each of reach(wanted)) assert.ok(had.has(each), `${each}: ${said}`);
    }
    assert.ok(accepted > attempts / 5 && accepted < (attempts * 4) / 5, `${accepted} accepted`);
  });

  test("the policies stay within the cost limit for the largest server of the schema", async () => {
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
    // One name fewer in one grant; for all grants in one update the cost limit can reject it, and several updates are needed.
    const fewer = { "spec.workspaces.access[0].namespaces": namespaces.slice(1) };
    assert.equal(await writes(changed(server, { ...fewer, "spec.workspaces.access[31].role": "Viewer" }), other), "");
    const more = { "spec.workspaces.access[0].namespaces": [...namespaces.slice(1), "another"] };
    assert.match(await writes(changed(server, more), other), /forbidden|cannot bind|cost/);
  });

  test("rejects exposure, and changes of its host, for users who cannot create an Ingress or HTTPRoute", async () => {
    await clusterRole("ingress-writer", [
      { apiGroups: ["networking.k8s.io"], resources: ["ingresses"], verbs: ["create"] },
    ]);
    const { applies: exposes } = await tenant(team, "exposes", { writer: team, "ingress-writer": team });
    const { applies } = await tenant(team, "denied", { writer: team });
    const named = (name: string, exposure: Json) =>
      changed(smallest, { "metadata.name": name, "spec.exposure": exposure });
    const byIngress = named("by-ingress", { ingress: { hosts: [{ host: "a.example.com" }] } });
    const byRoute = named("by-route", {
      httpRoute: { parentRefs: [{ name: "platform" }], hostnames: ["a.example.com"] },
    });
    const noIngress =
      /cannot create ingresses\.networking\.k8s\.io in namespace .*ask a user who can, such as an admin of the namespace, or leave it out/;
    await eventually(async () => assert.match(await applies(byIngress, team), noIngress));
    assert.match(await applies(byRoute, team), /cannot create httproutes\.gateway\.networking\.k8s\.io/);
    assert.match(await exposes(byRoute, team), /cannot create httproutes/);
    assert.equal(await applies(named("by-url", { externalURL: "https://a.example.com" }), team), "");
    assert.equal(await exposes(byIngress, team), "");
    assert.equal(await applies(changed(byIngress, { "spec.replicas": 0 }), team), "", "an existing exposure");
    const host = "spec.exposure.ingress.hosts[0].host";
    assert.match(await applies(changed(byIngress, { [host]: "bank.example.com" }), team), noIngress);
    assert.equal(
      await applies(changed(byIngress, { "spec.exposure": undefined }), team),
      "",
      "the exposure is removed",
    );
  });

  test("rejects Services for clients outside, and their annotations, of users who cannot create Services", async () => {
    await clusterRole("service-writer", [{ apiGroups: [""], resources: ["services"], verbs: ["create"] }]);
    const { applies: exposes } = await tenant(team, "serves", { writer: team, "service-writer": team });
    const { applies } = await tenant(team, "denied-service", { writer: team });
    const served = (name: string, service: Json) =>
      changed(smallest, {
        "metadata.name": name,
        "spec.authentication": { basic: {} },
        "spec.exposure": { externalURL: "https://a.example.com" },
        "spec.service": service,
      });
    const noService = /cannot create services in namespace .*type and annotations of spec\.service/;
    const balanced = served("balanced", { type: "LoadBalancer" });
    await eventually(async () => assert.match(await applies(balanced, team), noService));
    const outside: Json[] = [{ type: "NodePort" }, { annotations: { a: "b" } }];
    for (const service of outside) assert.match(await applies(served("other", service), team), noService);
    const inside: Json[] = [{ type: "ClusterIP" }, { ipFamilyPolicy: "PreferDualStack" }];
    for (const service of inside) assert.equal(await applies(served("inside", service), team), "");
    assert.equal(await exposes(balanced, team), "");
    assert.equal(await applies(changed(balanced, { "spec.replicas": 0 }), team), "", "an existing Service");
    assert.match(await applies(changed(balanced, { "spec.service.port": 1 }), team), noService);
    assert.equal(await applies(changed(balanced, { "spec.service": undefined }), team), "", "it is removed");
  });

  test("the failure policy of all policies is Fail", async () => {
    const { items } = await call<{ items: { metadata: { name: string }; spec: { failurePolicy: string } }[] }>(
      cluster,
      "GET",
      "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
    );
    const policies = items.filter(({ metadata }) => metadata.name.startsWith("mlflow-operator-"));
    assert.ok(policies.length > 3);
    for (const { metadata, spec } of policies) assert.equal(spec.failurePolicy, "Fail", metadata.name);
  });
});
