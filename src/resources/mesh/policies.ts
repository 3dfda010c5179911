import { defaults } from "../../api/defaults.ts";
import type { MlflowServer } from "../../api/server.ts";
import type { AuthorizationPolicy, AuthorizationRule } from "../../kube/manifests.ts";
import { servingPort } from "../../model/addresses.ts";
import { externalAddressOf } from "../../model/exposure.ts";
import { type Component, ownedMetadata, podSelector } from "../../model/metadata.ts";
import { objectNames } from "../../model/names.ts";
import { allowMetrics, denyMetrics, exceptMetrics } from "./metrics-rules.ts";

/** Returns the exact principal of a workload: `serviceAccounts` in a policy would match any trust domain. */
function principal({ spec }: MlflowServer, namespace: string, serviceAccount: string): string {
  return `${spec.mesh?.istio.trustDomain ?? defaults.trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
}

/** Returns the principal of the waypoint: Istio names its ServiceAccount after the Gateway. */
function waypointPrincipal(server: MlflowServer): string {
  return principal(server, server.metadata.namespace, objectNames.waypoint(server.metadata.name));
}

/** Returns the principals of the workloads that can write traces. */
function writerPrincipals(server: MlflowServer): string[] {
  const writers = server.spec.traces?.writers ?? [];
  return writers.map(({ namespace, serviceAccount }) => principal(server, namespace, serviceAccount));
}

/** Returns an AuthorizationPolicy for the pods of one component of a server, enforced by ztunnel or by sidecars. */
function policyOfPods(
  server: MlflowServer,
  name: string,
  spec: Pick<AuthorizationPolicy["spec"], "action" | "rules">,
  component: Component = "server",
): AuthorizationPolicy {
  return {
    apiVersion: "security.istio.io/v1",
    kind: "AuthorizationPolicy",
    metadata: ownedMetadata(server, name, component),
    spec: { selector: { matchLabels: podSelector(server, component) }, ...spec },
  };
}

/**
 * Returns the policy that denies all traffic to the pods except from the waypoint and for metrics, so clients cannot bypass it by pod IPs or other Services. A
 * DENY, so no other policy can widen it. It has no paths: ztunnel skips rules with HTTP attributes, which would allow all clients.
 */
export function denyBypass(server: MlflowServer): AuthorizationPolicy {
  const bypass = { from: [{ source: { notPrincipals: [waypointPrincipal(server)] } }] };
  const rules = [exceptMetrics(bypass, server), ...denyMetrics(server)];
  return policyOfPods(server, objectNames.denyBypass(server.metadata.name), { action: "DENY", rules });
}

/** Returns the policy that allows the waypoint, and the metrics, for namespaces with an allow-nothing policy. */
export function allowFromWaypoint(server: MlflowServer): AuthorizationPolicy {
  const rules = [{ from: [{ source: { principals: [waypointPrincipal(server)] } }] }, ...allowMetrics(server)];
  return policyOfPods(server, objectNames.allowFromWaypoint(server.metadata.name), { action: "ALLOW", rules });
}

/**
 * Returns the policy that denies all clients of the listener except the writers. A DENY, so no other policy can widen it; with
 * identities only, so ztunnel and sidecars enforce it in the same way, and no spelling of a path bypasses it. Never without writers: a rule
 * without principals matches all clients.
 */
export function denyNonWriters(server: MlflowServer): AuthorizationPolicy {
  const rules = [{ from: [{ source: { notPrincipals: writerPrincipals(server) } }] }];
  return policyOfPods(server, objectNames.denyNonWriters(server.metadata.name), { action: "DENY", rules }, "traces");
}

/** Returns the policy that allows the writers, for namespaces with an allow-nothing policy. */
export function allowWriters(server: MlflowServer): AuthorizationPolicy {
  const rules = [{ from: [{ source: { principals: writerPrincipals(server) } }] }];
  return policyOfPods(server, objectNames.allowWriters(server.metadata.name), { action: "ALLOW", rules }, "traces");
}

/**
 * Returns the policy for sidecars: only writers can POST traces, and only the serving port and the metrics are allowed. Never
 * for pods in ambient mode: ztunnel drops rules with paths, which would deny all clients.
 */
export function sidecarPolicy(server: MlflowServer): AuthorizationPolicy {
  const rules = tracesRules(server).map(({ to = [], ...rule }) => ({
    ...rule,
    to: to.map(({ operation }) => ({ operation: { ports: [String(servingPort(server))], ...operation } })),
  }));
  return policyOfPods(server, objectNames.sidecarPolicy(server.metadata.name), {
    action: "ALLOW",
    rules: [...rules, ...allowMetrics(server)],
  });
}

/**
 * Returns the policy of the waypoint. It targets the Gateway: a policy on the Service does not apply to other Services that
 * use the same waypoint.
 */
export function tracesPolicy(server: MlflowServer): AuthorizationPolicy {
  const { name } = server.metadata;
  return {
    apiVersion: "security.istio.io/v1",
    kind: "AuthorizationPolicy",
    metadata: ownedMetadata(server, objectNames.tracesPolicy(name), "waypoint"),
    spec: {
      targetRefs: [{ group: "gateway.networking.k8s.io", kind: "Gateway", name: objectNames.waypoint(name) }],
      action: "ALLOW",
      rules: tracesRules(server),
    },
  };
}

/** Returns the ALLOW rules: only writers can POST traces; other paths are open to all clients. All else is denied. */
export function tracesRules(server: MlflowServer): AuthorizationRule[] {
  const prefix = externalAddressOf(server)?.prefix ?? "";
  return [...writerRules(server, prefix), ...otherPaths(prefix)];
}

/** Returns no rule without writers: in Istio a rule without principals matches all clients. */
function writerRules(server: MlflowServer, prefix: string): AuthorizationRule[] {
  const principals = writerPrincipals(server);
  if (principals.length === 0) return [];
  const roots = prefix === "" ? [""] : ["", prefix];
  const paths = roots.flatMap((root) => [`${root}/v1/traces`, `${root}/v1/traces/*`]);
  return [{ from: [{ source: { principals } }], to: [{ operation: { methods: ["POST"], paths } }] }];
}

/**
 * Returns the rules for all other paths. MLflow decodes a path one more time than the mesh (`meshConfig.pathNormalization`), so
 * every path that could decode to `/v1…` is excluded, with and without the prefix, and every path that could decode to
 * the prefix.
 */
function otherPaths(prefix: string): AuthorizationRule[] {
  const bare = v1Patterns("");
  if (prefix === "") return [{ to: [{ operation: { notPaths: bare } }] }];
  const [, first = ""] = prefix.split("/");
  const outside = [`/${first}`, `/${first}/*`, `/${first}%*`, ...encodingsOf(`/${first}`)];
  return [
    { to: [{ operation: { paths: [prefix, `${prefix}/*`], notPaths: v1Patterns(prefix) } }] },
    { to: [{ operation: { notPaths: [...new Set([...bare, ...outside])] } }] },
  ];
}

function v1Patterns(root: string): string[] {
  return [`${root}/v1*`, `${root}//*`, ...encodingsOf("/v1").map((pattern) => `${root}${pattern}`)];
}

/**
 * Returns patterns for every path that differs from `text` but decodes to it: it equals `text` up to its first encoded character,
 * which is a percent sign. The first slash of a path is never encoded.
 */
function encodingsOf(text: string): string[] {
  return Array.from({ length: text.length - 1 }, (_, index) => `${text.slice(0, index + 1)}%*`);
}
