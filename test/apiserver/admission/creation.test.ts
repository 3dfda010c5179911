import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { backupSchema } from "../../../src/api/backup.ts";
import { backupScheduleSchema } from "../../../src/api/backup-schedule.ts";
import { resourceSchema } from "../../../src/api/resource-schema.ts";
import { validate, validateAccess, validateBackup, validateBackupSchedule } from "../../../src/api/validation.ts";
import { workspaceAccessSchema } from "../../../src/api/workspace-access.ts";
import { rightAccesses, wrongAccesses } from "../../api/accesses.ts";
import { rightSchedules, wrongSchedules } from "../../api/backup-schedules.ts";
import { rightBackups, wrongBackups } from "../../api/backups.ts";
import { type Document, rightDocuments } from "../../api/documents.ts";
import { isSaidOf, smuggled } from "../../api/text-leaves.ts";
import { wrongDocuments } from "../../api/wrong-documents.ts";
import { wrongExposures } from "../../api/wrong-exposures.ts";
import { wrongProxies } from "../../api/wrong-proxies.ts";
import type { ClusterAccess } from "../../control-plane/cluster-access.ts";
import { sharedControlPlane } from "../../control-plane/shared.ts";
import { comparable, create, installDefinition } from "./verdict.ts";

/** For a missing field the API server reports only that it is required; offline validation reports the fix. */
const bare = (problem: string) => problem.replace(/: Required value: .*$/s, ": Required value");

function validatorOf(document: Document) {
  if (document["kind"] === "MlflowBackup") return validateBackup;
  if (document["kind"] === "MlflowBackupSchedule") return validateBackupSchedule;
  return document["kind"] === "MlflowWorkspaceAccess" ? validateAccess : validate;
}

/** Asserts the same problems, at least one, from the API server and offline, which may add the fix. */
async function refusedByBoth(cluster: ClusterAccess, document: Document): Promise<readonly string[]> {
  const { problems } = await create(cluster, document);
  const offline = validatorOf(document)(document);
  assert.ok("problems" in offline, `accepted offline; the API server reports ${problems.join("\n")}`);
  const same = offline.problems.map((problem) => (problems.includes(bare(problem)) ? bare(problem) : problem));
  assert.deepEqual(same.map(comparable).toSorted(), problems.map(comparable).toSorted());
  assert.notEqual(problems.length, 0, "accepted by the API server");
  return offline.problems;
}

describe("the creation of an MlflowServer, by the API server and offline", () => {
  let cluster: ClusterAccess;
  before(async () => {
    cluster = await sharedControlPlane();
    await installDefinition(cluster);
  });

  for (const [title, document] of Object.entries(rightDocuments)) {
    test(`${title}: both accept it`, async () => {
      assert.deepEqual((await create(cluster, document)).problems, []);
      assert.ok("server" in validate(document));
    });
  }

  for (const [title, document] of Object.entries(rightBackups)) {
    test(`MlflowBackup ${title}: both accept it`, async () => {
      assert.deepEqual((await create(cluster, document)).problems, []);
      assert.ok("backup" in validateBackup(document));
    });
  }

  for (const [title, document] of Object.entries(rightSchedules)) {
    test(`MlflowBackupSchedule ${title}: both accept it`, async () => {
      assert.deepEqual((await create(cluster, document)).problems, []);
      assert.ok("backupSchedule" in validateBackupSchedule(document));
    });
  }

  for (const [title, document] of Object.entries(rightAccesses)) {
    test(`MlflowWorkspaceAccess ${title}: both accept it`, async () => {
      assert.deepEqual((await create(cluster, document)).problems, []);
      assert.ok("access" in validateAccess(document));
    });
  }

  for (const { title, document, field, says } of [
    ...wrongDocuments,
    ...wrongProxies,
    ...wrongExposures,
    ...wrongAccesses,
    ...wrongBackups,
    ...wrongSchedules,
  ]) {
    test(`${title}: both reject it with the same message and fix`, async () => {
      const problems = await refusedByBoth(cluster, document);
      const about = problems.filter((problem) => problem.startsWith(field === "" ? "unknown field" : `${field}: `));
      assert.ok(
        about.some((problem) => problem.includes(says)),
        `"${says}" is not said of ${field} in:\n${problems.join("\n")}`,
      );
    });
  }

  test("a line break or another control character in any string of a spec: both reject it with the same message", async () => {
    for (const { path, document } of [
      ...smuggled(Object.values(rightDocuments), resourceSchema()),
      ...smuggled(Object.values(rightAccesses), workspaceAccessSchema()),
      ...smuggled(Object.values(rightBackups), backupSchema()),
      ...smuggled(Object.values(rightSchedules).slice(0, 3), backupScheduleSchema()),
    ]) {
      const problems = await refusedByBoth(cluster, document);
      assert.ok(
        problems.some((problem) => isSaidOf(problem, path)),
        `${path}: ${problems.join("\n")}`,
      );
    }
  });
});
