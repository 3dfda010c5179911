import type { MlflowServer } from "../../api/server.ts";

/**
 * What puts a server into the mesh, by mode, in the order in which it is switched on; it is switched off backwards. The
 * first step is the pods' own labels. In ambient mode requests go through the waypoint only when its policy is there, and
 * pods are locked only when requests go through the waypoint; a sidecar has its policy only when each pod has one.
 */
export const meshSteps = {
  Ambient: ["ambient", "waypoint", "traces", "binding", "passage", "lock"],
  Sidecar: ["sidecar", "inbound"],
} as const;

export type MeshMode = keyof typeof meshSteps;

export type MeshStep = (typeof meshSteps)[MeshMode][number];

/** All steps of the mode that the spec wants; none without a mesh. */
export function meshStepsOf({ spec }: Pick<MlflowServer, "spec">): readonly MeshStep[] {
  return spec.mesh === undefined ? [] : meshSteps[spec.mesh.istio.mode];
}
