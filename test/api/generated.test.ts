import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { generatedFiles } from "../../scripts/generate/files.ts";

const root = join(import.meta.dirname, "../..");

describe("generated files", () => {
  for (const { path, content } of generatedFiles()) {
    test(`${path} is up to date`, async () => {
      const stored = await readFile(join(root, path), "utf8").catch(() => "");
      assert.ok(stored === content, `${path} differs from the source: run npm run generate`);
    });
  }

  for (const file of ["mlflowservers.yaml", "mlflowworkspaceaccesses.yaml"]) {
    test(`the chart's copy of ${file} is identical`, async () => {
      const [one, other] = await Promise.all(
        ["crds", "charts/mlflow-operator/files/crds"].map((folder) => readFile(join(root, folder, file))),
      );
      assert.ok(one && other && one.equals(other));
    });
  }
});
