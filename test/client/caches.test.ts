import assert from "node:assert/strict";
import { test } from "node:test";
import { kindsWith } from "../../src/kube/kinds.ts";

test("caches read each kind by reference that specs can reference", () => {
  assert.deepEqual(
    kindsWith("referenced"),
    ["Secret", "ConfigMap"],
    "add the new kind to src/client/caches.ts and to the port",
  );
});
