import * as http from "node:http";
import * as https from "node:https";
import { timerMilliseconds } from "./backoff.ts";
import { lineSplitter } from "./lines.ts";

/** One HTTP request, with its connection chosen. */
export interface Outgoing {
  readonly protocol: string;
  readonly options: http.RequestOptions;
  readonly body: string | undefined;
  readonly signal: AbortSignal | undefined;
  readonly limitSeconds: number;
}

export interface Answer {
  readonly status: number;
  readonly statusText: string;
  readonly headers: http.IncomingHttpHeaders;
  /** Empty where the lines of a success were delivered one by one. */
  readonly body: Buffer;
}

/** The connection was a kept one that the server had closed before it saw the request. */
export const stale = Symbol("stale");

export class Overdue extends Error {}
export class Aborted extends Error {}
/** `cause` is what `onLine` threw. */
export class LineRefused extends Error {}

/** An API server begins to answer a watch at once; only its events take their time. */
const longestToAnswer = 30_000;

/** Where the lines of an answer go. */
export interface Lines {
  readonly onLine: (line: string) => void;
  /** The answer is a success, and begins. */
  readonly onOpen?: (() => void) | undefined;
}

/**
 * Sends the request and reads its answer. Without `lines` the limit is for the whole; with it, a success is delivered
 * line by line and every byte grants the limit anew, after at most 30 s until the answer begins. Rejects with what Node says, {@link Overdue}, {@link Aborted} or
 * {@link LineRefused}.
 */
export function exchange(outgoing: Outgoing, lines?: Lines): Promise<Answer | typeof stale> {
  return new Promise((resolve, reject) => {
    const { protocol, options, body, signal } = outgoing;
    const limitMilliseconds = timerMilliseconds(outgoing.limitSeconds);
    const request = protocol === "http:" ? http.request(options) : https.request(options);
    let answered = false;
    const overdue = () => request.destroy(new Overdue());
    const untilAnswer = lines === undefined ? limitMilliseconds : Math.min(limitMilliseconds, longestToAnswer);
    let timer = setTimeout(overdue, untilAnswer);
    const abort = () => request.destroy(new Aborted());
    let settled = false;
    const finish = (settle: () => void) => {
      settled = true;
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      settle();
    };
    const fail = (error: Error) => finish(() => reject(error));
    request.on("error", (error) => {
      if (!answered && request.reusedSocket && isReset(error)) finish(() => resolve(stale));
      else fail(error);
    });
    request.on("response", (incoming) => {
      answered = true;
      const status = incoming.statusCode ?? 0;
      if (lines !== undefined) {
        clearTimeout(timer);
        timer = setTimeout(overdue, limitMilliseconds);
      }
      const chunks: Buffer[] = [];
      const split = lines !== undefined && status === 200 ? lineSplitter(lines.onLine) : undefined;
      if (split !== undefined) lines?.onOpen?.();
      incoming.on("data", (chunk: Buffer) => {
        if (settled) return;
        if (split === undefined) {
          chunks.push(chunk);
          return;
        }
        timer.refresh();
        try {
          split(chunk);
        } catch (error) {
          // Before the connection ends: where head, lines and end of the answer came in one chunk, its end is told next.
          fail(new LineRefused("A line was refused.", { cause: error }));
          request.destroy();
        }
      });
      incoming.on("end", () => {
        const { statusMessage = "", headers } = incoming;
        finish(() => resolve({ status, statusText: statusMessage, headers, body: Buffer.concat(chunks) }));
      });
      incoming.on("error", fail);
    });
    signal?.addEventListener("abort", abort, { once: true });
    if (signal?.aborted) abort();
    request.end(body);
  });
}

function isReset(error: NodeJS.ErrnoException): boolean {
  return error.code === "ECONNRESET" || error.code === "EPIPE";
}
