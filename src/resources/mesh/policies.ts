import type { AuthorizationPolicy } from "../../kube/manifests.ts";
import type { MeshSubject } from "../../model/mesh-settings.ts";
import { type Component, ownedMetadata, podSelector } from "../../model/metadata.ts";
import { tracesRules } from "./traces-rules.ts";

/**
 * Returns the policy of the waypoint. It targets the Gateway: a policy on the Service does not apply to other Services that
 * use the same waypoint.
 */
export function tracesPolicy(subject: MeshSubject): AuthorizationPolicy {
  const { owner, names } = subject;
  return {
    apiVersion: "security.istio.io/v1",
    kind: "AuthorizationPolicy",
    metadata: ownedMetadata(owner, names.tracesPolicy, "waypoint"),
    spec: {
      targetRefs: [{ group: "gateway.networking.k8s.io", kind: "Gateway", name: names.waypoint }],
      action: "ALLOW",
      rules: tracesRules(subject),
    },
  };
}

/**
 * Returns the policy that denies all traffic to the pods except from the waypoint, so pod IPs and other Services are no bypass. A
 * DENY, so no other policy can widen it. It has no paths: ztunnel skips rules with HTTP attributes, which would allow all clients.
 */
export function denyBypass(subject: MeshSubject): AuthorizationPolicy {
  const rules = [{ from: [{ source: { notPrincipals: [subject.mesh.waypointPrincipal] } }] }];
  return policyOfPods(subject, subject.names.denyBypass, { action: "DENY", rules });
}

/** Returns the policy that allows the waypoint, for namespaces with an allow-nothing policy. */
export function allowFromWaypoint(subject: MeshSubject): AuthorizationPolicy {
  const rules = [{ from: [{ source: { principals: [subject.mesh.waypointPrincipal] } }] }];
  return policyOfPods(subject, subject.names.allowFromWaypoint, { action: "ALLOW", rules });
}

/**
 * Returns the policy for sidecars: only writers can POST traces, and only the serving port is allowed. Never
 * for pods in ambient mode: ztunnel drops rules with paths, which would deny all clients.
 */
export function sidecarPolicy(subject: MeshSubject): AuthorizationPolicy {
  const rules = tracesRules(subject).map(({ to = [], ...rule }) => ({
    ...rule,
    to: to.map(({ operation }) => ({ operation: { ports: [String(subject.servingPort)], ...operation } })),
  }));
  return policyOfPods(subject, subject.names.sidecarPolicy, { action: "ALLOW", rules });
}

/**
 * Returns the policy that denies all clients of the listener except the writers. A DENY, so no other policy can widen it; with
 * identities only, so ztunnel and sidecars enforce it in the same way, and no path trick bypasses it. Never without writers: a rule
 * without principals matches all clients.
 */
export function denyNonWriters(subject: MeshSubject): AuthorizationPolicy {
  const rules = [{ from: [{ source: { notPrincipals: subject.mesh.writerPrincipals } }] }];
  return policyOfPods(subject, subject.names.denyNonWriters, { action: "DENY", rules }, "traces");
}

/** Returns the policy that allows the writers, for namespaces with an allow-nothing policy. */
export function allowWriters(subject: MeshSubject): AuthorizationPolicy {
  const rules = [{ from: [{ source: { principals: subject.mesh.writerPrincipals } }] }];
  return policyOfPods(subject, subject.names.allowWriters, { action: "ALLOW", rules }, "traces");
}

/** Returns an AuthorizationPolicy for the pods of one component of a server, enforced by ztunnel or by sidecars. */
function policyOfPods(
  { owner }: MeshSubject,
  name: string,
  spec: Pick<AuthorizationPolicy["spec"], "action" | "rules">,
  component: Component = "server",
): AuthorizationPolicy {
  return {
    apiVersion: "security.istio.io/v1",
    kind: "AuthorizationPolicy",
    metadata: ownedMetadata(owner, name, component),
    spec: { selector: { matchLabels: podSelector(owner, component) }, ...spec },
  };
}
