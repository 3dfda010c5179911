import assert from "node:assert/strict";
import { test } from "node:test";
import { loadAll } from "js-yaml";
import { systemManifests } from "./manifests.ts";
import { network } from "./network.ts";

test("the cluster's manifests are YAML with every placeholder replaced", async () => {
  const text = await systemManifests();
  assert.doesNotMatch(text, /\$\{/);
  assert.match(text, new RegExp(`clusterIP: ${network().dnsService}`));
  for (const document of loadAll(text)) assert.ok(document && typeof document === "object" && "kind" in document);
});
