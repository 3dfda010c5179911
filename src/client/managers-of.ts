import type { FieldSet, ManagedFields } from "./ownership.ts";

/** The managers, but for one, that own the field at a path such as `.spec.template.spec.containers[0].image`. */
export function managersOf(entries: readonly ManagedFields[], path: string, except: string): string[] {
  const steps = path.split(/\.|(?=\[)/).filter((step) => step !== "");
  const owners = entries.filter(({ manager, fieldsV1 }) => manager !== except && fieldsV1 && owns(fieldsV1, steps));
  return [...new Set(owners.flatMap(({ manager }) => manager ?? []))].sort();
}

/** An item of a list is one of its keyed or valued entries: which one, only the values in the object would tell. */
function owns(fields: FieldSet, [step, ...rest]: readonly string[]): boolean {
  if (step === undefined) return true;
  const names = Object.keys(fields);
  // A leaf above the path: its manager owns all that is below.
  if (names.length === 0) return true;
  const isItem = step.startsWith("[");
  const below = names.filter((name) => (isItem ? /^[kvi]:/.test(name) : name === `f:${step}`));
  return below.some((name) => owns(fields[name] ?? {}, rest));
}
