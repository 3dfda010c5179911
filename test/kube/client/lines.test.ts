import assert from "node:assert/strict";
import { test } from "node:test";
import { lineSplitter } from "../../../src/kube/client/lines.ts";

function linesOf(chunks: readonly Buffer[]): string[] {
  const lines: string[] = [];
  const split = lineSplitter((line) => lines.push(line));
  for (const chunk of chunks) split(chunk);
  return lines;
}

test("splits lines independently of chunk boundaries, also within a character", () => {
  const wanted = ['{"name":"Zürich ☂ 🧪"}', "{}", '{"ß":1}'];
  const bytes = Buffer.from(`${wanted.join("\n")}\n`);
  for (let size = 1; size <= bytes.length; size++) {
    const chunks: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
    assert.deepEqual(linesOf(chunks), wanted, `chunks of ${size} bytes`);
  }
});

test("does not deliver a line without a newline", () => {
  assert.deepEqual(linesOf([Buffer.from('{"a":1}\n{"b"')]), ['{"a":1}']);
});

test("skips empty lines", () => {
  assert.deepEqual(linesOf([Buffer.from("\n\na\n\n")]), ["a"]);
});

test("delivers a line of 32 MiB in chunks of 16 KiB", () => {
  const chunk = Buffer.alloc(16 * 1024, "x");
  const [line] = linesOf([...Array<Buffer>(2048).fill(chunk), Buffer.from("\n")]);
  assert.equal(line?.length, 32 * 1024 * 1024);
});
