import type { AuthorizationRule } from "../../src/kube/manifests.ts";

/**
 * An ALLOW policy of Istio as an RBAC filter of Envoy, by Istio's documented semantics (security/authorization-policy) and in the form
 * of istiod's builder: a principal is the URI of the client's certificate, a path has no query, a trailing `*` matches any
 * text; ports are those of the container, which `portOf` maps in the test. Translated here; that istiod does the same is not tested.
 */
export function rbacFilter(rules: readonly AuthorizationRule[], portOf: (port: string) => number = Number) {
  const policies = Object.fromEntries(
    rules.map(({ from, to }, index) => [
      `rule-${index}`,
      {
        principals: from?.map(({ source }) => ({ or_ids: { ids: source.principals?.map(principal) ?? [] } })) ?? [
          { any: true },
        ],
        permissions: to?.map(({ operation }) => ({ and_rules: { rules: permissions(operation, portOf) } })) ?? [
          { any: true },
        ],
      },
    ]),
  );
  return {
    name: "envoy.filters.http.rbac",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
      rules: { action: "ALLOW", policies },
    },
  };
}

type Operation = NonNullable<AuthorizationRule["to"]>[number]["operation"];

function permissions({ ports, methods, paths, notPaths }: Operation, portOf: (port: string) => number) {
  const method = (exact: string) => ({ header: { name: ":method", string_match: { exact } } });
  return [
    ...(ports === undefined
      ? []
      : [{ or_rules: { rules: ports.map((port) => ({ destination_port: portOf(port) })) } }]),
    ...(methods === undefined ? [] : [{ or_rules: { rules: methods.map(method) } }]),
    ...(paths === undefined ? [] : [{ or_rules: { rules: paths.map(path) } }]),
    ...(notPaths === undefined ? [] : [{ not_rule: { or_rules: { rules: notPaths.map(path) } } }]),
  ];
}

function principal(exact: string) {
  return { authenticated: { principal_name: { exact: `spiffe://${exact}` } } };
}

function path(pattern: string) {
  const match = pattern.endsWith("*") ? { prefix: pattern.slice(0, -1) } : { exact: pattern };
  return { url_path: { path: match } };
}
