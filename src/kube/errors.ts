/** The failure of a request to the API server, in a form that log lines and conditions can quote. */
export interface ApiFailure {
  /** HTTP status of the response; 0 if there was none: connection refused or closed, timeout, abort. */
  readonly status: number;
  /** `reason` of the Kubernetes Status (`NotFound`, `Conflict`), or an error code of the client or of Node for status 0. */
  readonly reason: string;
  /** One sentence without the request; never a header, a query or a request body. */
  readonly detail: string;
  /** The Retry-After header of the response, in seconds. */
  readonly retryAfterSeconds?: number | undefined;
}

/** A request that the API server rejected or did not answer. The message contains verb, path, status and reason. */
export class ApiError extends Error implements ApiFailure {
  readonly status: number;
  readonly reason: string;
  readonly detail: string;
  readonly retryAfterSeconds: number | undefined;

  constructor(method: string, path: string, failure: ApiFailure) {
    super(`${method} ${path}: ${failure.status === 0 ? "" : `${failure.status} `}${failure.reason}: ${failure.detail}`);
    this.name = "ApiError";
    this.status = failure.status;
    this.reason = failure.reason;
    this.detail = failure.detail;
    this.retryAfterSeconds = failure.retryAfterSeconds;
  }
}

/** Whether `error` is a response of the API server with this HTTP status, or, for 0, a missing one. */
export function isApiError(error: unknown, status: number): error is ApiError {
  return error instanceof ApiError && error.status === status;
}

/** The message of an error of any type. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
