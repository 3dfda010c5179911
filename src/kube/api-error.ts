/** What a call of the API server can fail with, told so that a log line or a condition may quote it. */
export interface ApiFailure {
  /** HTTP status of the answer; 0 where there was none: refused, cut, timed out, aborted. */
  readonly status: number;
  /** `reason` of the Kubernetes Status (`NotFound`, `Conflict`), or a code of ours or of Node's for status 0. */
  readonly reason: string;
  /** One sentence without the call; never a header, a query or a body that we sent. */
  readonly detail: string;
  /** How long the API server asks to be left alone, in seconds. */
  readonly retryAfterSeconds?: number | undefined;
}

/** A call that the API server refused or did not answer. The message names verb, path, status and reason. */
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

/** Whether `error` is an answer of the API server (or its absence) with this HTTP status. */
export function isApiError(error: unknown, status: number): error is ApiError {
  return error instanceof ApiError && error.status === status;
}
