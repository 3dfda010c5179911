import assert from "node:assert/strict";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { supportedVersions } from "../../src/api/versions.ts";
import { contentHash } from "./image.ts";
import { imageNamed } from "./image-catalogue.ts";

const copy = await mkdtemp(join(tmpdir(), "mlflow-operator-image-"));
after(() => rm(copy, { recursive: true }));
const mlflow = imageNamed("mlflow-server:3.17.2");
await cp(mlflow.directory, copy, { recursive: true });
const image = { ...mlflow, directory: copy };

test("the hash of an image follows its own lock and its Dockerfile, not the lock of another version", async () => {
  const before = await contentHash(image);
  await writeFile(join(copy, "requirements-3.16.1.lock"), "# another\n");
  assert.equal(await contentHash(image), before);
  await writeFile(join(copy, "requirements-3.17.2.lock"), "# another\n");
  const changed = await contentHash(image);
  assert.notEqual(changed, before);
  await writeFile(join(copy, "Dockerfile"), "FROM scratch\n");
  assert.notEqual(await contentHash(image), changed);
});

test("an unknown image is refused with the known ones", () => {
  assert.throws(() => imageNamed("mlflow-server:1.0"), /no image "mlflow-server:1.0": name one of busybox, .*3\.17\.2/);
});

test("every supported version of MLflow has a lock with that version, hashes, and no registry's address", async () => {
  for (const version of supportedVersions) {
    const lock = await readFile(join(mlflow.directory, `requirements-${version}.lock`), "utf8");
    assert.match(lock, new RegExp(`^mlflow==${version.replaceAll(".", "\\.")} \\\\$`, "m"));
    assert.doesNotMatch(lock, /:\/\/|--(extra-)?index-url|--find-links/);
    const pins = lock.match(/^[a-z0-9-]+==\S+ \\\n {4}--hash=sha256:/gm) ?? [];
    assert.equal(pins.length, lock.match(/^\w\S*==/gm)?.length);
  }
});
