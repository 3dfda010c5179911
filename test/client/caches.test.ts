import assert from "node:assert/strict";
import { test } from "node:test";
import { kindsWith } from "../../src/kube/kinds.ts";

test("the kinds that specs may refer to are those that caches read by reference", () => {
  assert.deepEqual(
    kindsWith("referenced"),
    ["Secret", "ConfigMap"],
    "add the new kind to src/client/caches.ts and to the port",
  );
});
