import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { load } from "js-yaml";
import { generatedFiles } from "../../scripts/generate/files.ts";

const root = join(import.meta.dirname, "../..");

describe("generated files", () => {
  for (const { path, content } of generatedFiles()) {
    test(`${path} is up to date`, async () => {
      const stored = await readFile(join(root, path), "utf8").catch(() => "");
      assert.ok(stored === content, `${path} differs from the source: run npm run generate`);
    });
  }

  for (const file of [
    "mlflowservers.yaml",
    "mlflowworkspaceaccesses.yaml",
    "mlflowbackups.yaml",
    "mlflowbackupschedules.yaml",
  ]) {
    test(`the chart's copy of ${file} is identical`, async () => {
      const [one, other] = await Promise.all(
        ["crds", "charts/mlflow-operator/files/crds"].map((folder) => readFile(join(root, folder, file))),
      );
      assert.ok(one && other && one.equals(other));
    });

    test(`a client-side kubectl apply can store ${file} in an annotation`, async () => {
      const definition = load(await readFile(join(root, "crds", file), "utf8"));
      const bytes = Buffer.byteLength(JSON.stringify(definition));
      // All annotations of an object together (k8s.io/apimachinery, TotalAnnotationSizeLimitB), with 1 KiB for names and others.
      assert.ok(bytes < 255 * 1024, `${bytes} bytes as JSON`);
    });
  }
});
