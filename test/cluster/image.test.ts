import assert from "node:assert/strict";
import { appendFile, cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { supportedVersions } from "../../src/api/versions.ts";
import { contentHash, contextOf } from "./image.ts";
import { imageNamed } from "./image-catalogue.ts";

const mlflow = imageNamed("mlflow-server:3.17.2");

/** Returns the image with a copy of its files, which the test can change. */
async function copyOf(name: string) {
  const image = imageNamed(name);
  const directory = await mkdtemp(join(tmpdir(), "mlflow-operator-image-"));
  after(() => rm(directory, { recursive: true }));
  for (const path of await contextOf(image))
    await cp(join(image.directory, path), join(directory, path), { recursive: true });
  return { ...image, directory };
}

test("the hash of an image depends on its own lock file and Dockerfile, not on the lock file of another version", async () => {
  const image = await copyOf("mlflow-server:3.17.2");
  const copy = image.directory;
  const before = await contentHash(image);
  await writeFile(join(copy, "requirements-3.16.1.lock"), "# another\n");
  assert.equal(await contentHash(image), before);
  await writeFile(join(copy, "requirements-3.17.2.lock"), "# another\n");
  const changed = await contentHash(image);
  assert.notEqual(changed, before);
  await writeFile(join(copy, "Dockerfile"), "FROM scratch\n");
  assert.notEqual(await contentHash(image), changed);
});

test("the hash of the operator's image depends on its sources and build files, and on no other file", async () => {
  const image = await copyOf("mlflow-operator");
  const before = await contentHash(image);
  assert.equal(before, await contentHash(imageNamed("mlflow-operator")));
  const hashes = [before];
  for (const path of ["src/kube/names.ts", "python/src/migrate.py", "package-lock.json", "Dockerfile"]) {
    await appendFile(join(image.directory, path), "\n");
    hashes.push(await contentHash(image));
  }
  assert.equal(new Set(hashes).size, 5);
  await writeFile(join(image.directory, "README.md"), "# another\n");
  assert.equal(await contentHash(image), hashes.at(-1));
});

test("rejects an image whose .dockerignore is not a list of included files", async () => {
  const image = await copyOf("mlflow-operator");
  await writeFile(join(image.directory, ".dockerignore"), "node_modules\n");
  await assert.rejects(contentHash(image), /exclude everything with "\*"/);
});

test("rejects an unknown image and lists the known ones", () => {
  assert.throws(
    () => imageNamed("mlflow-server:1.0"),
    /Unknown image "mlflow-server:1.0"\. Use one of busybox, .*3\.17\.2/,
  );
});

test("every supported version of MLflow has a lock file with that version, hashes, and no registry address", async () => {
  for (const version of supportedVersions) {
    const lock = await readFile(join(mlflow.directory, `requirements-${version}.lock`), "utf8");
    assert.match(lock, new RegExp(`^mlflow==${version.replaceAll(".", "\\.")} \\\\$`, "m"));
    assert.doesNotMatch(lock, /:\/\/|--(extra-)?index-url|--find-links/);
    const pins = lock.match(/^[a-z0-9-]+==\S+ \\\n {4}--hash=sha256:/gm) ?? [];
    assert.equal(pins.length, lock.match(/^\w\S*==/gm)?.length);
  }
});
