import { isReason } from "../api/reasons.ts";
import type { Cause } from "./finding.ts";

/**
 * What our migration program wrote into the termination message: one line of JSON with `reason` and `message`. Anything
 * else, such as the last lines of another program's log, is not shown: it may quote a password.
 */
export function reportedFailure(message: string | undefined): Cause | undefined {
  if (message === undefined || !message.startsWith("{")) return undefined;
  try {
    const report: unknown = JSON.parse(message);
    if (typeof report !== "object" || report === null) return undefined;
    if (!("reason" in report) || !("message" in report) || typeof report.message !== "string") return undefined;
    if (typeof report.reason !== "string" || !isReason(report.reason)) return undefined;
    return { reason: report.reason, message: report.message.slice(0, 1024) };
  } catch {
    return undefined;
  }
}
