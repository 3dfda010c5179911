import type { MlflowServer } from "../api/server.ts";
import type { AuthorizationPolicy, Owned, Pod, Service } from "../kube/manifests.ts";
import { label } from "../kube/names.ts";
import { objectText } from "../kube/object.ts";
import { lock, passage } from "../resources/mesh/lock.ts";
import { tracesPolicy } from "../resources/mesh/traces-policy.ts";
import { waypointLabels } from "../resources/mesh/waypoint.ts";
import { objectNames } from "../resources/names.ts";
import type { Cause } from "./finding.ts";
import { conditionOf, said, unfinished } from "./mesh-condition.ts";

export function tracesProblem(server: MlflowServer, live: AuthorizationPolicy | undefined): Cause | undefined {
  return policyProblem(tracesPolicy(server), live, "WaypointAccepted");
}

export function passageProblem(server: MlflowServer, live: AuthorizationPolicy | undefined): Cause | undefined {
  return policyProblem(passage(server), live, "ZtunnelAccepted");
}

export function lockProblem(server: MlflowServer, live: AuthorizationPolicy | undefined): Cause | undefined {
  return policyProblem(lock(server), live, "ZtunnelAccepted");
}

/** True is not enough: with the reason UnsupportedValue ztunnel has left out a part. */
function policyProblem(
  wanted: AuthorizationPolicy,
  live: AuthorizationPolicy | undefined,
  type: string,
): Cause | undefined {
  const unwritten = unfinished(wanted, live);
  if (unwritten !== undefined || live === undefined) return unwritten;
  const condition = conditionOf(live, type);
  if (condition?.status === "True" && condition.reason === "Accepted") return undefined;
  return {
    reason: "MeshPolicyNotAccepted",
    message: `Istio has not accepted ${objectText(live)} as a whole (${type}: ${said(condition)}): check that istiod and ztunnel run and are of a version that knows its fields`,
  };
}

/** Whether requests to the Service go through our waypoint. The condition has no generation, so it must name it. */
export function bindingProblem(server: MlflowServer, live: Service | undefined): Cause | undefined {
  const name = objectNames.service(server.metadata.name);
  const labels = live?.metadata.labels;
  if (live === undefined || Object.entries(waypointLabels(server)).some(([key, value]) => labels?.[key] !== value)) {
    return { reason: "MeshProgressing", message: `Service/${name} is being bound to the waypoint` };
  }
  const condition = live.status?.conditions?.find(({ type }) => type === "istio.io/WaypointBound");
  const waypoint = `${server.metadata.namespace ?? "default"}/${objectNames.waypoint(server.metadata.name)}`;
  if (condition?.status === "True" && condition.message.includes(waypoint)) return undefined;
  const what = condition === undefined ? "Istio has said nothing of it" : said(condition);
  return {
    reason: "ServiceNotBound",
    message: `Service/${name} is not bound to the waypoint ${waypoint} (${what}): check that istiod runs with AMBIENT_ENABLE_STATUS, its default, and look at the Gateway`,
  };
}

/** Whether every pod that answers is in the mesh: outside of it no policy holds, whatever the conditions say. */
export function enrolmentProblem({ metadata, spec }: MlflowServer, owned: readonly Owned[]): Cause | undefined {
  const ready = owned.filter((object): object is Pod => object.kind === "Pod" && isReadyServer(object));
  if (ready.length === 0) {
    if (spec.hibernate === true || spec.replicas === 0)
      return {
        reason: "MeshHibernated",
        message: "no pods run, as the spec says, so nothing shows that they are in the mesh",
      };
    return { reason: "MeshProgressing", message: "no pod is ready, so nothing shows that pods are in the mesh" };
  }
  for (const { metadata: pod } of ready.sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))) {
    const { "ambient.istio.io/redirection": redirection, "sidecar.istio.io/status": sidecar } = pod.annotations ?? {};
    if (sidecar !== undefined) {
      return {
        reason: "PodsNotEnrolled",
        message: `pod ${pod.name} has a sidecar of Istio, which knows no waypoint: take the label istio-injection off namespace ${metadata.namespace}, or istio.io/rev, and delete the pod`,
      };
    }
    if (redirection !== "enabled") {
      return {
        reason: "PodsNotEnrolled",
        message: `pod ${pod.name} is not in the mesh (no annotation ambient.istio.io/redirection: enabled): check that istio-cni and ztunnel run on its node, then delete the pod`,
      };
    }
  }
  return undefined;
}

function isReadyServer({ metadata, status }: Pod): boolean {
  if (metadata.labels?.[label.component] !== "server" || metadata.deletionTimestamp !== undefined) return false;
  return status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") === true;
}
