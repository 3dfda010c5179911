import type { AuthorizationRule } from "../../src/kube/manifests.ts";

/** A request as the waypoint sees it: normalized path without query, and the caller from its certificate. */
export interface PolicyRequest {
  readonly path: string;
  readonly method: string;
  /** `<trust domain>/ns/<namespace>/sa/<name>`; undefined without mTLS. */
  readonly principal?: string;
}

/**
 * Evaluates an ALLOW policy as in Istio's documentation (security/authorization-policy): one rule must match; in
 * a rule one `from` and one `to`; in those each field, with one of its values; an absent field matches all; `*` at the end
 * matches any text.
 */
export function isAllowed(rules: readonly AuthorizationRule[], request: PolicyRequest): boolean {
  return rules.some(({ from, to }) => {
    const isFrom = from === undefined || from.some(({ source }) => matchesAny(source.principals, request.principal));
    const isTo =
      to === undefined ||
      to.some(
        ({ operation: { methods, paths, notPaths } }) =>
          matchesAny(methods, request.method) &&
          matchesAny(paths, request.path) &&
          (notPaths === undefined || !matchesAny(notPaths, request.path)),
      );
    return isFrom && isTo;
  });
}

function matchesAny(patterns: readonly string[] | undefined, value: string | undefined): boolean {
  if (patterns === undefined) return true;
  return value !== undefined && patterns.some((pattern) => matchesPattern(value, pattern));
}

function matchesPattern(value: string, pattern: string): boolean {
  return pattern.endsWith("*") ? value.startsWith(pattern.slice(0, -1)) : value === pattern;
}
