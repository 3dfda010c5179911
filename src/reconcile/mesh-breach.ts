import type { Cause } from "./finding.ts";
import { listenerOf, type MeshView } from "./mesh-view.ts";

/**
 * What Istio reports is necessary, and not sufficient: its conditions stay True where nothing is enforced. So the operator, which
 * is no writer, asks for what must be refused; an answer disproves all that is reported. Not to be answered proves little where it is
 * outside of the mesh, so this is asked last.
 */
export function breachProblem(view: MeshView): Cause | undefined {
  const breaches = view.breaches();
  if (breaches === undefined) {
    return wasProved(view)
      ? undefined
      : { reason: "MeshProgressing", message: "the operator is knocking at the doors" };
  }
  const [first] = breaches;
  if (first === undefined) return undefined;
  const more = breaches.length > 1 ? ` (and ${breaches.length - 1} more)` : "";
  return {
    reason: "MeshNotEnforced",
    message: `the operator, which is no writer, was answered where the mesh should have refused it: ${first}${more}. Check that ztunnel or the pods' sidecars enforce AuthorizationPolicies, and that the operator does not use the network of its node`,
  };
}

/** After a start of the operator, what was proved before holds until it has knocked. */
function wasProved(view: MeshView): boolean {
  const { owned, server } = view;
  const before = server.status?.conditions?.find(({ type }) => type === "MeshReady");
  return before?.status === "True" || listenerOf({ owned, server }) !== undefined;
}
