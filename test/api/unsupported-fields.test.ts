import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ownSchemas } from "../../src/api/known-fields.ts";
import type { KnownSchema } from "../../src/api/known-schema.ts";
import { unsupportedFields } from "../../src/api/unsupported-fields.ts";
import { validate, validateAccess, validateBackup, validateBackupSchedule } from "../../src/api/validation.ts";
import { resolve } from "../../src/features/resolve.ts";
import type { OwnKind } from "../../src/kube/kinds.ts";
import { desired } from "../../src/resources/index.ts";
import { inputs, server } from "../support/fixtures.ts";
import { rightAccesses } from "./accesses.ts";
import { rightSchedules } from "./backup-schedules.ts";
import { rightBackups } from "./backups.ts";
import { rightDocuments } from "./documents.ts";

/** A nested schema with the steps of its path. */
interface Place {
  readonly steps: readonly string[];
  readonly schema: KnownSchema;
}

function places(schema: KnownSchema, steps: readonly string[] = []): Place[] {
  return [
    { steps, schema },
    ...Object.entries(schema.properties ?? {}).flatMap(([name, field]) => places(field, [...steps, name])),
    ...(schema.items ? places(schema.items, [...steps, "[]"]) : []),
    ...(schema.additionalProperties ? places(schema.additionalProperties, [...steps, "*"]) : []),
  ];
}

/** A spec with only this value at the path. */
function nested(steps: readonly string[], value: unknown): unknown {
  return steps.reduceRight(
    (inner, step) => (step === "[]" ? [inner] : { [step === "*" ? "key" : step]: inner }),
    value,
  );
}

const textOf = (steps: readonly string[]) =>
  ["spec", ...steps].join(".").replaceAll(".[]", "[0]").replaceAll(".*", ".key");

const found = (kind: OwnKind, steps: readonly string[], value: unknown) =>
  unsupportedFields(kind, nested(steps, value));

const kinds: readonly OwnKind[] = ["MlflowServer", "MlflowWorkspaceAccess", "MlflowBackup", "MlflowBackupSchedule"];

for (const kind of kinds) {
  const all = places(ownSchemas[kind].spec);

  describe(`unsupported parts of a ${kind}`, () => {
    test("reports a field of every object", () => {
      const objects = all.filter(({ schema }) => schema.type === "object" && schema.additionalProperties === undefined);
      assert.ok(objects.length >= 3);
      for (const { steps } of objects) {
        const path = `${textOf(steps)}.fromTheFuture`;
        assert.ok(found(kind, steps, { fromTheFuture: {} }).includes(path), path);
      }
    });

    test("reports a member of every union, also together with a known one", () => {
      for (const { steps, schema } of all.filter(({ schema: { unions } }) => unions !== undefined)) {
        const path = textOf(steps);
        const text = (value: unknown) => found(kind, steps, value).join("\n");
        assert.match(text({ saml: {} }), /\.saml\b/, path);
        assert.match(text({ saml: {} }), new RegExp(`${path.replaceAll(/[[\]]/g, "\\$&")} has none of`), path);
        for (const [one, other] of schema.unions ?? []) {
          assert.match(text({ [one ?? ""]: {}, saml: {} }), /\.saml\b/, path);
          assert.match(text({ [one ?? ""]: {}, [other ?? ""]: {} }), /has .* and /, path);
        }
      }
    });

    test("reports a value of every enum", () => {
      const enums = all.filter(({ schema }) => schema.enum !== undefined);
      // Backups have no enum so far.
      assert.equal(enums.length > 0, !kind.startsWith("MlflowBackup"));
      for (const { steps } of enums) {
        const path = `${textOf(steps)}: "FromTheFuture"`;
        assert.ok(found(kind, steps, "FromTheFuture").includes(path), path);
      }
    });

    test("reports another type of every value", () => {
      for (const { steps, schema } of all.filter((place) => place.steps.length > 0)) {
        const other = schema.type === "array" ? {} : [];
        assert.ok(
          found(kind, steps, other).some((problem) => problem.startsWith(`${textOf(steps)} is `)),
          textOf(steps),
        );
      }
    });

    test("reports a removed required field", () => {
      for (const { steps, schema } of all)
        for (const name of schema.required ?? []) {
          const path = `${textOf([...steps, name])} is missing`;
          assert.ok(found(kind, steps, {}).includes(path), path);
        }
    });

    test("truncates names and values of users", () => {
      const long = "x".repeat(10_000);
      for (const value of [{ [long]: 1 }, { version: long }])
        for (const problem of unsupportedFields(kind, value)) assert.ok(problem.length < 250, problem);
    });
  });
}

test("reports nothing for documents that the API server admits", () => {
  for (const [name, document] of Object.entries(rightDocuments)) {
    const result = validate(document);
    assert.ok("server" in result, name);
    assert.deepEqual(unsupportedFields("MlflowServer", result.server.spec), [], name);
  }
  for (const [name, document] of Object.entries(rightAccesses)) {
    const result = validateAccess(document);
    assert.ok("access" in result, name);
    assert.deepEqual(unsupportedFields("MlflowWorkspaceAccess", result.access.spec), [], name);
  }
});

test("reports nothing for backups that the API server admits", () => {
  for (const [name, document] of Object.entries(rightBackups)) {
    const result = validateBackup(document);
    assert.ok("backup" in result, name);
    assert.deepEqual(unsupportedFields("MlflowBackup", result.backup.spec), [], name);
  }
  for (const [name, document] of Object.entries(rightSchedules)) {
    const result = validateBackupSchedule(document);
    assert.ok("backupSchedule" in result, name);
    assert.deepEqual(unsupportedFields("MlflowBackupSchedule", result.backupSchedule.spec), [], name);
  }
});

test("no object is built for an unsupported spec", () => {
  const { spec } = server();
  const of = (change: object) => resolve(inputs(server({ ...spec, ...change })));
  assert.doesNotThrow(() => desired(of({})));
  for (const change of [
    { version: "3.99.0" },
    { networkPolicy: { fromTheFuture: [] } },
    { deletionPolicy: "Archive" },
    { server: { logLevel: "TRACE" } },
  ])
    assert.throws(() => desired(of(change)), /not supported/, JSON.stringify(change));
});
