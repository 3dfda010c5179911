import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { backupSchema } from "../../src/api/backup.ts";
import { resourceSchema } from "../../src/api/resource-schema.ts";
import { validate, validateAccess, validateBackup, validateBackupSchedule } from "../../src/api/validation.ts";
import { workspaceAccessSchema } from "../../src/api/workspace-access.ts";
import { access, rightAccesses, wrongAccesses } from "./accesses.ts";
import { rightSchedules, wrongSchedules } from "./backup-schedules.ts";
import { rightBackups, wrongBackups } from "./backups.ts";
import { changed, type Document, fullest, rightDocuments, smallest } from "./documents.ts";
import { isSaidOf, smuggled } from "./text-leaves.ts";
import { wrongUpdates } from "./updates.ts";
import { wrongDocuments } from "./wrong-documents.ts";
import { wrongExposures } from "./wrong-exposures.ts";
import { wrongProxies } from "./wrong-proxies.ts";

function problems(document: unknown): readonly string[] {
  const result = validate(document);
  return "problems" in result ? result.problems : [];
}

/** test/apiserver/admission compares the messages with those of a real API server. */
describe("validation without a cluster", () => {
  for (const [title, document] of Object.entries(rightDocuments)) {
    test(`accepts ${title} and only adds the defaults of replicas and namespace`, () => {
      const result = validate(document);
      assert.ok("server" in result, problems(document).join("\n"));
      assert.deepEqual(
        result.server,
        changed(
          { replicas: 1, ...document },
          { replicas: undefined, ...replicasOf(document), "metadata.namespace": "default" },
        ),
      );
    });
  }

  test("rejects every wrong document, with the remedy", () => {
    for (const { title, document, field, says } of [...wrongDocuments, ...wrongProxies, ...wrongExposures]) {
      const about = problems(document).filter((problem) =>
        problem.startsWith(field === "" ? "unknown field" : `${field}: `),
      );
      assert.ok(
        about.some((problem) => problem.includes(says)),
        `${title}: ${problems(document).join("\n")}`,
      );
    }
  });

  test("rejects control characters in every text that becomes an argument or part of a file", () => {
    for (const { path, document } of smuggled(Object.values(rightDocuments), resourceSchema())) {
      const said = problems(document);
      assert.ok(
        said.some((problem) => isSaidOf(problem, path)),
        `${path}: ${said.join("\n")}`,
      );
    }
  });

  test("skips rules that compare with the stored object", () => {
    for (const { title, to } of wrongUpdates) assert.deepEqual(problems(to), [], title);
  });

  test("reports all problems together", () => {
    const document = changed(smallest, { "spec.replicas": 2, "spec.authentication": {}, "metadata.name": "Mlflow" });
    assert.equal(problems(document).length, 4);
  });

  test("ignores a null field, like the API server", () => {
    assert.deepEqual(problems(changed(fullest, { "spec.pod": null, "spec.server.env[0].value": null })), []);
    assert.match(problems(changed(smallest, { "spec.authentication.basic": null })).join(), /exactly one of basic/);
  });

  test("ignores a status, which is in the output of kubectl", () => {
    assert.deepEqual(problems({ ...smallest, status: { anything: 1 } }), []);
  });

  test("rejects other kinds and versions", () => {
    assert.deepEqual(problems({ ...smallest, kind: "Server" }), ["kind: must be MlflowServer"]);
    assert.deepEqual(problems({ ...smallest, apiVersion: "v1" }), ["apiVersion: must be mlflow-operator.dev/v1alpha1"]);
    assert.deepEqual(problems({ ...smallest, metadata: {} }), ["metadata.name: Required value: name the server"]);
    assert.deepEqual(problems(changed(smallest, { metadata: undefined })), [
      "metadata: Required value: name the server",
    ]);
    for (const document of [undefined, null, "text", 1, []]) assert.equal(problems(document).length, 1);
  });

  test("rejects labels that are not text in YAML", () => {
    const document = changed(smallest, { "metadata.labels": { release: 1 } });
    assert.deepEqual(problems(document), ["metadata.labels.release: must be text: put the value in quotes"]);
  });
});

function problemsOfAccess(document: unknown): readonly string[] {
  const result = validateAccess(document);
  return "problems" in result ? result.problems : [];
}

