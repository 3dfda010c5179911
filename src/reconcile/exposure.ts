import type { MlflowServer } from "../api/server.ts";
import type { HTTPRoute, Ingress, Owned } from "../kube/manifests.ts";
import { objectText } from "../kube/object.ts";
import { withAppliedFieldsHash } from "../resources/applied-fields-hash.ts";
import { addressesOf, externalAddressOf, type RouteKind, routeKinds } from "../resources/exposure.ts";
import { httpRoute } from "../resources/http-route.ts";
import { ingress } from "../resources/ingress.ts";
import { difference } from "./difference.ts";
import type { Cause } from "./finding.ts";
import { type HostConflict, has, hostConflict } from "./host-conflict.ts";
import { parentProblem } from "./parent-problem.ts";

/** What is seen of a server that is to be reached from outside. */
export interface ExposureView {
  readonly server: MlflowServer;
  readonly owned: readonly Owned[];
  /** The other servers that want or have one of its addresses. */
  readonly competitors: readonly MlflowServer[];
  /** The kinds of routes that the cluster knows. */
  readonly known: ReadonlySet<RouteKind>;
}

/** Which routes may lead to a server, and what its status says of them. */
export interface Exposure {
  readonly routes: ReadonlySet<RouteKind>;
  /** What there is stays as it is, since what is wanted belongs to somebody else. */
  readonly keepsRoutes: boolean;
  /** What is this server's from now on. */
  readonly addresses: readonly string[];
  /**
   * The statuses say that all that is wanted is this server's and nobody else's. Before that no route is written: passes of
   * one moment may each have found an address free, and of those that say so, the last to look sees the others.
   */
  readonly isExclusive: boolean;
  /** The condition `Exposed`; none where the spec asks for no route. */
  readonly finding?: Cause & { readonly status: "True" | "False" | "Unknown" };
}

export function exposureOf(view: ExposureView): Exposure {
  const { server, owned, competitors, known } = view;
  const former = server.status?.addresses ?? [];
  const wanted = routesOf(server, new Set(routeKinds));
  const conflict = hostConflict(server, competitors);
  if (conflict !== undefined) {
    // Where both have it, by passes of one moment, or lead there, as after a restored backup, the route must go.
    const leads = wanted.some((route) => isFrom(conflict.address, route) && owned.some((live) => isAs(route, live)));
    const keepsRoutes = !has(server, conflict.address) && !leads;
    const addresses = owned.some(isRoute) ? former : [];
    const finding = { status: "False", ...taken(server, conflict) } as const;
    return { routes: new Set(), keepsRoutes, addresses, isExclusive: false, finding };
  }
  // Until nothing leads here from an address any more, nobody else gets it.
  const isLeft = owned.filter(isRoute).every((live) => wanted.some((route) => isAs(route, live)));
  const addresses = [...new Set([...addressesOf(server), ...(isLeft ? [] : former)])];
  const isExclusive = addressesOf(server).every(
    (each) => has(server, each) && !competitors.some((competitor) => has(competitor, each)),
  );
  const exposure = { routes: known, keepsRoutes: false, addresses, isExclusive };
  if (wanted.length === 0) return exposure;
  const isMissing = wanted.some(({ kind }) => !known.has(kind));
  const problem = isMissing ? missing : wanted.map((route) => routeProblem(route, owned)).find((each) => each);
  if (problem === undefined) return { ...exposure, finding: exposed(server) };
  const status = problem.reason === "IngressWithoutAddress" ? "Unknown" : "False";
  return { ...exposure, finding: { status, ...problem } };
}

export function isRoute(object: Owned): object is Ingress | HTTPRoute {
  return object.kind === "Ingress" || object.kind === "HTTPRoute";
}

function routesOf(server: MlflowServer, routes: ReadonlySet<RouteKind>): (Ingress | HTTPRoute)[] {
  const wanted = [httpRoute({ server, routes }), ingress({ server, routes })];
  return wanted.filter((each) => each !== undefined).map(withAppliedFieldsHash);
}

const missing: Cause = {
  reason: "GatewayApiMissing",
  message:
    "The cluster does not have the kind HTTPRoute (gateway.networking.k8s.io/v1), so spec.exposure.httpRoute has no effect. Install the Gateway API's CustomResourceDefinitions and an implementation, or use spec.exposure.ingress",
};

/** Of another namespace it is not said which: nobody learns here what others run. */
function taken({ metadata }: MlflowServer, { address, winner }: HostConflict): Cause {
  const isNear = winner.metadata.namespace === metadata.namespace;
  const who = isNear ? `MlflowServer ${winner.metadata.name}` : "an MlflowServer in another namespace";
  return {
    reason: "HostConflict",
    message: `${address} is already used by ${who}, so this server is not exposed there: use another host in spec.exposure, or another prefix in spec.exposure.externalURL${isNear ? ", or delete that server" : ""}`,
  };
}

function exposed(server: MlflowServer) {
  const message = `${externalAddressOf(server)?.url} routes to this server, as the controllers of its routes report`;
  return { status: "True", reason: "Exposed", message } as const;
}

function routeProblem(wanted: Ingress | HTTPRoute, owned: readonly Owned[]): Cause | undefined {
  const live = owned.filter(isRoute).find((each) => isNamed(wanted, each));
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
  return live.kind === "HTTPRoute" ? parentProblem(live) : addressProblem(live);
}

/** Whether a route leads from this address of its server. */
function isFrom(address: string, route: Ingress | HTTPRoute): boolean {
  const hosts = route.kind === "Ingress" ? route.spec.rules?.map(({ host }) => host) : route.spec.hostnames;
  return hosts?.some((host) => address === host || address.startsWith(`${host}/`)) === true;
}

function isNamed(wanted: Ingress | HTTPRoute, live: Owned): boolean {
  return wanted.kind === live.kind && wanted.metadata.name === live.metadata.name;
}

function isAs(wanted: Ingress | HTTPRoute, live: Owned): boolean {
  return isNamed(wanted, live) && difference(wanted, live) === undefined;
}

/** Which classes there are is not looked at: that is a right in the whole cluster, and a class says not that somebody serves it. */
function addressProblem(live: Ingress): Cause | undefined {
  if (live.status?.loadBalancer?.ingress?.length) return undefined;
  const { ingressClassName } = live.spec;
  const served = ingressClassName === undefined ? "the cluster's default class" : `class ${ingressClassName}`;
  return {
    reason: "IngressWithoutAddress",
    message: `No controller has set an address on ${objectText(live)}, so the server may not be exposed: check that a controller serves ${served} (kubectl get ingressclasses). Some controllers never set one`,
  };
}
