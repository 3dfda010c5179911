import { insteadOf, reservedPrefixes } from "../../src/api/environment.ts";
import { allowedVariables } from "./allowed-variables.ts";

const allowedOfFamilies = new Set(Object.values(reservedPrefixes).flatMap(({ allowed = [] }) => allowed));

/** Variables of new package versions that are neither reserved nor known to be harmless. */
export function undecided(names: readonly string[]): string[] {
  return names.filter(
    (name) => insteadOf(name) === undefined && !allowedOfFamilies.has(name) && !allowedVariables.has(name),
  );
}
