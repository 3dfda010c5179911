import type { MlflowServer } from "../../api/server.ts";
import type { AuthorizationPolicy } from "../../kube/manifests.ts";
import { servingPort } from "../../model/addresses.ts";
import { objectNames } from "../../model/names.ts";
import { policyOfPods } from "./policy-of-pods.ts";
import { tracesRules } from "./traces-rules.ts";

/**
 * Returns the policy for sidecars: only writers can POST traces, and only the serving port is allowed. Never
 * for pods in ambient mode: ztunnel drops rules with paths, which would deny all clients.
 */
export function sidecarPolicy(server: MlflowServer): AuthorizationPolicy {
  const rules = tracesRules(server).map(({ to = [], ...rule }) => ({
    ...rule,
    to: to.map(({ operation }) => ({ operation: { ports: [String(servingPort(server))], ...operation } })),
  }));
  return policyOfPods(server, objectNames.sidecarPolicy(server.metadata.name), { action: "ALLOW", rules });
}
