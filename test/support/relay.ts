import type { IncomingMessage, ServerResponse } from "node:http";
import { errorEvent, type Fault } from "./fault.ts";

/** An answer on its way from the API server to the client. */
export interface Relay {
  /** Strikes now. */
  readonly strike: (fault: Fault) => void;
}

/** Passes `from` on to `to` until it ends or, with a `fault` that is placed within the answer, until that strikes. */
export function relay(from: IncomingMessage, to: ServerResponse, fault?: Fault): Relay {
  let left = fault && limitOf(fault);
  let struck = false;
  const strike = (what: Fault) => {
    if (struck) return;
    struck = true;
    // What the API server goes on to send is read and dropped, so that it notices nothing.
    if (what.kind === "cut") to.destroy();
    if (what.kind === "end") to.end();
    if (what.kind === "error-event") to.end(errorEvent(what.code));
  };
  from.on("data", (chunk: Buffer) => {
    if (struck) return;
    const take = left === undefined ? chunk.length : fitting(chunk, left);
    if (left !== undefined) left = { ...left, count: left.count - amount(chunk.subarray(0, take), left.unit) };
    const drained = to.write(chunk.subarray(0, take), () => {
      if (fault && left?.count === 0) strike(fault);
    });
    if (drained) return;
    from.pause();
    to.once("drain", () => from.resume());
  });
  from.on("end", () => {
    if (!struck) to.end();
  });
  from.on("error", () => to.destroy());
  to.on("close", () => from.destroy());
  to.flushHeaders();
  if (fault && left?.count === 0) strike(fault);
  return { strike };
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

/** How many bytes of `chunk` may pass. */
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
