import type { MlflowServer } from "../../api/server.ts";
import { choice } from "../choose.ts";

/**
 * What puts a server into the mesh, by mode, in the order in which it is switched on; it is switched off backwards. The
 * first step is the pods' own labels. In ambient mode requests go through the waypoint only when its policy is there, and
 * pods are locked only when requests go through the waypoint; a sidecar has its policy only when each pod has one.
 */
export const meshSteps = {
  Ambient: ["ambient", "waypoint", "traces", "binding", "allowFromWaypoint", "denyBypass"],
  Sidecar: ["sidecar", "inbound"],
} as const;

/**
 * The listener for traces, where the mesh's word is enough: first what lets the writers in and nobody else, then the door,
 * the one thing that is taken back when a proof is lost.
 */
const listenerSteps = ["writers", "listener"] as const;

export type MeshMode = keyof typeof meshSteps;

export type MeshStep = (typeof meshSteps)[MeshMode][number] | (typeof listenerSteps)[number];

/** All steps that the spec wants; none without a mesh. */
export function meshStepsOf(server: Pick<MlflowServer, "spec">): readonly MeshStep[] {
  const { mesh } = server.spec;
  if (mesh === undefined) return [];
  return [...choice(mesh.istio.mode, "spec.mesh.istio.mode", meshSteps), ...(hasListener(server) ? listenerSteps : [])];
}

/** Nobody named means nobody, and then no door at all. */
export function hasListener({ spec }: Pick<MlflowServer, "spec">): boolean {
  if (spec.mesh === undefined || spec.traces === undefined) return false;
  const { identity = "Application", writers } = spec.traces;
  return choice(identity, "spec.traces.identity", { Application: false, Mesh: writers.length > 0 });
}
