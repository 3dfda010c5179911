import type { AuthorizationRule } from "../../src/kube/manifests.ts";

/** A request as the waypoint sees it: the path normalised and without its query, the caller by its certificate. */
export interface Ask {
  readonly path: string;
  readonly method: string;
  /** `<trust domain>/ns/<namespace>/sa/<name>`; absent in the clear. */
  readonly principal?: string;
}

/**
 * What an ALLOW policy of these rules means by Istio's documentation (security/authorization-policy): one rule is enough; in
 * a rule one `from` and one `to`; in those every field, of which one value; an absent field is met by all; `*` at the end
 * is any text.
 */
export function isAllowed(rules: readonly AuthorizationRule[], ask: Ask): boolean {
  return rules.some(({ from, to }) => {
    const isFrom = from === undefined || from.some(({ source }) => isOne(source.principals, ask.principal));
    const isTo =
      to === undefined ||
      to.some(
        ({ operation: { methods, paths, notPaths } }) =>
          isOne(methods, ask.method) &&
          isOne(paths, ask.path) &&
          (notPaths === undefined || !isOne(notPaths, ask.path)),
      );
    return isFrom && isTo;
  });
}

function isOne(patterns: readonly string[] | undefined, value: string | undefined): boolean {
  if (patterns === undefined) return true;
  return value !== undefined && patterns.some((pattern) => isLike(value, pattern));
}

function isLike(value: string, pattern: string): boolean {
  return pattern.endsWith("*") ? value.startsWith(pattern.slice(0, -1)) : value === pattern;
}
