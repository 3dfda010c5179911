import type { MlflowServer } from "../api/server.ts";
import type { HTTPRoute, Ingress, Owned, ParentReference, Service } from "../kube/manifests.ts";
import { objectText } from "../kube/object.ts";
import { addressesOf, externalAddressOf, type RouteKind, routeKinds, routesOf } from "../model/exposure.ts";
import { namesOf, objectNames } from "../model/names.ts";
import { withAppliedFieldsHash } from "../resources/applied-fields-hash.ts";
import { externalService, httpRoute, ingress } from "../resources/exposure.ts";
import type { Cause } from "./cause.ts";
import { difference } from "./difference.ts";
import { type HostConflict, hasAddress, hostConflict } from "./host-conflict.ts";
import { conditionOf, conditionText } from "./reported-condition.ts";

/** An object that exposes a server outside the cluster. */
type Route = Ingress | HTTPRoute | Service;

/** The observed state of the routes of a server. */
export interface ExposureView {
  readonly server: MlflowServer;
  readonly owned: readonly Owned[];
  /** Other servers that request or have one of its addresses. */
  readonly competitors: readonly MlflowServer[];
  /** The kinds of routes that the cluster has. */
  readonly known: ReadonlySet<RouteKind>;
}

/** Which routes a server can have, and what its status reports about them. */
export interface Exposure {
  readonly routes: ReadonlySet<RouteKind>;
  /** Existing routes stay, because another server has the requested address. */
  readonly keepsRoutes: boolean;
  /** The addresses of this server from now on, for its status. */
  readonly addresses: readonly string[];
  /**
   * Whether the statuses of all servers give the requested addresses to this server alone. Routes are created only then: simultaneous
   * reconciliations may each have found an address free, and the last one to write its status sees the others.
   */
  readonly isExclusive: boolean;
  /** The condition `Exposed`; undefined if the spec has no route. */
  readonly condition?: Cause & { readonly status: "True" | "False" | "Unknown" };
}

export function exposureOf(view: ExposureView): Exposure {
  const { server, owned, competitors, known } = view;
  const former = server.status?.addresses ?? [];
  const wanted = wantedRoutes(server, new Set(routeKinds));
  const conflict = hostConflict(server, competitors);
  if (conflict !== undefined) {
    // If both servers have the address (simultaneous reconciliations) or a route for it (a restored backup), the route is removed.
    const isRouted = wanted.some(
      (route) => servesAddress(conflict.address, route) && owned.some((live) => isUpToDate(route, live)),
    );
    const keepsRoutes = !hasAddress(server, conflict.address) && !isRouted;
    const addresses = owned.some(hasHosts) ? former : [];
    const condition = { status: "False", ...hostConflictCause(server, conflict) } as const;
    return { routes: new Set(), keepsRoutes, addresses, isExclusive: false, condition };
  }
  // An address is released only when no route uses it.
  const hasOldRoutes = !owned.filter(hasHosts).every((live) => wanted.some((route) => isUpToDate(route, live)));
  const addresses = [...new Set([...addressesOf(server), ...(hasOldRoutes ? former : [])])];
  const isExclusive = addressesOf(server).every(
    (each) => hasAddress(server, each) && !competitors.some((competitor) => hasAddress(competitor, each)),
  );
  const exposure = { routes: known, keepsRoutes: false, addresses, isExclusive };
  if (wanted.length === 0) return exposure;
  const isMissing = wanted.some(({ kind }) => !known.has(kind));
  const live = owned.filter((object) => isRoute(object, server));
  const problem = isMissing ? gatewayApiMissing : wanted.map((route) => routeProblem(route, live)).find((each) => each);
  if (problem === undefined) return { ...exposure, condition: exposed(server) };
  const isUnknown = problem.reason === "IngressWithoutAddress" || problem.reason === "LoadBalancerWithoutAddress";
  const status = isUnknown ? "Unknown" : "False";
  return { ...exposure, condition: { status, ...problem } };
}

/** Whether an object of a server exposes it outside the cluster. */
export function isRoute(object: Owned, { metadata }: Pick<MlflowServer, "metadata">): object is Route {
  return (
    hasHosts(object) ||
    (object.kind === "Service" && object.metadata.name === objectNames.externalService(metadata.name))
  );
}

/** The names of the Services to which a route sends requests; none for a Service. */
export function servicesOf(route: Route): (string | undefined)[] {
  if (route.kind === "HTTPRoute")
    return (route.spec.rules ?? []).flatMap(({ backendRefs = [] }) => backendRefs.map(({ name }) => name));
  if (route.kind === "Service") return [];
  const paths = (route.spec.rules ?? []).flatMap(({ http }) => http?.paths ?? []);
  return paths.map(({ backend }) => backend.service?.name);
}

