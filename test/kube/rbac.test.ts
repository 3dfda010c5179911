import assert from "node:assert/strict";
import { test } from "node:test";
import { type KindRow, kinds, kindsWith, rowOf } from "../../src/kube/kinds.ts";
import { clusterRole, leaderElectionRole, namespacedRole, type PolicyRule, serverRoles } from "../../src/kube/rbac.ts";

/** Each permission: `verb resource.group`. */
function rights(rules: readonly PolicyRule[]): string[] {
  return rules
    .flatMap(({ apiGroups, resources, verbs }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) => verbs.map((verb) => `${verb} ${resource}.${group}`)),
      ),
    )
    .sort();
}

test("the operator has the permissions of the table of kinds, can bind the roles of servers, and nothing else", () => {
  const table = Object.entries<KindRow>(kinds).flatMap(([kind, row]) => {
    const { apiVersion, plural, subresources = {} } = row;
    const verbs = [...row.verbs, ...(row.verbsEverywhere ?? [])];
    const group = apiVersion.includes("/") ? apiVersion.split("/")[0] : "";
    const below = Object.entries(subresources).flatMap(([name, all]) =>
      all.map((verb) => `${verb} ${plural}/${name}.${group}`),
    );
    return kind === "Lease" ? [] : [...verbs.map((verb) => `${verb} ${plural}.${group}`), ...below];
  });
  const bind = "bind clusterroles.rbac.authorization.k8s.io";
  assert.deepEqual(rights(clusterRole().rules), [...table, bind].sort());
  const binding = clusterRole().rules.filter(({ verbs }) => verbs.includes("bind"));
  assert.deepEqual(
    binding.map(({ resourceNames }) => resourceNames),
    [
      [
        ...["mlflow-server", "mlflow-server-reviewer", "mlflow-workspace-viewer", "mlflow-workspace-editor"],
        ...["mlflow-workspace-admin", "mlflow-workspace-trace-writer"],
      ],
    ],
  );
});

test("the operator can get each object of a server that it caches, because it may load one that came before its server", () => {
  for (const kind of [...kindsWith("owned"), ...kindsWith("observed")])
    assert.ok(rowOf(kind).verbs.includes("get"), kind);
});

test("in a watched namespace it has the same permissions on namespaced kinds", () => {
  const role = namespacedRole("team-a");
  const beyond = /clusterrole|rolebindings|mlflowworkspaceaccesses|namespaces\.|^patch mlflowservers\./;
  assert.deepEqual(
    rights(role.rules),
    rights(clusterRole().rules).filter((right) => !beyond.test(right)),
  );
  assert.equal(role.kind, "Role");
  assert.equal(role.metadata.namespace, "team-a");
});

test("permissions on the Lease are in the operator's own namespace", () => {
  assert.ok(rights(clusterRole().rules).every((right) => !right.includes("leases")));
  assert.deepEqual(
    leaderElectionRole("operators").rules.map(({ resources }) => resources),
    [["leases"]],
  );
});

test("no permission is a wildcard, or includes roles, nodes or settings of the API server", () => {
  const handsOut = /^(bind clusterroles|(get|list|watch|create|patch|delete) (cluster)?rolebindings)\.rbac/;
  for (const right of rights(clusterRole().rules).filter((each) => !handsOut.test(each))) {
    assert.doesNotMatch(
      right,
      /\*|rbac|roles|bindings|nodes|webhook|escalate|impersonate|customresourcedefinitions|pods\/exec/,
    );
  }
});

test("a server cannot read Secrets, and can only create access reviews", () => {
  for (const right of serverRoles().flatMap(({ rules }) => rights(rules))) {
    assert.match(right, /^((get|list|watch) (namespaces\.|mlflowconfigs\.)|create subjectaccessreviews\.)/);
  }
});
