import type { MlflowServer } from "../../api/server.ts";
import type { AuthorizationPolicy } from "../../kube/manifests.ts";
import { type Component, ownedMetadata, podSelector } from "../../model/metadata.ts";

/** Returns an AuthorizationPolicy for the pods of one component of a server, enforced by ztunnel or by sidecars. */
export function policyOfPods(
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
