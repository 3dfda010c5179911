import type { IncomingHttpHeaders } from "node:http";
import { ApiError, type ApiFailure, isApiError } from "../errors.ts";
import { type Connections, connections, destroy, drain, maxCalls } from "./connections.ts";
import { type CredentialSource, type Credentials, sameTls } from "./credentials.ts";
import { type Answer, exchange, LineRejected, type Lines, type Outgoing, stale } from "./exchange.ts";
import { failureOf, isUntrustedCertificate, rejectionOf } from "./failure.ts";
import type { Fence } from "./fence.ts";
import { ListItems } from "./list-items.ts";

export interface Call {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Absolute, as `resourcePath` returns it. */
  readonly path: string;
  /** Undefined values are omitted. */
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  /** Default `application/json`. */
  readonly accept?: string;
  /** Additional headers of the request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Receives the headers of a successful response. */
  readonly onHeaders?: (headers: IncomingHttpHeaders) => void;
  readonly body?: unknown;
  /** Default `application/json`. */
  readonly contentType?: string;
  /** Limit from the call to the end of the response, including the wait for a free connection. Default 30. */
  readonly timeoutSeconds?: number;
  readonly signal?: AbortSignal;
}

export interface ApiClient {
  /**
   * Returns the parsed response; T is the type in the API server's schema. Throws {@link ApiError}. Requests are not
   * retried (the queue retries a reconciliation, the list-watch its list), with one exception: if the server closed an idle
   * connection, a request that is not a POST is sent again on another connection.
   */
  request<T>(call: Call): Promise<T>;
  /**
   * Delivers the items of a list one by one while they arrive, each with the length of its text, and returns the rest of the
   * list. Only one item at a time is in memory. Each byte restarts the time limit.
   */
  list<T, P>(call: Call, onItem: (item: T, bytes: number) => void): Promise<P>;
  /**
   * Delivers the response line by line until the server ends it; `onOpen` is called when it begins. Throws {@link ApiError} if the request is rejected or the
   * connection breaks, with reason `Timeout` if nothing arrives for `idleSeconds`, and any exception of `onLine`.
   */
  stream(call: Call, idleSeconds: number, onLine: (line: string) => void, onOpen?: () => void): Promise<void>;
  /** Closes all connections. Calls in flight and later calls fail. */
  close(): void;
}

export interface ApiClientOptions {
  readonly credentials: CredentialSource;
  /** `name/version`, as audit logs show it. */
  readonly userAgent: string;
  /** Checked before each write. Default: writes are always allowed. */
  readonly fence?: Fence | undefined;
  /** Called when a request ends. `status` is 0 if no response arrived; `seconds` is the time from the call to the end of the response. */
  readonly onCall?: (method: Call["method"], status: number, seconds: number) => void;
}

const defaultTimeoutSeconds = 30;

/** Returns a client that uses HTTP/1.1 over a few persistent connections. */
export function apiClient(options: ApiClientOptions): ApiClient {
  return new HttpClient(options);
}

class HttpClient implements ApiClient {
  readonly #options: ApiClientOptions;
  #open: { readonly connections: Connections; readonly credentials: Credentials } | undefined;
  #isClosed = false;

  constructor(options: ApiClientOptions) {
    this.#options = options;
  }

  request<T>(call: Call): Promise<T> {
    return this.#counted(call, () => this.#send(call, call.timeoutSeconds ?? defaultTimeoutSeconds));
  }

