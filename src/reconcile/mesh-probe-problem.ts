import type { Cause } from "./cause.ts";
import { listenerOf, type MeshView } from "./mesh-view.ts";
import { isDenied } from "./probe-results.ts";

/**
 * Why the mesh does not enforce its policies, or undefined. Istio's conditions stay True even if nothing is enforced. So the operator, which
 * is not a writer, sends requests that the mesh must deny: an answer shows that the policies are not enforced. This is the last
 * check, because a denial proves little if the server is not in the mesh. A timeout proves nothing.
 */
export function probeProblem(view: MeshView): Cause | undefined {
  const probes = view.probes();
  if (probes === undefined) {
    return wasEnforced(view)
      ? undefined
      : { reason: "MeshProgressing", message: "Checking that the mesh enforces its policies." };
  }
  const { notDenied } = probes;
  const [first] = notDenied;
  if (first === undefined) return undefined;
  const more = notDenied.length > 1 ? ` (and ${notDenied.length - 1} more)` : "";
  return {
    reason: "MeshNotEnforced",
    message: `The mesh did not deny a request of the operator, which is not a writer, so other clients may write traces: ${first}${more}. Check that ztunnel or the pods' sidecars enforce AuthorizationPolicies, and that the operator does not use hostNetwork`,
  };
}

/** After a restart of the operator, the previous result stays valid until the first probe. */
function wasEnforced(view: MeshView): boolean {
  const { owned, server } = view;
  const before = server.status?.conditions?.find(({ type }) => type === "MeshReady");
  return before?.status === "True" || listenerOf({ owned, server }) !== undefined;
}

/** Why the listener for traces, which relies on the mesh alone, must not start yet: not every probe was denied. */
export function inconclusiveProbeProblem(view: MeshView): Cause | undefined {
  const probes = view.probes();
  if (probes === undefined || isDenied(probes)) return undefined;
  const [first = "no endpoint of the server could be probed"] = probes.unanswered;
  const more = probes.unanswered.length > 1 ? ` (and ${probes.unanswered.length - 1} more)` : "";
  return {
    reason: "MeshNotProbed",
    message: `The listener for traces stays closed: a probe of the operator was neither denied nor answered: ${first}${more}. Only an explicit denial proves that the mesh enforces its policies. Check that network policies allow the operator to reach the server's pods and DNS`,
  };
}
