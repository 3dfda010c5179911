import type { MlflowServerSpec } from "../api/spec.ts";
import type { Kind } from "../kube/kinds.ts";

/** Whether a server has objects of a kind that clusters may lack. */
export function needsKind({ exposure, mesh }: MlflowServerSpec, kind: Kind): boolean {
  if (kind === "HTTPRoute") return exposure?.httpRoute !== undefined;
  // Sidecars have no waypoint.
  return kind === "Gateway" ? mesh?.istio.mode === "Ambient" : mesh !== undefined;
}
