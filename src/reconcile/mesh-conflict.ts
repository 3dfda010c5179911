import type { AuthorizationPolicy, OtherResource, Service } from "../kube/manifests.ts";
import { label } from "../kube/names.ts";
import { podSelector } from "../model/metadata.ts";
import { objectNames } from "../model/names.ts";
import type { Cause } from "./cause.ts";
import type { MeshView } from "./mesh-view.ts";

/** Another AuthorizationPolicy or Service in the namespace that weakens the operator's policies or is denied by them, or undefined. */
export function meshConflict({ server, owned, otherResources }: MeshView): Cause | undefined {
  if (otherResources === undefined)
    return { reason: "MeshProgressing", message: "Checking the namespace for conflicting policies and Services" };
  const { name } = server.metadata;
  // By uid, because anyone can set labels.
  const isOwned = ({ metadata }: OtherResource) => owned.some((object) => object.metadata.uid === metadata.uid);
  const others = otherResources.filter((each) => each.metadata.uid === undefined || !isOwned(each));
  const sorted = others.sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  const pods = { ...podSelector(server), [label.application]: "mlflow" };
  const isSidecar = server.spec.mesh?.istio.mode === "Sidecar";
  const isForServer = (each: AuthorizationPolicy) => (isSidecar ? isAtPods(each, pods) : isAtWaypoint(each, name));
  const policy = sorted.find(
    (each): each is AuthorizationPolicy => isPolicy(each) && allows(each) && isForServer(each),
  );
  if (policy !== undefined) {
    const [where, own] = isSidecar
      ? ["pods", objectNames.sidecarPolicy(name)]
      : ["waypoint or Service", objectNames.tracesPolicy(name)];
    return {
      reason: "ConflictingPolicy",
      message: `AuthorizationPolicy/${policy.metadata.name} allows requests to the ${where} of this server in addition to ${own}, so clients other than the writers can write traces: delete it, or change what it selects`,
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

function isPolicy(object: OtherResource): object is AuthorizationPolicy {
  return object.kind === "AuthorizationPolicy";
}

/** Whether a policy allows requests. ALLOW (the default) policies of one target add up; without rules they allow none. */
function allows({ spec: { action = "ALLOW", rules = [] } }: AuthorizationPolicy): boolean {
  return action === "ALLOW" && rules.length > 0;
}

function isAtWaypoint({ spec: { targetRefs = [] } }: AuthorizationPolicy, server: string): boolean {
  const targets = { Gateway: objectNames.waypoint(server), Service: objectNames.service(server) };
  return targetRefs.some(
    ({ kind, name }) =>
      (kind === "Gateway" && name === targets.Gateway) || (kind === "Service" && name === targets.Service),
  );
}

/** Whether a policy applies to pods with these labels. Without selector and targetRefs it applies to all pods of the namespace. */
function isAtPods({ spec }: AuthorizationPolicy, labels: Readonly<Record<string, string>>): boolean {
  if (spec.targetRefs?.[0] !== undefined) return false;
  return Object.entries(spec.selector?.matchLabels ?? {}).every(([key, value]) => labels[key] === value);
}

/** Whether a Service selects pods with these labels. Without a selector, another client writes its endpoints. */
function selects({ spec: { selector = {} } }: Service, labels: Readonly<Record<string, string>>): boolean {
  const wanted = Object.entries(selector);
  return wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value);
}
