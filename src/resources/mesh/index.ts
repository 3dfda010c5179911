import type { MlflowServer } from "../../api/server.ts";
import type { AuthorizationPolicy, Gateway } from "../../kube/manifests.ts";
import type { Inputs } from "../inputs.ts";
import { objectNames } from "../names.ts";
import { lock, passage } from "./lock.ts";
import { sidecarPolicy } from "./sidecar-policy.ts";
import { type MeshStep, meshStepsOf } from "./steps.ts";
import { tracesPolicy } from "./traces-policy.ts";
import { waypoint } from "./waypoint.ts";

/** The builders of the mesh. Each has its object when its turn has come. */
export const meshBuilders = [
  turn("waypoint", waypoint),
  turn("traces", tracesPolicy),
  turn("passage", passage),
  turn("lock", lock),
  turn("inbound", sidecarPolicy),
];

/** What is on its way out, of a mode that the spec does not have any more, is left as it is. */
function turn<T extends Gateway | AuthorizationPolicy>(step: MeshStep, build: (server: MlflowServer) => T) {
  return ({ server, mesh }: Inputs): T | undefined =>
    meshStepsOf(server).includes(step) && mesh.has(step) ? build(server) : undefined;
}

/** The step that an object of this kind and name is; undefined where it is none of this server's. */
export function meshStepOf(kind: string, name: string, server: string): MeshStep | undefined {
  if (kind === "Gateway") return name === objectNames.waypoint(server) ? "waypoint" : undefined;
  if (kind !== "AuthorizationPolicy") return undefined;
  if (name === objectNames.tracesPolicy(server)) return "traces";
  if (name === objectNames.sidecarPolicy(server)) return "inbound";
  if (name === objectNames.fromWaypoint(server)) return "passage";
  return name === objectNames.lock(server) ? "lock" : undefined;
}
