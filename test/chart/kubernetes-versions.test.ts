import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { load } from "js-yaml";
import { completed } from "../control-plane/completed.ts";
import { crdValidator, validatedVersions } from "./crd-validators.ts";

const root = join(import.meta.dirname, "../..");
const versions = await validatedVersions();

const directory = await mkdtemp(join(tmpdir(), "mlflow-operator-crds-"));
after(() => rm(directory, { recursive: true }));

/** The CRDs as JSON files, which every version of the validator reads. */
async function definitions(): Promise<string[]> {
  const names = await readdir(join(root, "crds"));
  return Promise.all(
    names.map(async (name) => {
      const path = join(directory, `${name}.json`);
      await writeFile(path, JSON.stringify(load(await readFile(join(root, "crds", name), "utf8"))));
      return path;
    }),
  );
}

test("the oldest validated version is the chart's kubeVersion", async () => {
  const chart = await readFile(join(root, "charts/mlflow-operator/Chart.yaml"), "utf8");
  const [, oldest] = /^kubeVersion: ">=(\d+\.\d+)\.0-0"$/m.exec(chart) ?? [];
  assert.equal(versions[0], oldest);
});

for (const version of versions)
  test(`Kubernetes ${version} accepts the CRDs`, { timeout: 600_000 }, async () => {
    const { code, stdout, stderr } = await completed(await crdValidator(version), await definitions());
    assert.equal(`${stdout}${stderr}`, "");
    assert.equal(code, 0);
  });

test("every version rejects a rule above the cost limit", { timeout: 600_000 }, async () => {
  const servers = (await definitions()).find((each) => each.includes("mlflowservers"));
  const text = await readFile(servers ?? "", "utf8");
  const path = join(directory, "expensive.json");
  await writeFile(path, text.replaceAll(/"maxItems":\d+/g, '"maxItems":1000000'));
  for (const version of versions) {
    const { code, stdout } = await completed(await crdValidator(version), [path]);
    assert.equal(code, 1);
    assert.match(stdout, /exceeds budget/);
  }
});
