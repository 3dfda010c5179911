import type { MlflowServer } from "../../api/server.ts";
import type { ServerModel } from "../../features/server-model.ts";
import type { Manifest } from "../../kube/manifests.ts";
import { type MeshStep, meshStepsOf } from "../../model/mesh.ts";
import { objectNames } from "../../model/names.ts";
import { listenerDeployment } from "../traces/deployment.ts";
import { listenerNetworkPolicy, listenerService, listenerServiceAccount } from "../traces/listener.ts";
import {
  allowFromWaypoint,
  allowWriters,
  denyBypass,
  denyNonWriters,
  sidecarPolicy,
  tracesPolicy,
} from "./policies.ts";
import { waypoint, waypointParameters } from "./waypoint.ts";

/** The builders of the mesh. Each returns its object if its step is enabled. */
export const meshBuilders = [
  inStep("waypoint", waypointParameters),
  inStep("waypoint", waypoint),
  inStep("traces", tracesPolicy),
  inStep("allowFromWaypoint", allowFromWaypoint),
  inStep("denyBypass", denyBypass),
  inStep("inbound", sidecarPolicy),
  inStep("writers", denyNonWriters),
  inStep("writers", allowWriters),
  inStep("writers", listenerNetworkPolicy),
  inStep("writers", listenerServiceAccount),
  inStep("writers", listenerService),
  inStep("listener", (_, model) => listenerDeployment(model)),
];

/**
 * Objects of a mode that the spec no longer has are not changed while they are removed. Policies are not changed while the trust
 * domain of the spec does not match the mesh: they would deny all clients.
 */
function inStep<T extends Manifest>(
  step: MeshStep,
  build: (server: MlflowServer, model: ServerModel) => T | undefined,
) {
  return (model: ServerModel): T | undefined => {
    const { server } = model.source;
    if (!meshStepsOf(server).includes(step) || !model.mesh.steps.has(step)) return undefined;
    const built = build(server, model);
    return model.mesh.keepsPolicies && built?.kind === "AuthorizationPolicy" ? undefined : built;
  };
}

/** Returns the mesh step of an object; undefined if the object is not one of this server's mesh objects. */
export function meshStepOf(kind: string, name: string, server: string): MeshStep | undefined {
  if (name === objectNames.waypoint(server)) return waypointKinds.includes(kind) ? "waypoint" : undefined;
  if (kind === "AuthorizationPolicy") return policySteps.find(([of]) => of(server) === name)?.[1];
  if (name !== objectNames.listener(server)) return undefined;
  if (kind === "Deployment") return "listener";
  return listenerKinds.includes(kind) ? "writers" : undefined;
}

const policySteps: readonly (readonly [(server: string) => string, MeshStep])[] = [
  [objectNames.tracesPolicy, "traces"],
  [objectNames.allowFromWaypoint, "allowFromWaypoint"],
  [objectNames.denyBypass, "denyBypass"],
  [objectNames.sidecarPolicy, "inbound"],
  [objectNames.allowWriters, "writers"],
  [objectNames.denyNonWriters, "writers"],
];

const waypointKinds: readonly string[] = ["Gateway", "ConfigMap"];

const listenerKinds: readonly string[] = ["NetworkPolicy", "ServiceAccount", "ConfigMap", "Service"];
