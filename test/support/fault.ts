/** What a {@link startFaultProxy} saw of a request. */
export interface ProxiedRequest {
  /** Counted from 1 over the proxy's life. */
  readonly number: number;
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** Whether the answer is a stream of events. */
  readonly watch: boolean;
  readonly user: string;
  readonly userAgent: string;
}

/**
 * When in the life of a request a fault strikes: before the API server has seen it; when the API server has answered and
 * the client has not (what it asked for is done, and it does not know); or within the answer.
 */
export type When = "request" | "response" | { readonly afterBytes: number } | { readonly afterEvents: number };

export type Fault =
  /** The connection is destroyed. */
  | { readonly kind: "cut"; readonly at?: When }
  /** Nothing more comes, and the connection stays open: as when the other end's machine is gone. */
  | { readonly kind: "hang"; readonly at?: When }
  /** The answer ends properly, too early: how the API server ends a watch. */
  | { readonly kind: "end"; readonly at: Exclude<When, string> }
  /**
   * An ERROR event in a watch, which then ends. Default code 410, before the first event. `isWhole`: the API server sees nothing, and
   * head, event and end come at once, as a proxy sends them that holds answers back until they are complete.
   */
  | {
      readonly kind: "error-event";
      readonly code?: number;
      readonly at?: Exclude<When, string>;
      readonly isWhole?: true;
    }
  /** The proxy answers with a Status object and the API server sees nothing. */
  | { readonly kind: "status"; readonly code: number; readonly retryAfterSeconds?: number; readonly message?: string }
  | { readonly kind: "delay"; readonly milliseconds: number; readonly at?: "request" | "response" }
  /**
   * Something of the test's own, awaited, such as killing the client. If it gives "cut", the connection is destroyed
   * and the request or answer goes no further: say so after killing a client at "request", for whether its end would
   * be noticed in time is a race.
   */
  | { readonly kind: "run"; readonly at: "request" | "response"; readonly run: (request: ProxiedRequest) => unknown };

export interface FaultRule {
  /** Default: every request. */
  readonly when?: (request: ProxiedRequest) => boolean;
  readonly fault: Fault;
  /** Strikes only the nth request that `when` picks, counted from 1 when the rule is set; default: each. */
  readonly nth?: number;
  /** Strikes this many and then no more. */
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

/** The line of a watch that says that its position is too old, or what else `code` says. */
export function errorEvent(code = 410): string {
  return `${JSON.stringify({ type: "ERROR", object: failureStatus(code, "too old resource version: injected by the test") })}\n`;
}

/** The body of a failure as the API server gives it (`v1` Status). */
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
