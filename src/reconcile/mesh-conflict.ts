import type { AuthorizationPolicy, OtherResource, Service } from "../kube/manifests.ts";
import { label } from "../kube/names.ts";
import { podSelector } from "../resources/metadata.ts";
import { objectNames } from "../resources/names.ts";
import type { Cause } from "./finding.ts";
import type { MeshView } from "./mesh-view.ts";

/** What others have in the namespace that widens what our policies say, or that the lock cuts off. */
export function meshConflict({ server, owned, neighbours }: MeshView): Cause | undefined {
  if (neighbours === undefined)
    return { reason: "MeshProgressing", message: "Checking the namespace for conflicting policies and Services" };
  const { name } = server.metadata;
  // By uid, since labels could be anybody's.
  const isOurs = ({ metadata }: OtherResource) => owned.some((object) => object.metadata.uid === metadata.uid);
  const others = neighbours.filter((each) => each.metadata.uid === undefined || !isOurs(each));
  const sorted = others.sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  const pods = { ...podSelector(server), [label.application]: "mlflow" };
  const isSidecar = server.spec.mesh?.istio.mode === "Sidecar";
  const isWider = (each: AuthorizationPolicy) => (isSidecar ? isAtPods(each, pods) : isAtWaypoint(each, name));
  const policy = sorted.find((each): each is AuthorizationPolicy => isPolicy(each) && allows(each) && isWider(each));
  if (policy !== undefined) {
    const [where, beside] = isSidecar
      ? ["pods", objectNames.sidecarPolicy(name)]
      : ["waypoint or Service", objectNames.tracesPolicy(name)];
    return {
      reason: "ConflictingPolicy",
      message: `AuthorizationPolicy/${policy.metadata.name} allows requests to the ${where} of this server in addition to ${beside}, so clients other than the writers can write traces: delete it, or change what it selects`,
    };
  }
  if (isSidecar) return undefined;
  const service = sorted.find((each): each is Service => each.kind === "Service" && selects(each, pods));
  if (service === undefined) return undefined;
  return {
    reason: "ConflictingService",
    message: `Service/${service.metadata.name} also selects the pods of this server. Traffic through it is denied. Delete it or change its selector`,
  };
}

function isPolicy(neighbour: OtherResource): neighbour is AuthorizationPolicy {
  return neighbour.kind === "AuthorizationPolicy";
}

/** ALLOW (the default) policies of one target add up. One without rules lets nobody in. */
function allows({ spec: { action = "ALLOW", rules = [] } }: AuthorizationPolicy): boolean {
  return action === "ALLOW" && rules.length > 0;
}

function isAtWaypoint({ spec: { targetRefs = [] } }: AuthorizationPolicy, server: string): boolean {
  const ours = { Gateway: objectNames.waypoint(server), Service: objectNames.service(server) };
  return targetRefs.some(
    ({ kind, name }) => (kind === "Gateway" && name === ours.Gateway) || (kind === "Service" && name === ours.Service),
  );
}

/** Without selector and targets a policy is for all pods of the namespace. */
function isAtPods({ spec }: AuthorizationPolicy, labels: Readonly<Record<string, string>>): boolean {
  if (spec.targetRefs?.[0] !== undefined) return false;
  return Object.entries(spec.selector?.matchLabels ?? {}).every(([key, value]) => labels[key] === value);
}

/** A Service without a selector has endpoints that somebody else writes. */
function selects({ spec: { selector = {} } }: Service, labels: Readonly<Record<string, string>>): boolean {
  const wanted = Object.entries(selector);
  return wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value);
}
