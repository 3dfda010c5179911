import assert from "node:assert/strict";
import { test } from "node:test";
import { quantityOf } from "../../src/api/quantity.ts";

test("parses quantities like Kubernetes", () => {
  const known = {
    "0": 0,
    "1.5": 1.5,
    "500m": 0.5,
    "10Gi": 10 * 2 ** 30,
    "1k": 1000,
    "1e3": 1000,
    "1E": 1e18,
    "1E3": 1000,
    ".5": 0.5,
    "-1": -1,
  };
  for (const [text, number] of Object.entries(known)) assert.equal(quantityOf(text), number, text);
});

test("rejects text that is not a quantity", () => {
  for (const text of ["", "Gi", "10 Gi", "10gb", "1ki", "1.2.3", "much"])
    assert.equal(quantityOf(text), undefined, text);
});
