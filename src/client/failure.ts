import type { ApiFailure } from "../kube/api-error.ts";
import { excerpt } from "../kube/excerpt.ts";
import { Aborted, type Answer, Fenced, Overdue } from "./exchange.ts";

/** The part of metav1.Status that says why. */
export interface Status {
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly details?: { readonly retryAfterSeconds?: number };
}

/** Longest part of a message of the API server that is quoted: that of a large object's validation can be huge. */
const longestDetail = 1000;

/**
 * A longer Retry-After is cut to this. The API server asks for seconds; a load balancer or a gateway that asks for an hour must not
 * keep a watch closed for as long.
 */
export const longestRetryAfterSeconds = 30;

/** Why the API server refused: what its Status says, or the HTTP status where something else answered in its place. */
export function refusalOf(answer: Answer): ApiFailure {
  const failure = failureOfStatus(statusIn(answer.body), answer.status, answer.statusText);
  const seconds = retryAfterOf(answer.headers["retry-after"], answer.headers.date);
  return seconds === undefined ? failure : { ...failure, retryAfterSeconds: seconds };
}

/** Seconds from a Retry-After header (RFC 9110, 10.2.3: seconds, or a date), measured against the date of the same answer. */
function retryAfterOf(text: string | undefined, answered: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/[a-z]/i.test(text)) return boundedSeconds(Number(text));
  const now = Date.parse(answered ?? "");
  return boundedSeconds((Date.parse(text) - (Number.isNaN(now) ? Date.now() : now)) / 1000);
}

/** Undefined for what is no wait. */
function boundedSeconds(seconds: unknown): number | undefined {
  return typeof seconds === "number" && seconds > 0 ? Math.min(seconds, longestRetryAfterSeconds) : undefined;
}

/** The same of a Status, as an answer or as the ERROR event of a watch has it. */
export function failureOfStatus(status: Status, code = status.code ?? 500, text = "Unknown"): ApiFailure {
  return {
    status: code,
    reason: excerpt(status.reason, 100) || excerpt(text, 100),
    detail: excerpt(status.message, longestDetail) || "The answer has no message.",
    retryAfterSeconds: boundedSeconds(status.details?.retryAfterSeconds),
  };
}

const fenced =
  "This process must not write any more: its Lease may have expired, and another process may write. What it was about to do is left to the leader.";

/** Why there was no answer. */
export function failureOf(error: unknown, limitSeconds: number): ApiFailure {
  if (error instanceof Overdue) return { status: 0, reason: "Timeout", detail: `No answer within ${limitSeconds} s.` };
  if (error instanceof Fenced) return { status: 0, reason: "LeaseExpired", detail: fenced };
  if (error instanceof Aborted) return { status: 0, reason: "Aborted", detail: "The call was given up." };
  const { code, message } = error instanceof Error ? { code: codeOf(error), message: error.message } : {};
  return { status: 0, reason: code ?? "Failed", detail: excerpt(message || String(error), longestDetail) };
}

/** Whether the connection failed because one side does not trust the other, so that other credentials may help. */
export function isDistrust(failure: ApiFailure): boolean {
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
