import type { AuthorizationRule } from "../../src/kube/manifests.ts";

/** A request as the waypoint sees it: normalized path without query, and the caller from its certificate. */
export interface PolicyRequest {
  readonly path: string;
  readonly method: string;
  /** `<trust domain>/ns/<namespace>/sa/<name>`; undefined without mTLS. */
  readonly principal?: string;
  /** The port of the pod. By default the one that the rules name. */
  readonly port?: string;
}

/**
 * Evaluates an ALLOW policy as in Istio's documentation (security/authorization-policy): one rule must match; in
 * a rule one `from` and one `to`; in those each field, with one of its values; an absent field matches all; `*` at the end
 * matches any text, and alone any but none.
 */
export function isAllowed(rules: readonly AuthorizationRule[], request: PolicyRequest): boolean {
  return rules.some(({ from, to }) => {
    const { principal, port } = request;
    const namespace = principal?.split("/ns/")[1]?.split("/")[0];
    const isFrom =
      from === undefined ||
      from.some(
        ({ source }) =>
          matchesAny(source.principals, principal) &&
          matchesAny(source.namespaces, namespace) &&
          matchesNone(source.notPrincipals, principal) &&
          matchesNone(source.notNamespaces, namespace),
      );
    const isTo =
      to === undefined ||
      to.some(
        ({ operation: { methods, paths, notPaths, ports, notPorts } }) =>
          matchesAny(methods, request.method) &&
          matchesAny(paths, request.path) &&
          matchesNone(notPaths, request.path) &&
          (port === undefined || (matchesAny(ports, port) && matchesNone(notPorts, port))),
      );
    return isFrom && isTo;
  });
}

function matchesAny(patterns: readonly string[] | undefined, value: string | undefined): boolean {
  if (patterns === undefined) return true;
  return value !== undefined && patterns.some((pattern) => matchesPattern(value, pattern));
}

function matchesNone(patterns: readonly string[] | undefined, value: string | undefined): boolean {
  return patterns === undefined || !matchesAny(patterns, value);
}

function matchesPattern(value: string, pattern: string): boolean {
  return pattern.endsWith("*") ? value.startsWith(pattern.slice(0, -1)) : value === pattern;
}
