import type { MlflowServer } from "../../api/server.ts";
import type { AuthorizationPolicy } from "../../kube/manifests.ts";
import { ownedMetadata, podSelector } from "../metadata.ts";

/** A policy that is enforced at the server's pods, by ztunnel or by their sidecars. */
export function policyOfPods(
  server: MlflowServer,
  name: string,
  spec: Pick<AuthorizationPolicy["spec"], "action" | "rules">,
): AuthorizationPolicy {
  return {
    apiVersion: "security.istio.io/v1",
    kind: "AuthorizationPolicy",
    metadata: ownedMetadata(server, name),
    spec: { selector: { matchLabels: podSelector(server) }, ...spec },
  };
}
