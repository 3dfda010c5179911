import type { Manifest, Owned } from "../kube/manifests.ts";
import { difference } from "./difference.ts";

/**
 * Whether a binding refers to another role than wanted. The role of a binding is immutable, so it is deleted, and created again when
 * the watch reports the deletion.
 */
export function isOtherRole(live: Owned, manifest: Manifest): boolean {
  return isBinding(live) && isBinding(manifest) && difference(manifest.roleRef, live.roleRef) !== undefined;
}

function isBinding(object: Owned): object is Extract<Owned, { kind: "ClusterRoleBinding" | "RoleBinding" }> {
  return object.kind === "ClusterRoleBinding" || object.kind === "RoleBinding";
}
