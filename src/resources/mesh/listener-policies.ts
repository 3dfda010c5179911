import type { MlflowServer } from "../../api/server.ts";
import type { AuthorizationPolicy } from "../../kube/manifests.ts";
import { objectNames } from "../../model/names.ts";
import { policyOfPods } from "./policy-of-pods.ts";
import { writerPrincipals } from "./principals.ts";

/**
 * Returns the policy that denies all clients of the listener except the writers. A DENY, so no other policy can widen it; with
 * identities only, so ztunnel and sidecars enforce it in the same way, and no path trick bypasses it. Never without writers: a rule
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
