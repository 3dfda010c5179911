import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { ListItems } from "../../../src/kube/client/list-items.ts";
import { seededRandom } from "../../support/seeded-random.ts";

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

function taken(text: string, sizes: () => number): { items: unknown[]; frame: unknown } {
  const items: unknown[] = [];
  const list = new ListItems((item) => items.push(JSON.parse(item)));
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) {
    const end = at + Math.max(1, sizes());
    list.take(bytes.subarray(at, end));
    at = end;
  }
  return { items, frame: JSON.parse(list.frame()) };
}

const hostile = [
  {},
  { a: '"items":[' },
  { a: "\\" },
  { a: '\\"' },
  { "a\\": '"', items: [{ items: [] }, [], [[{}]]] },
  { text: '}]}{["items":[{é💥' },
  { '"items"': [{ a: 1 }] },
  { n: [1, 2.5, -1e3, null, true] },
  { data: { blob: 'x"\\'.repeat(5000) } },
];
const metadata = { resourceVersion: "7", continue: 'a"b\\' };
const lists = [
  { kind: "List", apiVersion: "v1", metadata, items: hostile },
  { items: hostile, metadata },
  { metadata, items: [] },
  { metadata: { ...metadata, items: [{ not: "one" }] }, items: [{ a: 1 }] },
  { 'x"items"': [{ not: "one" }], metadata, items: [{ a: 1 }], further: [{ not: "one" }] },
  { kind: "Status", message: '"items":[{}]', code: 410 },
];

describe("a list that is split while it arrives", () => {
  const random = seededRandom(1);
  for (const [index, list] of lists.entries())
    test(`has the same items and rest as with JSON.parse, for any chunks: ${index}`, () => {
      const { items = [], ...rest } = { items: undefined, ...list };
      for (const text of [JSON.stringify(list), JSON.stringify(list, undefined, 2)])
        for (const sizes of [() => 1, () => 3, () => Math.floor(random() * 40), () => 1e9]) {
          const found = taken(text, sizes);
          assert.deepEqual(found.items, items);
          assert.deepEqual(found.frame, "items" in list ? { ...rest, items: [] } : rest);
        }
    });

  test("of 200 MB needs only the memory of its largest item", () => {
    const item = Buffer.from(`${JSON.stringify({ data: { blob: "x".repeat(2 ** 20) } })},`);
    let items = 0;
    const list = new ListItems(() => {
      items += 1;
    });
    list.take(Buffer.from('{"items":['));
    const held = () => {
      collectGarbage();
      const { heapUsed, external } = process.memoryUsage();
      return heapUsed + external;
    };
    const before = held();
    for (let n = 0; n < 200; n++)
      for (let at = 0; at < item.length; at += 2 ** 16) list.take(item.subarray(at, at + 2 ** 16));
    const grown = held() - before;
    assert.equal(items, 200);
    assert.ok(grown < 8 * 2 ** 20, `${grown / 2 ** 20} MiB`);
  });

  test("is rejected if more than a mebibyte of it is not items", () => {
    const list = new ListItems(() => undefined);
    const part = Buffer.from(`{"metadata":{"continue":"${"x".repeat(2 ** 20)}`);
    assert.throws(() => list.take(part), /more than 1 MiB/);
  });
});
