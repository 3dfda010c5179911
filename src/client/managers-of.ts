import type { FieldSet, ManagedFields } from "./ownership.ts";

/** Returns the field managers, except one, that own the field at a path such as `.spec.template.spec.containers[0].image`. */
export function managersOf(entries: readonly ManagedFields[], path: string, except: string): string[] {
  const steps = path.split(/\.|(?=\[)/).filter((step) => step !== "");
  const owners = entries.filter(({ manager, fieldsV1 }) => manager !== except && fieldsV1 && owns(fieldsV1, steps));
  return [...new Set(owners.flatMap(({ manager }) => manager ?? []))].sort();
}

/** An item of a list matches each keyed or valued entry, since the path has only its index. */
function owns(fields: FieldSet, [step, ...rest]: readonly string[]): boolean {
  if (step === undefined) return true;
  const names = Object.keys(fields);
  // A leaf above the path: its manager owns all fields below it.
  if (names.length === 0) return true;
  const isItem = step.startsWith("[");
  const below = names.filter((name) => (isItem ? /^[kvi]:/.test(name) : name === `f:${step}`));
  return below.some((name) => owns(fields[name] ?? {}, rest));
}
