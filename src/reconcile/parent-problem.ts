import type { HTTPRoute, ParentReference } from "../kube/manifests.ts";
import { objectText } from "../kube/object.ts";
import type { Cause } from "./cause.ts";
import { conditionOf, conditionText } from "./reported-condition.ts";

/** Remedies, by the reason of the condition `Accepted` of the Gateway API. */
const remedies: Readonly<Record<string, string>> = {
  NotAllowedByListeners: "have its administrator allow routes of this namespace on a listener (allowedRoutes)",
  NoMatchingListenerHostname: "use a host of one of its listeners, or add a listener for this host",
  NoMatchingParent: "check sectionName and port in exposure.httpRoute.parentRefs",
};

/** Why the first of its Gateways does not serve a route, or undefined. */
export function parentProblem(route: HTTPRoute): Cause | undefined {
  for (const parent of route.spec.parentRefs) {
    const { namespace } = route.metadata;
    const gateway = `Gateway ${parent.name} in namespace ${parent.namespace ?? namespace}`;
    const conditions = route.status?.parents?.find(({ parentRef }) => isSame(parent, parentRef, namespace))?.conditions;
    const parentStatus = { metadata: route.metadata, status: conditions && { conditions } };
    const accepted = conditionOf(parentStatus, "Accepted");
    if (accepted === undefined) {
      return {
        reason: "RouteNotAccepted",
        message: `${gateway} has not accepted or rejected ${objectText(route)}, so the server is not exposed: check that the Gateway exists, and that an implementation of the Gateway API manages its GatewayClass`,
      };
    }
    if (accepted.status !== "True") {
      const remedy = remedies[accepted.reason ?? ""] ?? "check its conditions and those of the route";
      return {
        reason: "RouteNotAccepted",
        message: `${gateway} does not accept ${objectText(route)} (${conditionText(accepted)}): ${remedy}`,
      };
    }
    const resolved = conditionOf(parentStatus, "ResolvedRefs");
    if (resolved !== undefined && resolved.status !== "True") {
      return {
        reason: "RouteNotResolved",
        message: `${gateway} cannot resolve the backend of ${objectText(route)} (${conditionText(resolved)}): check that the Service exists and that the implementation can read it`,
      };
    }
  }
  return undefined;
}

function isSame(one: ParentReference, other: ParentReference, namespace: string | undefined): boolean {
  return (
    one.name === other.name &&
    (one.namespace ?? namespace) === (other.namespace ?? namespace) &&
    one.sectionName === other.sectionName &&
    one.port === other.port
  );
}
