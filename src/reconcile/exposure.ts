import type { MlflowServer } from "../api/server.ts";
import type { HTTPRoute, Ingress, Owned } from "../kube/manifests.ts";
import { objectText } from "../kube/object.ts";
import { addressText, outsideOf, type RouteKind, routeKinds } from "../resources/exposure.ts";
import { httpRoute } from "../resources/http-route.ts";
import { ingress } from "../resources/ingress.ts";
import { isRoute, type Loss, lossOf, type Rival } from "./addresses.ts";
import { difference } from "./difference.ts";
import type { Cause } from "./finding.ts";
import { parentProblem } from "./parent-problem.ts";

/** What is seen of a server that is to be reached from outside. */
export interface ExposureView extends Rival {
  /** The other servers that want one of its addresses. */
  readonly rivals: readonly Rival[];
  /** The kinds of routes that the cluster knows. */
  readonly known: ReadonlySet<RouteKind>;
}

/** Which routes may lead to a server, and what the condition `Exposed` says. */
export interface Exposure {
  readonly routes: ReadonlySet<RouteKind>;
  /** What there is stays as it is, since what is wanted belongs to somebody else. */
  readonly isKept: boolean;
  /** None where the spec asks for no route. */
  readonly finding?: Cause & { readonly status: "True" | "False" | "Unknown" };
}

export function exposureOf(view: ExposureView): Exposure {
  const { server, rivals, known } = view;
  const wanted = routesOf(server, new Set(routeKinds));
  if (wanted.length === 0) return { routes: known, isKept: false };
  const loss = lossOf(view, rivals);
  if (loss !== undefined)
    return { routes: new Set(), isKept: !loss.isLed, finding: { status: "False", ...taken(server, loss) } };
  const problem = wanted.every(({ kind }) => known.has(kind)) ? undefined : missing;
  const cause = problem ?? wanted.map((route) => routeProblem(route, view.owned)).find((each) => each !== undefined);
  const status = cause?.reason === "IngressWithoutAddress" ? "Unknown" : "False";
  return { routes: known, isKept: false, finding: cause === undefined ? exposed(server) : { status, ...cause } };
}

function routesOf(server: MlflowServer, routes: ReadonlySet<RouteKind>): (Ingress | HTTPRoute)[] {
  return [httpRoute({ server, routes }), ingress({ server, routes })].filter((each) => each !== undefined);
}

const missing: Cause = {
  reason: "GatewayApiMissing",
  message:
    "the cluster lacks the kind HTTPRoute (gateway.networking.k8s.io/v1), which exposure.httpRoute asks for: install the Gateway API's definitions and an implementation, or use exposure.ingress",
};

/** Of another namespace it is not said which: nobody learns here what others run. */
function taken({ metadata }: MlflowServer, { address, winner }: Loss): Cause {
  const isNear = winner.metadata.namespace === metadata.namespace;
  const who = isNear ? `MlflowServer ${winner.metadata.name}` : "a server of another namespace";
  return {
    reason: "AddressTaken",
    message: `${addressText(address)} already leads to ${who}, which keeps it: use another host in spec.exposure, or another prefix in exposure.externalUrl${isNear ? ", or delete that server" : ""}`,
  };
}

function exposed(server: MlflowServer): Exposure["finding"] {
  const message = `by what the controllers report, ${outsideOf(server)?.url} leads to this server`;
  return { status: "True", reason: "Exposed", message };
}

function routeProblem(wanted: Ingress | HTTPRoute, owned: readonly Owned[]): Cause | undefined {
  const live = owned.filter(isRoute).find((each) => each.kind === wanted.kind && isNamedLike(each, wanted));
  if (live === undefined || live.metadata.deletionTimestamp !== undefined || difference(wanted, live) !== undefined) {
    const message = `${objectText(wanted)} is written as soon as all pods are of this spec`;
    return { reason: "RouteProgressing", message };
  }
  return live.kind === "HTTPRoute" ? parentProblem(live) : addressProblem(live);
}

function isNamedLike(one: Owned, other: Owned): boolean {
  return one.metadata.name === other.metadata.name;
}

/** Which classes there are is not looked at: that is a right in the whole cluster, and a class says not that somebody serves it. */
function addressProblem(live: Ingress): Cause | undefined {
  if (live.status?.loadBalancer?.ingress?.length) return undefined;
  const { ingressClassName } = live.spec;
  const served = ingressClassName === undefined ? "the cluster's default class" : `class ${ingressClassName}`;
  return {
    reason: "IngressWithoutAddress",
    message: `no controller has given ${objectText(live)} an address: check that one serves ${served} (kubectl get ingressclasses); some never do, and then this says nothing`,
  };
}
