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
  return new Exchange(outgoing, lines).settled;
}

class Exchange {
  readonly #outgoing: Outgoing;
  readonly #lines: Lines | undefined;
  readonly #request: http.ClientRequest;
  readonly #result = Promise.withResolvers<Answer | typeof stale>();
  readonly #limitMilliseconds: number;
  #timer: NodeJS.Timeout;
  #isAnswered = false;
  #isSettled = false;
  readonly #unfence: (() => void) | undefined;

  constructor(outgoing: Outgoing, lines: Lines | undefined) {
    this.#outgoing = outgoing;
    this.#lines = lines;
    const { protocol, options, signal, fence } = outgoing;
    this.#limitMilliseconds = timerMilliseconds(outgoing.limitSeconds);
    this.#request = protocol === "http:" ? http.request(options) : https.request(options);
    const isWatch = lines !== undefined && lines.splitter === undefined;
    const untilResponse = isWatch ? Math.min(this.#limitMilliseconds, longestUntilResponse) : this.#limitMilliseconds;
    this.#timer = setTimeout(this.#overdue, untilResponse);
    this.#unfence = fence?.onClose(this.#fenceOff);
    this.#request.on("error", (error) => {
      if (!this.#isAnswered && this.#request.reusedSocket && isReset(error))
        this.#finish(() => this.#result.resolve(stale));
      else this.#fail(error);
    });
    this.#request.on("response", (incoming) => this.#receive(incoming));
    signal?.addEventListener("abort", this.#abort, { once: true });
    if (signal?.aborted) this.#abort();
    this.#send();
  }

  get settled(): Promise<Answer | typeof stale> {
    return this.#result.promise;
  }

  #send(): void {
    const { body, fence } = this.#outgoing;
    const send = () => void this.#request.end(body);
    if (fence === undefined) send();
    else if (!fence.isOpen()) this.#fenceOff();
    // Node sends no byte before `end`. The fence is checked after the connection is established, however long that takes.
    else
      this.#request.once("socket", (socket) => whenReady(socket, () => (fence.isOpen() ? send() : this.#fenceOff())));
  }

  #receive(incoming: http.IncomingMessage): void {
    this.#isAnswered = true;
    const status = incoming.statusCode ?? 0;
    if (this.#lines !== undefined) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(this.#overdue, this.#limitMilliseconds);
    }
    const chunks: Buffer[] = [];
    const split = status === 200 ? this.#splitter() : undefined;
    if (split !== undefined) this.#lines?.onOpen?.();
    incoming.on("data", (chunk: Buffer) => {
      if (this.#isSettled) return;
      if (split === undefined) {
        chunks.push(chunk);
        return;
      }
      this.#timer.refresh();
      try {
        split(chunk);
      } catch (error) {
        // Settle before the connection ends: if headers, lines and end arrived in one chunk, `end` is emitted next.
        this.#giveUp(new LineRejected("A line was rejected.", { cause: error }));
      }
    });
    incoming.on("end", () => {
      const { statusMessage = "", headers } = incoming;
      const body = Buffer.concat(chunks);
      this.#finish(() => this.#result.resolve({ status, statusText: statusMessage, headers, body }));
    });
    incoming.on("error", this.#fail);
  }

  /** Delivers the parts of a successful response; undefined if it is read as a whole. */
  #splitter(): LineSplitter | undefined {
    const lines = this.#lines;
    return lines && (lines.splitter ?? lineSplitter)((line) => void (this.#isSettled || lines.onLine(line)));
  }

  readonly #overdue = () => this.#giveUp(new Overdue());
  readonly #abort = () => this.#giveUp(new Aborted());
  readonly #fenceOff = () => this.#giveUp(new Fenced());
  readonly #fail = (error: Error) => this.#finish(() => this.#result.reject(error));

  /** Node emits the error of a request that waits for a connection only after it has one. */
  #giveUp(error: Error): void {
    this.#fail(error);
    this.#request.destroy(error);
  }

  #finish(settle: () => void): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    clearTimeout(this.#timer);
    this.#unfence?.();
    this.#outgoing.signal?.removeEventListener("abort", this.#abort);
    settle();
  }
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
