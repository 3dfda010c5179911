import type { MlflowServer } from "../../api/server.ts";
import type { AuthorizationPolicy } from "../../kube/manifests.ts";
import { policyOfPods } from "../mesh/policy-of-pods.ts";
import { writerPrincipals } from "../mesh/principals.ts";
import { objectNames } from "../names.ts";

/**
 * The listener answers the writers and nobody else. A DENY, so no other policy can widen it; of identities alone, so it means
 * the same to ztunnel and to a sidecar, and no way to write a path gets round it. Never without writers: a rule without
 * principals is one for everybody.
 */
export function denyNonWriters(server: MlflowServer): AuthorizationPolicy {
  const rules = [{ from: [{ source: { notPrincipals: writerPrincipals(server) } }] }];
  return policyOfPods(server, objectNames.denyNonWriters(server.metadata.name), { action: "DENY", rules }, "traces");
}

/** Lets the writers in where a policy of the namespace allows nothing. */
export function allowWriters(server: MlflowServer): AuthorizationPolicy {
  const rules = [{ from: [{ source: { principals: writerPrincipals(server) } }] }];
  return policyOfPods(server, objectNames.allowWriters(server.metadata.name), { action: "ALLOW", rules }, "traces");
}
