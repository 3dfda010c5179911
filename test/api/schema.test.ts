import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { backupSchema } from "../../src/api/backup.ts";
import { backupScheduleSchema } from "../../src/api/backup-schedule.ts";
import { resourceSchema } from "../../src/api/resource-schema.ts";
import { serverDefinition } from "../../src/api/server-definition.ts";
import type { StructuralSchema } from "../../src/api/structural-schema.ts";
import { workspaceAccessSchema } from "../../src/api/workspace-access.ts";
import { rightAccesses } from "./accesses.ts";
import { rightSchedules } from "./backup-schedules.ts";
import { rightBackups } from "./backups.ts";
import { rightDocuments } from "./documents.ts";
import { textFields, textLeaves } from "./text-leaves.ts";

interface Node {
  readonly path: string;
  readonly schema: StructuralSchema;
}

function nodes(schema: StructuralSchema, path: string): Node[] {
  const { items, additionalProperties, properties = {} } = schema;
  return [
    { path, schema },
    ...(items ? nodes(items, `${path}[]`) : []),
    ...(additionalProperties ? nodes(additionalProperties, `${path}.*`) : []),
    ...Object.entries(properties).flatMap(([name, field]) => nodes(field, `${path}.${name}`)),
  ];
}

const schemas = [
  { kind: "MlflowServer", root: resourceSchema(), documents: rightDocuments, defaults: ["spec.replicas"] },
  { kind: "MlflowBackup", root: backupSchema(), documents: rightBackups, defaults: [] },
  { kind: "MlflowBackupSchedule", root: backupScheduleSchema(), documents: rightSchedules, defaults: [] },
  { kind: "MlflowWorkspaceAccess", root: workspaceAccessSchema(), documents: rightAccesses, defaults: [] },
];

for (const { kind, root, documents, defaults } of schemas)
  describe(`the schema of ${kind}`, () => {
    const { spec = root, status = root } = root.properties ?? {};
    const all = [...nodes(spec, "spec"), ...nodes(status, "status")];
    const paths = (wanted: (node: Node) => boolean) => all.filter(wanted).map(({ path }) => path);

    test("every field has a description in sentences", () => {
      assert.deepEqual(
        paths(({ schema }) => !/\.$/.test(schema.description ?? "")),
        [],
      );
    });

    test("every list, map and text is bounded, so that the cost of rules is bounded", () => {
      const unbounded = ({ path, schema }: Node) =>
        ((schema.type ?? "string") === "string" && schema.maxLength === undefined && !schema.enum && !schema.format) ||
        (schema.type === "array" && schema.maxItems === undefined) ||
        (schema.additionalProperties !== undefined && schema.maxProperties === undefined) ||
        (schema.type === "integer" && path.startsWith("spec") && (schema.maximum ?? Infinity) > 2 ** 31);
      assert.deepEqual(paths(unbounded), []);
    });

    test("only replicas has a default, which /scale needs: other defaults would be drift for GitOps tools", () => {
      assert.deepEqual(
        paths(({ schema }) => schema.default !== undefined),
        defaults,
      );
    });

    // An amount has to have one: see src/api/fields/amounts.ts.
    test("no field uses pattern, whose message would be a regular expression", () => {
      assert.deepEqual(
        paths(
          ({ path, schema }) =>
            path.startsWith("spec") && schema.pattern !== undefined && !schema["x-kubernetes-int-or-string"],
        ),
        [],
      );
    });

    test("every rule has a message of one line", () => {
      for (const { path, schema } of nodes(root, "")) {
        for (const rule of schema["x-kubernetes-validations"] ?? []) {
          assert.match(rule.message ?? rule.messageExpression ?? "", /^.{10,}$/, `${path}: ${rule.rule}`);
        }
      }
    });

    test("the documents of these tests have every text field, so that all are tested for control characters", () => {
      const covered = new Set(
        Object.values(documents).flatMap((document) => textLeaves(document, root).map((leaf) => leaf.schemaPath)),
      );
      assert.deepEqual(
        textFields(root).filter((field) => !covered.has(field)),
        [],
      );
    });
  });

test("the version of the CRD is that of apiVersion, stored and served, with status and scale", () => {
  const [version, ...others] = serverDefinition().spec.versions;
  assert.deepEqual(others, []);
  assert.deepEqual(
    { name: version?.name, served: version?.served, storage: version?.storage, status: version?.subresources.status },
    { name: "v1alpha1", served: true, storage: true, status: {} },
  );
});
