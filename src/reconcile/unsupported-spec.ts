import { type KnownKind, unsupportedFields } from "../api/unsupported-fields.ts";
import type { Cause } from "./cause.ts";

/** The maximum number of paths that a message lists. */
const pathsShown = 5;

/** The cause if a spec has fields that this operator does not support, or undefined. Such a spec is not applied. */
export function unsupportedSpec(kind: KnownKind, spec: unknown): Cause | undefined {
  return unsupportedCause(kind, unsupportedFields(kind, spec));
}

/** The cause for these unsupported paths of a spec; undefined if there are none. */
export function unsupportedCause(kind: KnownKind, paths: readonly string[]): Cause | undefined {
  if (paths.length === 0) return undefined;
  return {
    reason: "UnsupportedField",
    message: `This version of the operator does not support ${listed(paths)}, so it changes nothing for this ${kind}; what runs keeps running. Upgrade the operator and its CustomResourceDefinitions, or correct the spec.`,
  };
}

/** The first paths, and the number of the others. */
export function listed(paths: readonly string[]): string {
  const more = paths.length > pathsShown ? ` and ${paths.length - pathsShown} more` : "";
  return `${paths.slice(0, pathsShown).join("; ")}${more}`;
}
