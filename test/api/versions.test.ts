import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import {
  isDowngrade,
  supportedVersions,
  unsupportedVersions,
  type VersionRow,
  versions,
} from "../../src/api/versions.ts";

const images = join(import.meta.dirname, "../../images/mlflow-server");
const lock = (version: string) => readFile(join(images, `requirements-${version}.lock`), "utf8");

describe("the table of versions", () => {
  test("has the versions of the plugins in the images", async () => {
    for (const row of versions as readonly VersionRow[]) {
      const pinned = await lock(row.version);
      assert.match(pinned, new RegExp(`^mlflow==${row.version} `, "m"));
      assert.match(pinned, new RegExp(`^mlflow-oidc-auth==${row.oidcPlugin} `, "m"));
      if (row.kubernetesPlugin !== undefined)
        assert.match(pinned, new RegExp(`^mlflow-kubernetes-plugins==${row.kubernetesPlugin} `, "m"));
    }
  });

  test("every image has both PostgreSQL drivers: SQLAlchemy 2.1 uses the newer for postgresql://, the operator selects the older", async () => {
    for (const version of supportedVersions)
      for (const driver of ["psycopg", "psycopg2-binary"])
        assert.match(await lock(version), new RegExp(`^${driver}==`, "m"), `${version} ${driver}`);
  });

  test("no version is both supported and unsupported, and unsupported ones have a nearest supported version", () => {
    for (const { pattern, nearest } of unsupportedVersions) {
      assert.ok(supportedVersions.includes(nearest));
      for (const version of supportedVersions) assert.doesNotMatch(version, new RegExp(pattern));
    }
  });

  test("is sorted from newest to oldest", () => {
    for (const [index, version] of supportedVersions.entries())
      for (const older of supportedVersions.slice(index + 1)) {
        assert.ok(isDowngrade(version, older));
        assert.ok(!isDowngrade(older, version));
      }
  });
});
