import type { MlflowServer } from "../../api/server.ts";
import type { Manifest } from "../../kube/manifests.ts";
import type { Inputs } from "../inputs.ts";
import { objectNames } from "../names.ts";
import { listenerDeployment } from "../traces/deployment.ts";
import { listenerNetworkPolicy } from "../traces/network-policy.ts";
import { allowWriters, denyNonWriters } from "../traces/policies.ts";
import { listenerService } from "../traces/service.ts";
import { listenerServiceAccount } from "../traces/service-account.ts";
import { sidecarPolicy } from "./sidecar-policy.ts";
import { type MeshStep, meshStepsOf } from "./steps.ts";
import { tracesPolicy } from "./traces-policy.ts";
import { waypoint } from "./waypoint.ts";
import { allowFromWaypoint, denyBypass } from "./waypoint-only-policies.ts";
import { waypointParameters } from "./waypoint-parameters.ts";

/** The builders of the mesh. Each has its object when its turn has come. */
export const meshBuilders = [
  turn("waypoint", waypointParameters),
  turn("waypoint", waypoint),
  turn("traces", tracesPolicy),
  turn("allowFromWaypoint", allowFromWaypoint),
  turn("denyBypass", denyBypass),
  turn("inbound", sidecarPolicy),
  turn("writers", denyNonWriters),
  turn("writers", allowWriters),
  turn("writers", listenerNetworkPolicy),
  turn("writers", listenerServiceAccount),
  turn("writers", listenerService),
  turn("listener", (_, inputs) => listenerDeployment(inputs)),
];

/**
 * What is on its way out, of a mode that the spec does not have any more, is left as it is; and so are policies for which the spec has
 * identities that nobody has: they would keep out everybody who is in.
 */
function turn<T extends Manifest>(step: MeshStep, build: (server: MlflowServer, inputs: Inputs) => T | undefined) {
  return (inputs: Inputs): T | undefined => {
    if (!meshStepsOf(inputs.server).includes(step) || !inputs.mesh.has(step)) return undefined;
    const built = build(inputs.server, inputs);
    return inputs.isMeshHeld && built?.kind === "AuthorizationPolicy" ? undefined : built;
  };
}

/** The step that an object of this kind and name is; undefined where it is none of this server's. */
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
