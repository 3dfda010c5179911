import { randomBytes } from "node:crypto";

/** The spans of one trace. */
const traceSize = 10;

/** Returns spans as OTLP/JSON, as a batch of an exporter: traces of ten spans, or one span. */
export function spansOf(count: number): object {
  const now = `${BigInt(Date.now()) * 1_000_000n}`;
  const traces = Array.from({ length: Math.ceil(count / traceSize) }, () => ({
    traceId: randomBytes(16).toString("hex"),
    root: randomBytes(8).toString("hex"),
  }));
  const spans = traces.flatMap(({ traceId, root }) =>
    Array.from({ length: Math.min(count, traceSize) }, (_, index) => ({
      traceId,
      spanId: index === 0 ? root : randomBytes(8).toString("hex"),
      ...(index > 0 && { parentSpanId: root }),
      name: `step-${index}`,
      kind: 1,
      startTimeUnixNano: now,
      endTimeUnixNano: now,
    })),
  );
  return { resourceSpans: [{ resource: {}, scopeSpans: [{ scope: { name: "bench" }, spans }] }] };
}
