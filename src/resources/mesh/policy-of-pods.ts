import type { MlflowServer } from "../../api/server.ts";
import type { AuthorizationPolicy } from "../../kube/manifests.ts";
import { type Component, ownedMetadata, podSelector } from "../metadata.ts";

/** A policy that is enforced at the pods of one part of a server, by ztunnel or by their sidecars. */
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
