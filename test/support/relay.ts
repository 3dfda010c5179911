import type { IncomingMessage, ServerResponse } from "node:http";
import { errorEvent, type Fault } from "./fault.ts";

/** A response that is forwarded from the API server to the client. */
export interface Relay {
  /** Applies a fault now. */
  readonly apply: (fault: Fault) => void;
}

/** Forwards `from` to `to` until it ends or, with a `fault` within the response, until that is applied. */
export function relay(from: IncomingMessage, to: ServerResponse, fault?: Fault): Relay {
  let left = fault && limitOf(fault);
  let isApplied = false;
  const apply = (what: Fault) => {
    if (isApplied) return;
    isApplied = true;
    // Further data of the API server is read and dropped, so that it does not notice the fault.
    if (what.kind === "cut") to.destroy();
    if (what.kind === "end") to.end();
    if (what.kind === "error-event") to.end(errorEvent(what.code));
  };
  from.on("data", (chunk: Buffer) => {
    if (isApplied) return;
    const take = left === undefined ? chunk.length : fitting(chunk, left);
    if (left !== undefined) left = { ...left, count: left.count - amount(chunk.subarray(0, take), left.unit) };
    const drained = to.write(chunk.subarray(0, take), () => {
      if (fault && left?.count === 0) apply(fault);
    });
    if (drained) return;
    from.pause();
    to.once("drain", () => from.resume());
  });
  from.on("end", () => {
    if (!isApplied) to.end();
  });
  from.on("error", () => to.destroy());
  to.on("close", () => from.destroy());
  to.flushHeaders();
  if (fault && left?.count === 0) apply(fault);
  return { apply };
}

interface Limit {
  readonly unit: "bytes" | "events";
  readonly count: number;
}

function limitOf(fault: Fault): Limit | undefined {
  const at = fault.kind === "error-event" ? (fault.at ?? { afterEvents: 0 }) : "at" in fault ? fault.at : undefined;
  if (typeof at !== "object") return undefined;
  return "afterBytes" in at ? { unit: "bytes", count: at.afterBytes } : { unit: "events", count: at.afterEvents };
}

const newline = 10;

/** Each event of a watch is a line. */
function amount(chunk: Buffer, unit: Limit["unit"]): number {
  return unit === "bytes" ? chunk.length : chunk.filter((byte) => byte === newline).length;
}

/** Returns how many bytes of `chunk` are within the limit. */
function fitting(chunk: Buffer, limit: Limit): number {
  if (limit.unit === "bytes") return Math.min(chunk.length, limit.count);
  let at = 0;
  for (let events = 0; events < limit.count; events++) {
    const next = chunk.indexOf(newline, at);
    if (next < 0) return chunk.length;
    at = next + 1;
  }
  return at;
}
