import type { Manifest, Owned } from "../kube/manifests.ts";
import { difference } from "./difference.ts";

/**
 * Whether a binding is to another role than it shall be. Its role is never changed, and its subjects must never become ours: it
 * goes, and is written anew when its end has been told.
 */
export function isOtherRole(live: Owned, manifest: Manifest): boolean {
  return isBinding(live) && isBinding(manifest) && difference(manifest.roleRef, live.roleRef) !== undefined;
}

function isBinding(object: Owned): object is Extract<Owned, { kind: "ClusterRoleBinding" | "RoleBinding" }> {
  return object.kind === "ClusterRoleBinding" || object.kind === "RoleBinding";
}
