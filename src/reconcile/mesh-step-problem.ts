import type { MlflowServer } from "../api/server.ts";
import type { AuthorizationPolicy, Service } from "../kube/manifests.ts";
import { objectText } from "../kube/object.ts";
import type { MeshStep } from "../model/mesh.ts";
import { objectNames } from "../model/names.ts";
import {
  allowFromWaypoint,
  allowWriters,
  denyBypass,
  denyNonWriters,
  sidecarPolicy,
  tracesPolicy,
} from "../resources/mesh/policies.ts";
import { waypointLabels } from "../resources/mesh/waypoint.ts";
import type { Cause } from "./cause.ts";
import { enrolmentProblem, labelProblem } from "./mesh-enrolment.ts";
import { gatewayOf, listenerOf, livePolicy, type MeshView, serviceOf, waypointDeployment } from "./mesh-view.ts";
import { waypointNameConflict, waypointProblem } from "./mesh-waypoint.ts";
import { applyProblem, conditionOf, conditionText } from "./reported-condition.ts";
import { podsOf } from "./server-workload.ts";
import { deploymentProblem } from "./workload-problem.ts";

/** Why the step after this one must wait, or undefined if this step is verified. */
export function meshStepProblem(step: MeshStep, view: MeshView): Cause | undefined {
  const { server } = view;
  switch (step) {
    case "ambient":
      return labelProblem(step, view);
    case "waypoint":
      return waypointNameConflict(view) ?? waypointProblem(view, gatewayOf(view), waypointDeployment(view));
    case "traces":
      return policyProblem(tracesPolicy(server), view, "WaypointAccepted");
    case "binding":
      return bindingProblem(server, serviceOf(view)) ?? enrolmentProblem("Ambient", view);
    case "allowFromWaypoint":
      return policyProblem(allowFromWaypoint(server), view, "ZtunnelAccepted");
    case "denyBypass":
      return policyProblem(denyBypass(server), view, "ZtunnelAccepted");
    case "sidecar":
      return labelProblem(step, view) ?? enrolmentProblem("Sidecar", view);
    case "inbound":
      return applyProblem(sidecarPolicy(server), livePolicy(sidecarPolicy(server), view));
    case "writers":
      return writersProblem(view);
    case "listener":
      return listenerProblem(view);
  }
}

/** Status True is not enough: with the reason UnsupportedValue ztunnel ignores a part of the policy. */
function policyProblem(wanted: AuthorizationPolicy, view: MeshView, type: string): Cause | undefined {
  const live = livePolicy(wanted, view);
  const unwritten = applyProblem(wanted, live);
  if (unwritten !== undefined || live === undefined) return unwritten;
  const condition = conditionOf(live, type);
  if (condition?.status === "True" && condition.reason === "Accepted") return undefined;
  return {
    reason: "MeshPolicyNotAccepted",
    message: `Istio has not accepted all of ${objectText(live)} (${type}: ${conditionText(condition)}), so it may not be enforced: check that istiod and ztunnel run and support its fields`,
  };
}

/** Istio reports no conditions for policies of sidecars. */
function writersProblem(view: MeshView): Cause | undefined {
  const isSidecar = view.server.spec.mesh?.istio.mode === "Sidecar";
  for (const policy of [denyNonWriters(view.server), allowWriters(view.server)]) {
    const problem = isSidecar
      ? applyProblem(policy, livePolicy(policy, view))
      : policyProblem(policy, view, "ZtunnelAccepted");
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** Why the listener for traces is not available, or undefined. */
function listenerProblem(view: MeshView): Cause | undefined {
  const listener = listenerOf(view);
  if ((listener?.status?.availableReplicas ?? 0) > 0) return undefined;
  const problem = listener && deploymentProblem(listener, podsOf("traces", view.owned), view.evidence);
  if (problem !== undefined) {
    const { reason, message } = problem.cause;
    return { reason, message: `The listener for traces has no available pod: ${message}` };
  }
  const { namespace, name } = view.server.metadata;
  return {
    reason: "MeshProgressing",
    message: `The listener for traces has no available pod: see kubectl describe deployment -n ${namespace} ${objectNames.listener(name)}. A pod becomes ready only once it is in the mesh`,
  };
}

/** Why requests to the Service do not go through the waypoint, or undefined. The condition has no observedGeneration, so its message must name the waypoint. */
export function bindingProblem(server: MlflowServer, live: Service | undefined): Cause | undefined {
  const name = objectNames.service(server.metadata.name);
  const labels = live?.metadata.labels;
  if (live === undefined || Object.entries(waypointLabels(server)).some(([key, value]) => labels?.[key] !== value)) {
    return { reason: "MeshProgressing", message: `Service/${name} is being bound to the waypoint` };
  }
  const condition = live.status?.conditions?.find(({ type }) => type === "istio.io/WaypointBound");
  const waypoint = `${server.metadata.namespace}/${objectNames.waypoint(server.metadata.name)}`;
  if (condition?.status === "True" && condition.message?.includes(waypoint)) return undefined;
  const what = condition === undefined ? "Istio has not reported this condition" : conditionText(condition);
  return {
    reason: "ServiceNotBound",
    message: `Service/${name} is not bound to the waypoint ${waypoint} (${what}): check that istiod runs with AMBIENT_ENABLE_STATUS, its default, and check the Gateway`,
  };
}
