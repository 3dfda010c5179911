import { isReason } from "../api/reasons.ts";
import { excerpt } from "../kube/excerpt.ts";
import type { Cause } from "./finding.ts";

/** The kubelet keeps at most 4,096 bytes of a termination message; a longer one is not the kubelet's. */
const longestReport = 8192;

/**
 * What our migration program wrote into the termination message: one line of JSON with `reason` and `message`. Anything
 * else, such as the last lines of another program's log, is not shown: it may quote a password.
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
