import { objectText } from "../kube/object.ts";
import type { Cause } from "./cause.ts";
import type { RepeatedConflict } from "./cluster.ts";
import { difference } from "./difference.ts";
import type { ObservedState } from "./observed-state.ts";
import type { Step } from "./step.ts";

/** Why writes wait, and for how many seconds at most. */
export interface WriteConflict extends Cause {
  readonly seconds: number;
}

/** The steps that can be executed now. Objects that another client repeatedly changes or deletes are repaired after a pause. */
export function withoutConflicts(
  groups: readonly (readonly Step[])[],
  { repeatedConflict }: Pick<ObservedState, "repeatedConflict">,
): { readonly allowed: readonly (readonly Step[])[]; readonly conflict?: WriteConflict } {
  const conflicts: WriteConflict[] = [];
  const allowed = groups.map((group) =>
    group.filter((step) => {
      const found = writeConflictOf(step, repeatedConflict);
      if (found !== undefined) conflicts.push(found);
      return found === undefined;
    }),
  );
  const [first] = conflicts;
  if (first === undefined) return { allowed };
  return { allowed, conflict: { ...first, seconds: Math.min(...conflicts.map(({ seconds }) => seconds)) } };
}

export function writeConflictOf(
  step: Step,
  repeatedConflict: ObservedState["repeatedConflict"],
): WriteConflict | undefined {
  if (repeatedConflict === undefined || (step.do !== "apply" && step.do !== "create")) return undefined;
  const { manifest } = step;
  const path = step.do === "create" ? "" : (difference(manifest, step.live) ?? "");
  const found = repeatedConflict(manifest, path);
  return found && { reason: "WriteConflict", message: messageOf(objectText(manifest), found), seconds: found.seconds };
}

function messageOf(object: string, { path, managers }: RepeatedConflict): string {
  const who = managers.length === 0 ? "Another client" : `Field manager ${managers.join(", ")}`;
  const what = path === "" ? `repeatedly deletes ${object}` : `repeatedly changes ${path.slice(1)} of ${object}`;
  return `${who} ${what}, so the operator waits longer before each repair. Stop the other client, or exclude the object from it; the operator manages the object.`;
}
