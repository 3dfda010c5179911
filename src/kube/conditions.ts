/** Conditions by the Kubernetes API conventions (metav1.Condition). */
import { excerpt } from "./excerpt.ts";

/** A message can quote names and messages of other programs. The API allows 32768 characters. */
const longestMessage = 2000;

export interface Condition {
  type: string;
  status: "True" | "False" | "Unknown";
  reason: string;
  message: string;
  /** The `metadata.generation` that the condition was set for. */
  observedGeneration: number;
  /** Time at which `status` last changed; RFC 3339. */
  lastTransitionTime: string;
}

/** What a pass reports; when it was first true is not its business. */
export interface Finding extends Pick<Condition, "type" | "status" | "reason" | "message"> {
  /** The generation that it was found of, where this pass has not checked it again. */
  readonly observedGeneration?: number;
}

/**
 * Findings as conditions, in the order given. `lastTransitionTime` moves only when `status` does; conditions of types
 * that the findings do not name are dropped.
 */
export function conditionsOf(
  findings: readonly Finding[],
  before: readonly Condition[],
  observedGeneration: number,
  now: Date,
): Condition[] {
  return findings.map((finding): Condition => {
    const former = before.find((condition) => condition.type === finding.type);
    const lastTransitionTime =
      former !== undefined && former.status === finding.status ? former.lastTransitionTime : timestamp(now);
    const message = excerpt(finding.message, longestMessage);
    return { observedGeneration, ...finding, message, lastTransitionTime };
  });
}

/** RFC 3339 in whole seconds, as metav1.Time serialises. */
export function timestamp(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`;
}
