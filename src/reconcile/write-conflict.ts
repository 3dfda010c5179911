import { objectText } from "../kube/object.ts";
import type { Contest } from "./cluster.ts";
import { difference } from "./difference.ts";
import type { Facts } from "./facts.ts";
import type { Cause } from "./finding.ts";
import type { Step } from "./plan.ts";

/** Why writes wait, and for how long at most. */
export interface Conflict extends Cause {
  readonly seconds: number;
}

/** The steps that may be made now. What another client changes or deletes again and again is repaired after a pause. */
export function withoutContested(
  groups: readonly (readonly Step[])[],
  { contest }: Pick<Facts, "contest">,
): { readonly allowed: readonly (readonly Step[])[]; readonly conflict?: Conflict } {
  const conflicts: Conflict[] = [];
  const allowed = groups.map((group) =>
    group.filter((step) => {
      const found = contestOf(step, contest);
      if (found !== undefined) conflicts.push(found);
      return found === undefined;
    }),
  );
  const [first] = conflicts;
  if (first === undefined) return { allowed };
  return { allowed, conflict: { ...first, seconds: Math.min(...conflicts.map(({ seconds }) => seconds)) } };
}

export function contestOf(step: Step, contest: Facts["contest"]): Conflict | undefined {
  if (contest === undefined || (step.do !== "apply" && step.do !== "create")) return undefined;
  const { manifest } = step;
  const path = step.do === "create" ? "" : (difference(manifest, step.live) ?? "");
  const found = contest(manifest, path);
  return found && { reason: "WriteConflict", message: messageOf(objectText(manifest), found), seconds: found.seconds };
}

function messageOf(object: string, { path, managers }: Contest): string {
  const who = managers.length === 0 ? "Another client" : `Field manager ${managers.join(", ")}`;
  const what = path === "" ? `repeatedly deletes ${object}` : `repeatedly changes ${path.slice(1)} of ${object}`;
  return `${who} ${what}, so the operator waits longer before each repair. Stop the other client, or exclude the object from it; the operator manages the object.`;
}
