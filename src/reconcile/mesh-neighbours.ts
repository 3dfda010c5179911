import type { AuthorizationPolicy, Neighbour, Service } from "../kube/manifests.ts";
import { label } from "../kube/names.ts";
import { podSelector } from "../resources/metadata.ts";
import { objectNames } from "../resources/names.ts";
import type { Cause } from "./finding.ts";
import type { MeshView } from "./mesh.ts";

/** What others have in the namespace that widens what our policies say, or that the lock cuts off. */
export function neighbourProblem({ server, owned, neighbours }: MeshView): Cause | undefined {
  if (neighbours === undefined) return { reason: "MeshProgressing", message: "the namespace is being looked at" };
  const { name } = server.metadata;
  // By uid, since labels could be anybody's.
  const isOurs = ({ metadata }: Neighbour) => owned.some((object) => object.metadata.uid === metadata.uid);
  const others = neighbours.filter((each) => each.metadata.uid === undefined || !isOurs(each));
  const sorted = others.sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  const policy = sorted.find((each): each is AuthorizationPolicy => isPolicy(each) && widens(each, name));
  if (policy !== undefined) {
    return {
      reason: "OtherPolicyInTheWay",
      message: `AuthorizationPolicy/${policy.metadata.name} allows requests at the waypoint or Service of this server, beside ${objectNames.tracesPolicy(name)}: delete it, or target it elsewhere`,
    };
  }
  const pods = { ...podSelector(server), [label.application]: "mlflow" };
  const service = sorted.find((each): each is Service => each.kind === "Service" && selects(each, pods));
  if (service === undefined) return undefined;
  return {
    reason: "OtherServiceInTheWay",
    message: `Service/${service.metadata.name} leads to the pods of this server, too, and the lock cuts off who comes by it: delete it, or change its selector`,
  };
}

function isPolicy(neighbour: Neighbour): neighbour is AuthorizationPolicy {
  return neighbour.kind === "AuthorizationPolicy";
}

/** ALLOW (the default) policies of one target add up. */
function widens({ spec: { action = "ALLOW", targetRefs = [] } }: AuthorizationPolicy, server: string): boolean {
  const ours = { Gateway: objectNames.waypoint(server), Service: objectNames.service(server) };
  const isOurs = ({ kind, name }: { kind: string; name: string }) =>
    (kind === "Gateway" && name === ours.Gateway) || (kind === "Service" && name === ours.Service);
  return action === "ALLOW" && targetRefs.some(isOurs);
}

/** A Service without a selector has endpoints that somebody else writes. */
function selects({ spec: { selector = {} } }: Service, labels: Readonly<Record<string, string>>): boolean {
  const wanted = Object.entries(selector);
  return wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value);
}
