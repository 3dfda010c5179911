/** A request through {@link startFaultProxy}. */
export interface ProxiedRequest {
  /** Number of the request, from 1. */
  readonly number: number;
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** Whether the response is a stream of events. */
  readonly watch: boolean;
  readonly user: string;
  readonly userAgent: string;
}

/**
 * When a fault is injected: before the request reaches the API server; after the API server has processed the request and before
 * the client gets the response; or within the response.
 */
export type When = "request" | "response" | { readonly afterBytes: number } | { readonly afterEvents: number };

export type Fault =
  /** The connection is destroyed. */
  | { readonly kind: "cut"; readonly at?: When }
  /** No more data is sent and the connection stays open, as after a crash of the remote machine. */
  | { readonly kind: "hang"; readonly at?: When }
  /** The response ends without an error: how the API server ends a watch. */
  | { readonly kind: "end"; readonly at: Exclude<When, string> }
  /**
   * An ERROR event in a watch, which then ends. Default: code 410 before the first event. `isWhole`: the request does not reach the API server, and
   * headers, event and end arrive together, as from a buffering proxy.
   */
  | {
      readonly kind: "error-event";
      readonly code?: number;
      readonly at?: Exclude<When, string>;
      readonly isWhole?: true;
    }
  /** The proxy responds with a Status; the request does not reach the API server. */
  | { readonly kind: "status"; readonly code: number; readonly retryAfterSeconds?: number; readonly message?: string }
  | { readonly kind: "delay"; readonly milliseconds: number; readonly at?: "request" | "response" }
  /**
   * Runs and awaits a function of the test, for example to kill the client. If it returns "cut", the connection is destroyed
   * and the request or response is not forwarded. Return "cut" after killing a client at "request", because detecting its
   * end is a race.
   */
  | { readonly kind: "run"; readonly at: "request" | "response"; readonly run: (request: ProxiedRequest) => unknown };

export interface FaultRule {
  /** Default: every request. */
  readonly when?: (request: ProxiedRequest) => boolean;
  readonly fault: Fault;
  /** Applies only to the nth request that matches `when`, counted from 1. Default: each. */
  readonly nth?: number;
  /** Maximum number of requests to which it applies. */
  readonly times?: number;
}

const reasons: Readonly<Record<number, string>> = {
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  409: "Conflict",
  410: "Expired",
  429: "TooManyRequests",
  500: "InternalError",
  503: "ServiceUnavailable",
  504: "Timeout",
};

/** Returns the line of an ERROR event. Default: the resource version is too old. */
export function errorEvent(code = 410): string {
  return `${JSON.stringify({ type: "ERROR", object: failureStatus(code, "too old resource version: injected by the test") })}\n`;
}

/** Returns the body of a failed request (`v1` Status). */
export function failureStatus(code: number, message = "injected by the test", retryAfterSeconds?: number): object {
  return {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message,
    reason: reasons[code] ?? "",
    ...(retryAfterSeconds !== undefined && { details: { retryAfterSeconds } }),
    code,
  };
}