describe("validation of a MlflowWorkspaceAccess without a cluster", () => {
  test("accepts the one with every field, and only adds the namespace", () => {
    assert.deepEqual(validateAccess(access), { access: changed(access, { "metadata.namespace": "default" }) });
    const inNamespace = changed(access, { "metadata.namespace": "team-a" });
    assert.deepEqual(validateAccess(inNamespace, "team-b"), { access: inNamespace });
  });

  test("rejects every wrong one, with the remedy", () => {
    for (const { title, document, field, says } of wrongAccesses) {
      const about = problemsOfAccess(document).filter((problem) =>
        problem.startsWith(field === "" ? "unknown field" : `${field}: `),
      );
      assert.ok(
        about.some((problem) => problem.includes(says)),
        `${title}: ${problemsOfAccess(document).join("\n")}`,
      );
    }
  });

  test("rejects control characters in every text", () => {
    for (const { path, document } of smuggled(Object.values(rightAccesses), workspaceAccessSchema()))
      assert.ok(
        problemsOfAccess(document).some((problem) => isSaidOf(problem, path)),
        path,
      );
  });

  test("rejects an MlflowServer", () => {
    assert.deepEqual(problemsOfAccess(smallest), ["kind: must be MlflowWorkspaceAccess"]);
  });
});

describe("validation of an MlflowBackup without a cluster", () => {
  const problemsOfBackup = (document: unknown) => {
    const result = validateBackup(document);
    return "problems" in result ? result.problems : [];
  };

  test("accepts those with every field unchanged", () => {
    for (const backup of Object.values(rightBackups))
      assert.deepEqual(validateBackup(backup), {
        backup: { ...backup, metadata: { name: "nightly", namespace: "default" } },
      });
  });

  test("rejects every wrong one, with the remedy", () => {
    for (const { title, document, field, says } of wrongBackups) {
      const about = problemsOfBackup(document).filter((problem) =>
        problem.startsWith(field === "" ? "unknown field" : `${field}: `),
      );
      assert.ok(
        about.some((problem) => problem.includes(says)),
        `${title}: ${problemsOfBackup(document).join("\n")}`,
      );
    }
  });

  test("rejects control characters in every text", () => {
    for (const { path, document } of smuggled(Object.values(rightBackups), backupSchema()))
      assert.ok(
        problemsOfBackup(document).some((problem) => isSaidOf(problem, path)),
        path,
      );
  });
});

describe("validation of an MlflowBackupSchedule without a cluster", () => {
  const problemsOfSchedule = (document: unknown) => {
    const result = validateBackupSchedule(document);
    return "problems" in result ? result.problems : [];
  };

  test("accepts those with every field unchanged", () => {
    for (const [name, backupSchedule] of Object.entries(rightSchedules))
      assert.deepEqual(
        validateBackupSchedule(backupSchedule),
        { backupSchedule: { ...backupSchedule, metadata: { name: "nightly", namespace: "default" } } },
        name,
      );
  });

  test("rejects every wrong one, with the remedy", () => {
    for (const { title, document, field, says } of wrongSchedules) {
      const about = problemsOfSchedule(document).filter((problem) => problem.startsWith(`${field}: `));
      assert.ok(
        about.some((problem) => problem.includes(says)),
        `${title}: ${problemsOfSchedule(document).join("\n")}`,
      );
    }
  });

  test("reports what the API server cannot check for the command line only", () => {
    const [right] = Object.values(rightSchedules);
    for (const [change, field, says] of [
      [{ "spec.schedule": "0 0 30 2 *" }, "spec.schedule", /names no time/],
      [{ "spec.schedule": "30-10 * * * *" }, "spec.schedule", /must not be greater than the second/],
      [{ "spec.timeZone": "Europe/Nowhere" }, "spec.timeZone", /must be a time zone of the IANA database/],
    ] as const) {
      const result = validateBackupSchedule(changed(right ?? {}, change));
      assert.ok("problems" in result);
      assert.deepEqual([result.problems, result.fields.map((each) => each.field)], [[], [field]]);
      assert.match(result.fields[0]?.body ?? "", says);
    }
  });
});

function replicasOf(document: Document) {
  const result = validate(document);
  return "server" in result ? { "spec.replicas": result.server.spec.replicas } : {};
}
