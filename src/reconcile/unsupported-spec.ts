import { type KnownKind, unsupportedFields } from "../api/unsupported-fields.ts";
import type { Cause } from "./finding.ts";

/** How many paths a message names. */
const pathsShown = 5;

/** What of a spec this operator does not know; undefined where it knows everything. Then nothing is built of the spec. */
export function unsupportedSpec(kind: KnownKind, spec: unknown): Cause | undefined {
  return unsupportedCause(kind, unsupportedFields(kind, spec));
}

/** The reason for these paths of a spec; undefined where there are none. */
export function unsupportedCause(kind: KnownKind, paths: readonly string[]): Cause | undefined {
  if (paths.length === 0) return undefined;
  return {
    reason: "UnsupportedField",
    message: `This version of the operator does not support ${listed(paths)}, so it changes nothing for this ${kind}; what runs keeps running. Upgrade the operator and its CustomResourceDefinitions, or correct the spec.`,
  };
}

/** The first of many paths. */
export function listed(paths: readonly string[]): string {
  const more = paths.length > pathsShown ? ` and ${paths.length - pathsShown} more` : "";
  return `${paths.slice(0, pathsShown).join("; ")}${more}`;
}
