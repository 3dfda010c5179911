import { isReason } from "../api/reasons.ts";
import { excerpt } from "../kube/excerpt.ts";
import type { Cause } from "./cause.ts";

/** The kubelet keeps at most 4,096 bytes of a termination message. */
const longestReport = 8192;

/**
 * The cause in the termination message of the operator's migration program: one line of JSON with `reason` and `message`. Other
 * text, such as the last lines of another program's log, is not shown: it may contain a password.
 */
export function reportedFailure(message: string | undefined): Cause | undefined {
  if (message === undefined || message.length > longestReport || !message.startsWith("{")) return undefined;
  try {
    const report: unknown = JSON.parse(message);
    if (typeof report !== "object" || report === null) return undefined;
    if (!("reason" in report) || !("message" in report) || typeof report.message !== "string") return undefined;
    if (typeof report.reason !== "string" || !isReason(report.reason)) return undefined;
    return { reason: report.reason, message: excerpt(report.message, 1024) };
  } catch {
    return undefined;
  }
}
