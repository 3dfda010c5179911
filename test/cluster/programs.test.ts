import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

test("the node is of the same Kubernetes as its control plane", async () => {
  const versionIn = async (directory: string) =>
    /^\s*(?:require )?k8s\.io\/kubernetes (v\S+)/m.exec(
      await readFile(join(directory, "go", "kubernetes", "go.mod"), "utf8"),
    )?.[1];
  const node = await versionIn(import.meta.dirname);
  assert.ok(node);
  assert.equal(node, await versionIn(join(import.meta.dirname, "..", "control-plane")));
});
