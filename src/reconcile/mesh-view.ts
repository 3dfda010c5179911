import type { MlflowServer } from "../api/server.ts";
import type { AuthorizationPolicy, Deployment, Gateway, OtherResource, Owned, Service } from "../kube/manifests.ts";
import { enrolmentOf, type MeshStep } from "../model/mesh.ts";
import { objectNames } from "../model/names.ts";
import { meshStepOf } from "../resources/mesh/index.ts";
import { waypointLabels } from "../resources/mesh/waypoint.ts";
import type { ProbeResults } from "./probe-results.ts";
import { deploymentNamed, deploymentOf } from "./server-workload.ts";
import type { Evidence } from "./warnings.ts";

/** The observed state of a server in a mesh. */
export interface MeshView {
  readonly server: MlflowServer;
  readonly owned: readonly Owned[];
  /** Includes the Deployment that Istio has created for the waypoint. */
  readonly unmanaged: readonly Owned[];
  /** Undefined until they are known. */
  readonly otherResources: readonly OtherResource[] | undefined;
  /** Whether the cluster has the kinds of Istio and the Gateway API that the server's mode needs. */
  readonly isAvailable: boolean;
  /** Results of the operator's own requests, made once all other checks pass; undefined until they are known. */
  readonly probes: () => ProbeResults | undefined;
  /** Events and the time, which with the status of pods show why they do not start. */
  readonly evidence: Evidence;
}

/** Whether the object of a step has been applied; not whether it is effective. */
export function isApplied(step: MeshStep, view: MeshView): boolean {
  switch (step) {
    case "ambient":
    case "sidecar":
      return enrolmentOf(deploymentOf(view)?.spec.template.metadata?.labels) === step;
    case "waypoint":
      return gatewayOf(view) !== undefined;
    case "binding": {
      const labels = serviceOf(view)?.metadata.labels;
      return Object.entries(waypointLabels(view.server)).some(([key, value]) => labels?.[key] === value);
    }
    default: {
      const { name } = view.server.metadata;
      return view.owned.some(({ kind, metadata }) => meshStepOf(kind, metadata.name, name) === step);
    }
  }
}

export function gatewayOf({ owned, server }: MeshView): Gateway | undefined {
  const { name } = server.metadata;
  return owned.find(
    (object): object is Gateway =>
      object.kind === "Gateway" && meshStepOf(object.kind, object.metadata.name, name) === "waypoint",
  );
}

/** The policy of this name as last seen. */
export function livePolicy({ metadata }: AuthorizationPolicy, { owned }: MeshView): AuthorizationPolicy | undefined {
  return owned.find(
    (object): object is AuthorizationPolicy =>
      object.kind === "AuthorizationPolicy" && object.metadata.name === metadata.name,
  );
}

export function serviceOf({ owned, server }: MeshView): Service | undefined {
  const name = objectNames.service(server.metadata.name);
  return owned.find((object): object is Service => object.kind === "Service" && object.metadata.name === name);
}

/** The Deployment of the listener for traces. */
export function listenerOf({ owned, server }: Pick<MeshView, "owned" | "server">): Deployment | undefined {
  return deploymentNamed(objectNames.listener(server.metadata.name), owned);
}

/** The waypoint's Deployment, which Istio owns. */
export function waypointDeployment({ unmanaged, server }: MeshView): Deployment | undefined {
  return deploymentNamed(objectNames.waypoint(server.metadata.name), unmanaged);
}
