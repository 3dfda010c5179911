import type { MlflowServer } from "../../api/server.ts";
import type { AuthorizationPolicy } from "../../kube/manifests.ts";
import { objectNames } from "../names.ts";
import { servingPort } from "../serving-port.ts";
import { policyOfPods } from "./policy-of-pods.ts";
import { tracesRules } from "./traces-rules.ts";

/**
 * Only writers POST traces, as each pod's own sidecar sees it: by the port of the door, and by no other port anything. Never
 * for pods in ambient mode: ztunnel would drop what it says of paths, and let nobody in.
 */
export function sidecarPolicy(server: MlflowServer): AuthorizationPolicy {
  const rules = tracesRules(server).map(({ to = [], ...rule }) => ({
    ...rule,
    to: to.map(({ operation }) => ({ operation: { ports: [String(servingPort(server))], ...operation } })),
  }));
  return policyOfPods(server, objectNames.sidecarPolicy(server.metadata.name), { action: "ALLOW", rules });
}