  list<T, P>(call: Call, onItem: (item: T, bytes: number) => void): Promise<P> {
    let items: ListItems | undefined;
    const splitter = (onPart: (part: string) => void) => {
      const started = new ListItems(onPart);
      items = started;
      return (chunk: Buffer) => started.take(chunk);
    };
    const onLine = (text: string) => onItem(JSON.parse(text), text.length);
    return this.#counted(call, async () => {
      const answer = await this.#send(call, call.timeoutSeconds ?? defaultTimeoutSeconds, { onLine, splitter });
      return { ...answer, body: Buffer.from(items?.frame() ?? "") };
    });
  }

  async stream(call: Call, idleSeconds: number, onLine: (line: string) => void, onOpen?: () => void): Promise<void> {
    await this.#send(call, idleSeconds, { onLine, onOpen });
  }

  close(): void {
    this.#isClosed = true;
    if (this.#open !== undefined) destroy(this.#open.connections);
  }

  async #connect(): Promise<{ connections: Connections; credentials: Credentials }> {
    const credentials = await this.#options.credentials.current();
    if (this.#isClosed) throw new Error("The client is closed.");
    const { server, tls } = credentials;
    const open = this.#open;
    if (open !== undefined && open.credentials.server.href === server.href && sameTls(open.credentials.tls, tls)) {
      return { connections: open.connections, credentials };
    }
    if (open !== undefined) drain(open.connections);
    this.#open = { connections: connections(server.protocol, tls), credentials };
    return this.#open;
  }

  async #send(call: Call, limitSeconds: number, lines?: Lines): Promise<Answer> {
    try {
      const { connections, credentials } = await this.#connect();
      const isWatch = lines !== undefined && lines.splitter === undefined;
      const agent = isWatch ? connections.watches : connections.calls;
      const fence = call.method === "GET" ? undefined : this.#options.fence;
      const outgoing = { ...outgoingOf(call, credentials, this.#options.userAgent, agent, limitSeconds), fence };
      // Each attempt uses one of the persistent connections, so the last attempt has a new one.
      for (let attempts = call.method === "POST" ? 1 : maxCalls + 1; attempts > 0; attempts--) {
        const answer = await exchange(outgoing, lines);
        if (answer === stale) continue;
        if (answer.status >= 300) throw this.#rejected(call, rejectionOf(answer));
        return answer;
      }
      throw new Error("The API server closed the connection.");
    } catch (error) {
      if (error instanceof LineRejected) throw error.cause;
      throw error instanceof ApiError ? error : this.#rejected(call, failureOf(error, limitSeconds));
    }
  }

  #rejected(call: Call, failure: ApiFailure): ApiError {
    if (failure.status === 401 || isUntrustedCertificate(failure)) this.#options.credentials.rejected();
    return new ApiError(call.method, call.path, failure);
  }

  /** Reports the call to `onCall`, whether it succeeds or fails. */
  async #counted(call: Call, exchanged: () => Promise<Answer>): Promise<ReturnType<typeof JSON.parse>> {
    const started = performance.now();
    let status = 0;
    try {
      const answer = await exchanged();
      status = answer.status;
      call.onHeaders?.(answer.headers);
      return parsed(call, answer);
    } catch (error) {
      if (error instanceof ApiError) status = error.status;
      throw error;
    } finally {
      this.#options.onCall?.(call.method, status, (performance.now() - started) / 1000);
    }
  }
}

/** Returns the object at `path`, or undefined if it does not exist. Throws {@link ApiError} for other failures. */
export async function find<T>(client: ApiClient, path: string): Promise<T | undefined> {
  try {
    return await client.request<T>({ method: "GET", path });
  } catch (error) {
    if (isApiError(error, 404)) return undefined;
    throw error;
  }
}

/** Returns `any`, so that {@link ApiClient.request} can return the type that its caller expects. */
function parsed({ method, path }: Call, { body, status }: Answer): ReturnType<typeof JSON.parse> {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    throw new ApiError(method, path, {
      status,
      reason: "NotJson",
      detail: "The response is not JSON: check that the address is that of an API server.",
    });
  }
}

function outgoingOf(
  call: Call,
  { server, headers }: Credentials,
  userAgent: string,
  agent: Connections["calls"],
  limitSeconds: number,
): Outgoing {
  const body = call.body === undefined ? undefined : JSON.stringify(call.body);
  return {
    protocol: server.protocol,
    body,
    signal: call.signal,
    limitSeconds,
    options: {
      agent,
      method: call.method,
      host: server.hostname.replace(/^\[|\]$/g, ""),
      port: server.port || (server.protocol === "http:" ? 80 : 443),
      path: `${server.pathname.replace(/\/$/, "")}${call.path}${queryText(call.query)}`,
      headers: {
        ...headers,
        ...call.headers,
        "User-Agent": userAgent,
        Accept: call.accept ?? "application/json",
        ...(body === undefined
          ? {}
          : { "Content-Type": call.contentType ?? "application/json", "Content-Length": Buffer.byteLength(body) }),
      },
    },
  };
}

function queryText(query: Call["query"]): string {
  if (query === undefined) return "";
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) parameters.set(name, String(value));
  const text = parameters.toString();
  return text === "" ? "" : `?${text}`;
}