/** Whether an object uses the hosts of a server. A Service has its own address. */
function hasHosts(object: Owned): object is Ingress | HTTPRoute {
  return object.kind === "Ingress" || object.kind === "HTTPRoute";
}

function wantedRoutes(server: MlflowServer, kinds: ReadonlySet<RouteKind>): Route[] {
  const { name, namespace } = server.metadata;
  const of = { owner: server, names: namesOf(name, namespace), routes: routesOf(server, kinds) };
  const wanted = [httpRoute(of), ingress(of), externalService(of)];
  return wanted.filter((each) => each !== undefined).map(withAppliedFieldsHash);
}

const gatewayApiMissing: Cause = {
  reason: "GatewayApiMissing",
  message:
    "The cluster does not have the kind HTTPRoute (gateway.networking.k8s.io/v1), so spec.exposure.httpRoute has no effect. Install the Gateway API's CustomResourceDefinitions and an implementation, or use spec.exposure.ingress",
};

/** Does not name a server in another namespace, which users of this one may not be allowed to list. */
function hostConflictCause({ metadata }: MlflowServer, { address, winner }: HostConflict): Cause {
  const isSameNamespace = winner.metadata.namespace === metadata.namespace;
  const who = isSameNamespace ? `MlflowServer ${winner.metadata.name}` : "an MlflowServer in another namespace";
  return {
    reason: "HostConflict",
    message: `${address} is already used by ${who}, so this server is not exposed there: use another host in spec.exposure, or another prefix in spec.exposure.externalURL${isSameNamespace ? ", or delete that server" : ""}`,
  };
}

function exposed(server: MlflowServer) {
  const message = `${externalAddressOf(server)?.url} routes to this server, as the controllers of its routes report`;
  return { status: "True", reason: "Exposed", message } as const;
}

function routeProblem(wanted: Route, routes: readonly Route[]): Cause | undefined {
  const live = routes.find((each) => hasSameName(wanted, each));
  const when = "once all pods run the current spec";
  if (live === undefined || live.metadata.deletionTimestamp !== undefined) {
    return { reason: "RouteProgressing", message: `${objectText(wanted)} is created ${when}` };
  }
  const path = difference(wanted, live);
  if (path !== undefined) {
    return {
      reason: "RouteProgressing",
      message: `${objectText(wanted)} differs from the spec in ${path}, and is updated ${when}. If this does not change, an admission webhook or a Gateway API before 1.2 changes the object`,
    };
  }
  if (live.kind === "Service") return loadBalancerProblem(live);
  return live.kind === "HTTPRoute" ? parentProblem(live) : addressProblem(live);
}

/** Whether a route serves this address. */
function servesAddress(address: string, route: Route): boolean {
  if (!hasHosts(route)) return false;
  const hosts = route.kind === "Ingress" ? route.spec.rules?.map(({ host }) => host) : route.spec.hostnames;
  return hosts?.some((host) => address === host || address.startsWith(`${host}/`)) === true;
}

function hasSameName(wanted: Route, live: Owned): boolean {
  return wanted.kind === live.kind && wanted.metadata.name === live.metadata.name;
}

function isUpToDate(wanted: Route, live: Owned): boolean {
  return hasSameName(wanted, live) && difference(wanted, live) === undefined;
}

/** IngressClasses are not read: this needs a cluster-wide permission, and a class does not show that a controller serves it. */
function addressProblem(live: Ingress): Cause | undefined {
  if (live.status?.loadBalancer?.ingress?.length) return undefined;
  const { ingressClassName } = live.spec;
  const served = ingressClassName === undefined ? "the cluster's default class" : `class ${ingressClassName}`;
  return {
    reason: "IngressWithoutAddress",
    message: `No controller has set an address on ${objectText(live)}, so the server may not be exposed: check that a controller serves ${served} (kubectl get ingressclasses). Some controllers never set one`,
  };
}

function loadBalancerProblem(live: Service): Cause | undefined {
  const { spec, status } = live;
  if (spec.type !== "LoadBalancer" || status?.loadBalancer?.ingress?.length) return undefined;
  const { loadBalancerClass } = spec;
  const served = loadBalancerClass === undefined ? "the cluster's default" : `class ${loadBalancerClass}`;
  return {
    reason: "LoadBalancerWithoutAddress",
    message: `No controller has set an address on ${objectText(live)}, so the server is not exposed: wait a few minutes, then check its Events, and that the cluster has an implementation of load balancers (${served})`,
  };
}

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
