import type { ApiFailure } from "../errors.ts";
import { excerpt } from "../excerpt.ts";
import { Aborted, type Answer, Fenced, Overdue } from "./exchange.ts";

/** The fields of metav1.Status that describe a failure. */
export interface Status {
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly details?: { readonly retryAfterSeconds?: number };
}

/** Messages of the API server are truncated to this length: validation messages of large objects can be huge. */
const longestDetail = 1000;

/**
 * Maximum of a Retry-After. The API server sends seconds; a load balancer or gateway that sends an hour must not
 * keep a watch closed for that long.
 */
export const longestRetryAfterSeconds = 30;

/** Returns the failure in the Status of the API server, or in the HTTP status if a proxy answered instead. */
export function rejectionOf(answer: Answer): ApiFailure {
  const failure = failureOfStatus(statusIn(answer.body), answer.status, answer.statusText);
  const seconds = retryAfterOf(answer.headers["retry-after"], answer.headers.date);
  return seconds === undefined ? failure : { ...failure, retryAfterSeconds: seconds };
}

/** Returns the seconds of a Retry-After header (RFC 9110, 10.2.3: seconds or a date), relative to the date of the response. */
function retryAfterOf(text: string | undefined, answered: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/[a-z]/i.test(text)) return boundedSeconds(Number(text));
  const now = Date.parse(answered ?? "");
  return boundedSeconds((Date.parse(text) - (Number.isNaN(now) ? Date.now() : now)) / 1000);
}

/** Undefined if it is not a positive number. */
function boundedSeconds(seconds: unknown): number | undefined {
  return typeof seconds === "number" && seconds > 0 ? Math.min(seconds, longestRetryAfterSeconds) : undefined;
}

/** Returns the failure in a Status, from a response or from an ERROR event of a watch. */
export function failureOfStatus(status: Status, code = status.code ?? 500, text = "Unknown"): ApiFailure {
  return {
    status: code,
    reason: excerpt(status.reason, 100) || excerpt(text, 100),
    detail: excerpt(status.message, longestDetail) || "The answer has no message.",
    retryAfterSeconds: boundedSeconds(status.details?.retryAfterSeconds),
  };
}

const fenced =
  "The Lease of this process may have expired, so it must not write: another process may be the leader. The leader will do this write.";

/** Returns the failure of a request without a response. */
export function failureOf(error: unknown, limitSeconds: number): ApiFailure {
  if (error instanceof Overdue) return { status: 0, reason: "Timeout", detail: `No answer within ${limitSeconds} s.` };
  if (error instanceof Fenced) return { status: 0, reason: "LeaseExpired", detail: fenced };
  if (error instanceof Aborted) return { status: 0, reason: "Aborted", detail: "The request was aborted." };
  const { code, message } = error instanceof Error ? { code: codeOf(error), message: error.message } : {};
  return { status: 0, reason: code ?? "Failed", detail: excerpt(message || String(error), longestDetail) };
}

/** Whether TLS verification failed, so that new credentials can help. */
export function isUntrustedCertificate(failure: ApiFailure): boolean {
  return /^(ERR_TLS_|ERR_SSL_|UNABLE_TO_|CERT_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_CA)/.test(failure.reason);
}

function codeOf(error: Error): string | undefined {
  return "code" in error && typeof error.code === "string" ? error.code : undefined;
}

function statusIn(body: Buffer): Status {
  try {
    const parsed: unknown = JSON.parse(body.toString("utf8"));
    return typeof parsed === "object" && parsed !== null ? parsed : {};
  } catch {
    return {};
  }
}
