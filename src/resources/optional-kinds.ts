import type { MlflowServerSpec } from "../api/spec.ts";
import type { Kind } from "../kube/kinds.ts";

/** Whether a server needs an optional kind, which may not be installed in the cluster. */
export function needsKind({ exposure, mesh }: MlflowServerSpec, kind: Kind): boolean {
  if (kind === "HTTPRoute") return exposure?.httpRoute !== undefined;
  // Sidecars have no waypoint.
  return kind === "Gateway" ? mesh?.istio.mode === "Ambient" : mesh !== undefined;
}
