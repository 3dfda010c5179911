import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { after, test } from "node:test";
import { chosenTiers, extendedTests } from "./tiers.ts";

const root = await mkdtemp(join(tmpdir(), "mlflow-operator-tiers-"));
after(() => rm(root, { recursive: true }));
for (const name of [
  "kube/names",
  "programs/main",
  "chart/values",
  "apiserver/converge",
  "apiserver/client/watch",
  "live/login",
  "live/rotation",
]) {
  const file = join(root, "test", `${name}.test.ts`);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, "");
}

async function chosen(...args: readonly string[]) {
  const tiers = await chosenTiers(root, args);
  return tiers.map(({ name, files }) => [name, ...files.map((file) => relative(join(root, "test"), file))]);
}

const unit = ["unit", "kube/names.test.ts"];
const programs = ["programs", "programs/main.test.ts"];
const chart = ["chart", "chart/values.test.ts"];
const apiserver = ["apiserver", "apiserver/client/watch.test.ts", "apiserver/converge.test.ts"];
const live = ["live", "live/login.test.ts"];

test("returns all tiers, light ones first", async () =>
  assert.deepEqual(await chosen(), [unit, programs, chart, apiserver, live]));
test("returns the extended tests only where an argument picks them", async () => {
  const extended = ["live", "live/rotation.test.ts"];
  assert.deepEqual(await chosen("extended"), [extended]);
  assert.deepEqual(await chosen("live"), [[...live, "live/rotation.test.ts"]]);
  assert.deepEqual(await chosen("live/rotation.test.ts", "unit"), [unit, extended]);
});
test("each extended test has a file", async () => {
  const tiers = await chosenTiers(join(import.meta.dirname, "../.."), ["extended"]);
  assert.equal(tiers.flatMap(({ files }) => files).length, extendedTests.length);
});
test("returns tiers by name", async () => {
  assert.deepEqual(await chosen("unit"), [unit]);
  assert.deepEqual(await chosen("live", "apiserver"), [apiserver, [...live, "live/rotation.test.ts"]]);
});
test("accepts a tier without tests", async () => {
  const empty = await mkdtemp(join(root, "empty-"));
  assert.deepEqual(await chosenTiers(empty, ["live"]), []);
});
test("returns the files of a folder, or a file", async () => {
  assert.deepEqual(await chosen("kube"), [unit]);
  assert.deepEqual(await chosen("apiserver/client"), [["apiserver", "apiserver/client/watch.test.ts"]]);
  assert.deepEqual(await chosen(join(root, "test/kube/names.test.ts")), [["unit", "kube/names.test.ts"]]);
});
test("rejects an unknown argument", () => assert.rejects(chosen("uint"), /"uint" is neither a tier/));
