import type { MlflowServer } from "../api/server.ts";
import type { MlflowServerSpec } from "../api/spec.ts";
import type { Kind } from "../kube/kinds.ts";
import type { Cluster } from "./cluster.ts";

/** The condition about objects of an optional kind, and the reasons that it has without the kind. */
const conditions = {
  AuthorizationPolicy: { type: "MeshReady", without: ["IstioMissing", "MeshNotConfigured"] },
  Gateway: { type: "MeshReady", without: ["IstioMissing", "MeshNotConfigured"] },
  HTTPRoute: { type: "Exposed", without: ["GatewayApiMissing"] },
} as const satisfies Partial<Record<Kind, { type: string; without: readonly string[] }>>;

/**
 * A kind that the server has used and that the API server has recently reported as missing, or undefined. The reconciliation must wait then:
 * because of one answer, it would remove the server from the mesh, or its route.
 */
export function unconfirmedKind(
  cluster: Pick<Cluster, "knows">,
  { spec, status, metadata }: MlflowServer,
): Kind | undefined {
  const { namespace } = metadata;
  return optionalKinds.find((kind) => {
    const { type, without } = conditions[kind];
    const condition = status?.conditions?.find((each) => each.type === type);
    const hasUsedKind = condition !== undefined && !without.some((reason) => reason === condition.reason);
    return hasUsedKind && needsKind(spec, kind) && cluster.knows(kind, namespace) === undefined;
  });
}

const optionalKinds = ["AuthorizationPolicy", "Gateway", "HTTPRoute"] as const;

/** Whether a server needs an optional kind, which may not be installed in the cluster. */
export function needsKind({ exposure, mesh }: MlflowServerSpec, kind: Kind): boolean {
  if (kind === "HTTPRoute") return exposure?.httpRoute !== undefined;
  // Sidecars have no waypoint.
  return kind === "Gateway" ? mesh?.istio.mode === "Ambient" : mesh !== undefined;
}
