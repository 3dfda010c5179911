import { defaults } from "../api/defaults.ts";
import type { MlflowServer } from "../api/server.ts";
import type { Deployment, Gateway, Owned, Pod, Service } from "../kube/manifests.ts";
import { label } from "../kube/names.ts";
import { objectNames } from "../model/names.ts";
import { waypoint } from "../resources/mesh/waypoint.ts";
import type { Cause } from "./cause.ts";
import type { MeshView } from "./mesh-view.ts";
import { objectConflictRemedy, serverConflictRemedy } from "./ownership.ts";
import { applyProblem, conditionOf, conditionText } from "./reported-condition.ts";
import { deploymentProblem } from "./workload-problem.ts";

/**
 * A Service with the waypoint's name that is not the waypoint's, or undefined. Istio does not overwrite objects that it has not created
 * (canManage in its deploymentcontroller.go) and reports that only in its log.
 */
export function waypointNameConflict({ server, otherResources = [] }: MeshView): Cause | undefined {
  const name = objectNames.waypoint(server.metadata.name);
  const found = otherResources.find((each): each is Service => each.kind === "Service" && each.metadata.name === name);
  const selector = found?.spec.selector ?? {};
  if (found === undefined || selector["gateway.networking.k8s.io/gateway-name"] === name) return undefined;
  const other = selector[label.server];
  const what = other === undefined ? "is not part of the waypoint" : `belongs to MlflowServer/${other}`;
  const remedy = other === undefined ? objectConflictRemedy : `${serverConflictRemedy}, or leave out spec.mesh`;
  return {
    reason: "NameConflict",
    message: `Service/${name} ${what}, so Istio does not create the waypoint's Service, which has the same name: ${remedy}`,
  };
}

/** Why the waypoint cannot serve requests yet, or undefined. The Gateway's conditions stay True even without a pod. */
export function waypointProblem(
  { server, owned, evidence }: Pick<MeshView, "server" | "owned" | "evidence">,
  gateway: Gateway | undefined,
  deployment: Deployment | undefined,
): Cause | undefined {
  const unwritten = applyProblem(waypoint(server), gateway);
  if (unwritten !== undefined || gateway === undefined) return unwritten;
  const { name, namespace } = gateway.metadata;
  const programmed = conditionOf(gateway, "Programmed");
  if (programmed?.status !== "True") {
    return {
      reason: "WaypointNotProgrammed",
      message: `Gateway/${name} is not programmed (${conditionText(programmed)}): check that istiod runs and that GatewayClass istio-waypoint is accepted`,
    };
  }
  if (!gateway.status?.addresses?.length) {
    return {
      reason: "WaypointWithoutAddress",
      message: `Gateway/${name} has no address: see kubectl describe gateway -n ${namespace} ${name}`,
    };
  }
  const owner = deployment?.metadata.ownerReferences?.some(({ uid }) => uid === gateway.metadata.uid);
  if (deployment === undefined || owner !== true || (deployment.status?.availableReplicas ?? 0) < 1) {
    const problem = deployment && owner === true && deploymentProblem(deployment, waypointPods(owned), evidence);
    const why = problem ? problem.cause.message : `see kubectl describe deployment -n ${namespace} ${name}`;
    return {
      reason: "WaypointUnavailable",
      message: `no pod of the waypoint is available, so no request in the mesh reaches the server: ${why}`,
    };
  }
  const account = deployment.spec.template.spec?.serviceAccountName;
  if (account === name) return trustDomainProblem(server, deployment);
  return {
    reason: "WaypointIdentityUnexpected",
    message: `the waypoint runs as ServiceAccount ${account ?? "default"} instead of ${name}, the only one that the server's pods accept: remove the annotations that rename it from Gateway/${name}`,
  };
}

function waypointPods(owned: readonly Owned[]): Pod[] {
  return owned.filter(
    (object): object is Pod => object.kind === "Pod" && object.metadata.labels?.[label.waypoint] !== undefined,
  );
}

/**
 * A trust domain of the mesh that differs from the spec, or undefined. Istio sets it as a variable of the waypoint (files/waypoint.yaml of its
 * chart istio-discovery). With another one in the spec, the deny-bypass policy would deny the waypoint, and so all clients.
 */
function trustDomainProblem({ spec }: MlflowServer, deployment: Deployment): Cause | undefined {
  const expected = spec.mesh?.istio.trustDomain ?? defaults.trustDomain;
  const containers = deployment.spec.template.spec?.containers ?? [];
  const actual = containers.flatMap(({ env = [] }) => env).find(({ name }) => name === "TRUST_DOMAIN")?.value;
  if (actual === undefined || actual === expected) return undefined;
  return {
    reason: "TrustDomainUnexpected",
    message: `Deployment/${deployment.metadata.name} has the trust domain ${actual}, but the spec has ${expected}, so the policies are not updated: set spec.mesh.istio.trustDomain: ${actual}`,
  };
}
