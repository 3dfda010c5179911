import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { allows, workspaceRoleNames, workspaceRules } from "../../src/kube/workspace-roles.ts";
import { type Check, ladder, leastOf, permits } from "./least-role.ts";

/** The access reviews of the plugin, written by `plugin_rules.py`; a live test runs it again. */
const plugin: { operations: Record<string, Check[]>; oneOfToSeeAWorkspace: Check[] } = JSON.parse(
  readFileSync(join(import.meta.dirname, "plugin/rules.json"), "utf8"),
);

describe("the roles of workspaces", () => {
  test("each operation of the plugin requires exactly its least role", () => {
    const operations = Object.entries(plugin.operations);
    assert.ok(operations.length > 300);
    for (const [operation, checks] of operations) {
      for (const asked of [checks, checks.filter(({ optional }) => !optional)]) {
        const least = leastOf(asked);
        for (const role of ladder) {
          const expected = least !== "none" && ladder.indexOf(role) >= ladder.indexOf(least);
          assert.equal(permits(role, asked), expected, `${operation} as ${role}: ${JSON.stringify(asked)}`);
        }
      }
    }
  });

  test("no role has a permission that the plugin never reviews", () => {
    const asked = new Set(
      [...Object.values(plugin.operations).flat(), ...plugin.oneOfToSeeAWorkspace].map(
        ({ verb, resource }) => `${verb} ${resource}`,
      ),
    );
    for (const role of workspaceRoleNames)
      for (const { resources, verbs } of workspaceRules[role])
        for (const resource of resources)
          for (const verb of verbs) assert.ok(asked.has(`${verb} ${resource}`), `${role}: ${verb} ${resource}`);
  });

  test("a viewer can list the workspace", () => {
    assert.ok(plugin.oneOfToSeeAWorkspace.some(({ verb, resource }) => allows("Viewer", verb, resource)));
  });

  test("a trace writer can write traces and cannot read", () => {
    assert.ok(permits("TraceWriter", plugin.operations["POST /v1/traces"] ?? [{ resource: "none", verb: "none" }]));
    for (const [operation, checks] of Object.entries(plugin.operations))
      if (checks.some(({ verb }) => verb !== "update")) assert.equal(permits("TraceWriter", checks), false, operation);
  });

  test("no role allows the assistant, which runs commands on the server", () => {
    for (const role of workspaceRoleNames)
      for (const verb of ["get", "create", "update"]) assert.equal(allows(role, verb, "assistants"), false);
  });
});
