import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { leavesOf, mergedValues, pathText, setValues, valuesBelow } from "../../../src/cli/convert/values.ts";

describe("values files", () => {
  test("merge as Helm merges them: maps by key, lists as a whole, null removes", () => {
    const below = { a: { b: 1, c: [1, 2], d: "x" }, e: true };
    const above = { a: { c: [3], d: null, f: { g: 1 } } };
    assert.deepEqual(mergedValues([below, above]), { a: { b: 1, c: [3], f: { g: 1 } }, e: true });
    assert.deepEqual(mergedValues([]), {});
  });

  test("--set has Helm's syntax", () => {
    const cases: Readonly<Record<string, unknown>> = {
      "a.b=1,c=true": { a: { b: 1 }, c: true },
      "a=007,b=1.5,c=-3": { a: "007", b: "1.5", c: -3 },
      "list[0].name=x,list[1].name=y": { list: [{ name: "x" }, { name: "y" }] },
      "hosts={a,b}": { hosts: ["a", "b"] },
      "empty={}": { empty: [] },
      "a\\.b/c=d\\,e": { "a.b/c": "d,e" },
      "a=null": { a: null },
      "a=": { a: "" },
      "m[0][1]=x": { m: [[null, "x"]] },
    };
    for (const [argument, expected] of Object.entries(cases)) assert.deepEqual(setValues(argument), expected, argument);
    assert.deepEqual(setValues("tag=3.17,on=true", true), { tag: "3.17", on: "true" });
  });

  test("a wrong --set is reported by its key, never with its value", () => {
    assert.throws(() => setValues("auth.password"), /^Error: --set auth.password: write it as key=value$/);
    assert.throws(() => setValues("=x"), /key=value/);
    assert.throws(
      () => setValues("a[99999]=secret"),
      (error: Error) => !error.message.includes("secret"),
    );
  });

  test("paths are written as --set takes them", () => {
    const values = { a: { "b.c/d": ["x", { e: {} }] } };
    const paths = leavesOf(values).map(({ path }) => pathText(path));
    assert.deepEqual(paths, ["a.b\\.c/d[0]", "a.b\\.c/d[1].e"]);
    assert.deepEqual(valuesBelow({ a: { b: { c: 1 } } }, "a.b"), { c: 1 });
    assert.equal(valuesBelow({ a: 1 }, "a.b"), undefined);
  });
});
