import { randomBytes } from "node:crypto";

/** One span as OTLP has it in JSON. */
export function spanOf(name: string): object {
  const now = `${BigInt(Date.now()) * 1_000_000n}`;
  const ids = { traceId: randomBytes(16).toString("hex"), spanId: randomBytes(8).toString("hex") };
  const span = { ...ids, name, kind: 1, startTimeUnixNano: now, endTimeUnixNano: now };
  return { resourceSpans: [{ resource: {}, scopeSpans: [{ scope: { name: "tests" }, spans: [span] }] }] };
}
