import * as http from "node:http";
import * as https from "node:https";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { timerMilliseconds } from "./backoff.ts";
import type { Fence } from "./fence.ts";
import { type LineSplitter, lineSplitter } from "./lines.ts";

/** One HTTP request and the agent that sends it. */
export interface Outgoing {
  readonly protocol: string;
  readonly options: http.RequestOptions;
  readonly body: string | undefined;
  readonly signal: AbortSignal | undefined;
  readonly limitSeconds: number;
  /** For a write: checked immediately before its first byte is sent. */
  readonly fence?: Fence | undefined;
}

export interface Answer {
  readonly status: number;
  readonly statusText: string;
  readonly headers: http.IncomingHttpHeaders;
  /** Empty if the lines of a successful response were delivered one by one. */
  readonly body: Buffer;
}

/** The request failed because the server had already closed the persistent connection. */
export const stale = Symbol("stale");

export class Overdue extends Error {}
export class Aborted extends Error {}
/** The fence was closed: nothing was sent, or the connection was closed before the response arrived. */
export class Fenced extends Error {}
/** `cause` is what `onLine` threw. */
export class LineRejected extends Error {}

/** Limit until the response of a watch begins: the API server sends the headers immediately. */
const longestUntilResponse = 30_000;

/** Receivers of the lines of a response, or of the parts that `splitter` produces. */
export interface Lines {
  readonly onLine: (line: string) => void;
  /** Splits a response that does not consist of lines. Such a response can take its whole limit to begin. */
  readonly splitter?: (onPart: (part: string) => void) => LineSplitter;
  /** Called when a successful response begins. */
  readonly onOpen?: (() => void) | undefined;
}

/**
 * Sends the request and reads the response. Without `lines` the limit applies to the whole exchange. With `lines`, a successful response is delivered
 * line by line, each byte restarts the limit, and the response must begin within 30 s. Rejects with the error of Node, {@link Overdue}, {@link Aborted} or
 * {@link LineRejected}.
 */
export function exchange(outgoing: Outgoing, lines?: Lines): Promise<Answer | typeof stale> {
  return new Promise((resolve, reject) => {
    const { protocol, options, body, signal } = outgoing;
    const limitMilliseconds = timerMilliseconds(outgoing.limitSeconds);
    const request = protocol === "http:" ? http.request(options) : https.request(options);
    let answered = false;
    let settled = false;
    /** Node emits the error of a request that waits for a connection only after it has one. */
    const giveUp = (error: Error) => {
      fail(error);
      request.destroy(error);
    };
    const overdue = () => giveUp(new Overdue());
    const isWatch = lines !== undefined && lines.splitter === undefined;
    const untilResponse = isWatch ? Math.min(limitMilliseconds, longestUntilResponse) : limitMilliseconds;
    let timer = setTimeout(overdue, untilResponse);
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
          // Settle before the connection ends: if headers, lines and end arrived in one chunk, `end` is emitted next.
          giveUp(new LineRejected("A line was rejected.", { cause: error }));
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
    // Node sends no byte before `end`. The fence is checked after the connection is established, however long that takes.
    else request.once("socket", (socket) => whenReady(socket, () => (fence.isOpen() ? request.end(body) : fenceOff())));
  });
}

/** Calls `send` when the socket is connected, so that bytes are sent without delay. */
function whenReady(socket: Socket, send: () => void): void {
  if (!(socket instanceof TLSSocket)) {
    if (socket.connecting) socket.once("connect", send);
    else send();
  } else if (socket.connecting || isHandshaking(socket)) socket.once("secureConnect", send);
  else send();
}

/** The property is missing in the types of Node. The protocol is known before the handshake is complete. */
function isHandshaking(socket: TLSSocket): boolean {
  return "secureConnecting" in socket && socket.secureConnecting === true;
}

function isReset(error: NodeJS.ErrnoException): boolean {
  return error.code === "ECONNRESET" || error.code === "EPIPE";
}
