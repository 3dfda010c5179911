import assert from "node:assert/strict";
import { test } from "node:test";
import { type KindRow, kinds } from "../../src/kube/kinds.ts";
import { clusterRole, leaderElectionRole, namespacedRole, type PolicyRule } from "../../src/kube/rbac.ts";

/** Every single right: `verb resource.group`. */
function rights(rules: readonly PolicyRule[]): string[] {
  return rules
    .flatMap(({ apiGroups, resources, verbs }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) => verbs.map((verb) => `${verb} ${resource}.${group}`)),
      ),
    )
    .sort();
}

test("the operator may do what the table of kinds says and nothing else", () => {
  const table = Object.entries<KindRow>(kinds).flatMap(([kind, { apiVersion, plural, verbs, subresources = {} }]) => {
    const group = apiVersion.includes("/") ? apiVersion.split("/")[0] : "";
    const below = Object.entries(subresources).flatMap(([name, all]) =>
      all.map((verb) => `${verb} ${plural}/${name}.${group}`),
    );
    return kind === "Lease" ? [] : [...verbs.map((verb) => `${verb} ${plural}.${group}`), ...below];
  });
  assert.deepEqual(rights(clusterRole().rules), table.sort());
});

test("in a watched namespace it may do the same, and only there", () => {
  const role = namespacedRole("team-a");
  assert.deepEqual(role.rules, clusterRole().rules);
  assert.equal(role.kind, "Role");
  assert.equal(role.metadata.namespace, "team-a");
});

test("the Lease is the operator's own namespace's business", () => {
  assert.ok(rights(clusterRole().rules).every((right) => !right.includes("leases")));
  assert.deepEqual(
    leaderElectionRole("operators").rules.map(({ resources }) => resources),
    [["leases"]],
  );
});

test("no right is a wildcard, and none reaches roles, nodes or the API server's own settings", () => {
  for (const right of rights(clusterRole().rules)) {
    assert.doesNotMatch(
      right,
      /\*|rbac|roles|bindings|nodes|webhook|escalate|impersonate|customresourcedefinitions|pods\/exec/,
    );
  }
});
