import type { MlflowServer } from "../api/server.ts";
import type { Kind } from "../kube/kinds.ts";
import { needsKind } from "../resources/optional-kinds.ts";
import type { Cluster } from "./cluster.ts";

/** Where a server says how far it is with what is made of a kind that clusters may lack. */
const conditions = {
  AuthorizationPolicy: { type: "MeshReady", without: ["IstioMissing", "MeshNotConfigured"] },
  Gateway: { type: "MeshReady", without: ["IstioMissing", "MeshNotConfigured"] },
  HTTPRoute: { type: "Exposed", without: ["GatewayApiMissing"] },
} as const satisfies Partial<Record<Kind, { type: string; without: readonly string[] }>>;

/**
 * A kind that the server has used, and of which the API server has just said that the cluster does not have it. Nothing is known of
 * the server then: to go on would take it out of the mesh, or its route away, because of one answer.
 */
export function unconfirmedKind(
  cluster: Pick<Cluster, "knows">,
  { spec, status, metadata }: MlflowServer,
): Kind | undefined {
  const { namespace = "default" } = metadata;
  return optionalKinds.find((kind) => {
    const { type, without } = conditions[kind];
    const condition = status?.conditions?.find((each) => each.type === type);
    const hasUsedIt = condition !== undefined && !without.some((reason) => reason === condition.reason);
    return hasUsedIt && needsKind(spec, kind) && cluster.knows(kind, namespace) === undefined;
  });
}

const optionalKinds = ["AuthorizationPolicy", "Gateway", "HTTPRoute"] as const;
