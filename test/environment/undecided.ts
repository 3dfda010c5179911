import { insteadOf, reservedPrefixes } from "../../src/api/environment.ts";
import { allowedVariables } from "./allowed-variables.ts";

const allowedOfFamilies = new Set(Object.values(reservedPrefixes).flatMap(({ allowed = [] }) => allowed));

/** The names that are neither reserved nor known to be harmless: a new version of a package reads them. */
export function undecided(names: readonly string[]): string[] {
  return names.filter(
    (name) => insteadOf(name) === undefined && !allowedOfFamilies.has(name) && !allowedVariables.has(name),
  );
}
