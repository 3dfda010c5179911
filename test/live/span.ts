import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";

/** Returns one span as OTLP/JSON. */
export function spanOf(name: string): object {
  const now = `${BigInt(Date.now()) * 1_000_000n}`;
  const ids = { traceId: randomBytes(16).toString("hex"), spanId: randomBytes(8).toString("hex") };
  const span = { ...ids, name, kind: 1, startTimeUnixNano: now, endTimeUnixNano: now };
  return { resourceSpans: [{ resource: {}, scopeSpans: [{ scope: { name: "tests" }, spans: [span] }] }] };
}

/** Returns the id of a span's trace. */
export function traceIdOf(span: object): string {
  const [, traceId] = /"traceId":"([0-9a-f]+)"/.exec(JSON.stringify(span)) ?? [];
  assert.ok(traceId !== undefined);
  return traceId;
}
