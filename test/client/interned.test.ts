import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { interned, shared } from "../../src/client/interned.ts";
import { trimmed } from "../../src/client/trimmed.ts";
import { Store } from "../../src/kube/client/store.ts";
import type { ConfigMap, Secret } from "../../src/kube/manifests.ts";
import { all, inputs, server } from "../support/fixtures.ts";

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

function heapMegabytes(): number {
  collectGarbage();
  return getHeapStatistics().used_heap_size / 2 ** 20;
}

/** A new string object each time, as parsed from a response. */
const arrived = <T>(object: T): T => JSON.parse(JSON.stringify(object));

describe("interned", () => {
  test("keeps the texts of the objects of all servers once, with the programs in their pods", () => {
    const objects = all(inputs(server()));
    // Of the first server.
    const kept: object[] = objects.map((object) => trimmed(arrived(object)));
    const before = heapMegabytes();
    for (let count = 0; count < 100; count++) kept.push(...objects.map((object) => trimmed(arrived(object))));
    const kilobytes = ((heapMegabytes() - before) * 1024) / 100;
    assert.ok(kilobytes < 40 && kept.length > 0, `${kilobytes} KiB for each server`);
  });

  test("does not change values", () => {
    const text = '{"a":["MLFLOW_BACKEND_STORE_URI",1,null,true,{"b":"MLFLOW_BACKEND_STORE_URI"}],"c":"x"}';
    assert.deepEqual(interned(JSON.parse(text)), JSON.parse(text));
  });

  for (const kind of ["ConfigMap", "Secret"] as const)
    test(`keeps no previous content of a ${kind}`, () => {
      const kept = new Store<ConfigMap | Secret>(() => undefined);
      const before = heapMegabytes();
      for (let version = 1; version <= 400; version++) {
        const metadata = { name: "a", namespace: "b", uid: "c", resourceVersion: `${version}` };
        const data = { key: `${version} `.repeat(500 * 200) };
        kept.changed("modified", trimmed(arrived<ConfigMap | Secret>({ apiVersion: "v1", kind, metadata, data })));
      }
      const grown = heapMegabytes() - before;
      assert.ok(grown < 5, `${grown} MiB`);
    });

  test("keeps no long texts, and a bounded number of short ones", () => {
    const before = heapMegabytes();
    for (let version = 1; version <= 100_000; version++) interned({ label: `a label value with a number ${version}` });
    for (let version = 1; version <= 100; version++) interned({ text: `${version} `.repeat(100_000) });
    for (let version = 1; version <= 100; version++) shared({ text: `${version} `.repeat(100_000) });
    const grown = heapMegabytes() - before;
    assert.ok(grown < 8, `${grown} MiB`);
  });
});
