import * as http from "node:http";
import * as https from "node:https";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { timerMilliseconds } from "./backoff.ts";
import type { Fence } from "./fence.ts";
import { type LineSplitter, lineSplitter } from "./lines.ts";

/** One HTTP request, with its connection chosen. */
export interface Outgoing {
  readonly protocol: string;
  readonly options: http.RequestOptions;
  readonly body: string | undefined;
  readonly signal: AbortSignal | undefined;
  readonly limitSeconds: number;
  /** Of a write: asked in the last moment before its first byte is sent. */
  readonly fence?: Fence | undefined;
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
/** The fence was closed: nothing was sent, or the connection was closed while the answer was awaited. */
export class Fenced extends Error {}
/** `cause` is what `onLine` threw. */
export class LineRefused extends Error {}

/** An API server begins to answer a watch at once; only its events take their time. */
const longestToAnswer = 30_000;

/** Where the lines of an answer go, or the parts into which `splitter` takes it apart. */
export interface Lines {
  readonly onLine: (line: string) => void;
  /** Takes an answer apart that is not made of lines. Such an answer may take all of its limit to begin. */
  readonly splitter?: (onPart: (part: string) => void) => LineSplitter;
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
    let settled = false;
    /** Node tells a request that waits for a connection of its end only when it gets one. */
    const giveUp = (error: Error) => {
      fail(error);
      request.destroy(error);
    };
    const overdue = () => giveUp(new Overdue());
    const isWatch = lines !== undefined && lines.splitter === undefined;
    const untilAnswer = isWatch ? Math.min(limitMilliseconds, longestToAnswer) : limitMilliseconds;
    let timer = setTimeout(overdue, untilAnswer);
    const abort = () => giveUp(new Aborted());
    const { fence } = outgoing;
    const fenceOff = () => giveUp(new Fenced());
    const unfence = fence?.onClose(fenceOff);
    const finish = (settle: () => void) => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      unfence?.();
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
      const split =
        lines !== undefined && status === 200
          ? (lines.splitter ?? lineSplitter)((line) => void (settled || lines.onLine(line)))
          : undefined;
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
          giveUp(new LineRefused("A line was refused.", { cause: error }));
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
    if (fence === undefined) request.end(body);
    else if (!fence.isOpen()) fenceOff();
    // Node sends no byte before the end: whatever time the way to a connection takes, the fence is asked after it.
    else request.once("socket", (socket) => whenReady(socket, () => (fence.isOpen() ? request.end(body) : fenceOff())));
  });
}

/** Calls `send` when bytes written to the socket leave at once. */
function whenReady(socket: Socket, send: () => void): void {
  if (!(socket instanceof TLSSocket)) {
    if (socket.connecting) socket.once("connect", send);
    else send();
  } else if (socket.connecting || isShakingHands(socket)) socket.once("secureConnect", send);
  else send();
}

/** Node has the property, its types do not; the protocol is told before the handshake is over. */
function isShakingHands(socket: TLSSocket): boolean {
  return "secureConnecting" in socket && socket.secureConnecting === true;
}

function isReset(error: NodeJS.ErrnoException): boolean {
  return error.code === "ECONNRESET" || error.code === "EPIPE";
}
