/**
 * What puts a server into the mesh, in the order in which it is switched on; it is switched off backwards. Requests go
 * through the waypoint only when its policy is there, and pods are locked only when requests go through the waypoint.
 */
export const meshSteps = ["waypoint", "traces", "binding", "passage", "lock"] as const;

export type MeshStep = (typeof meshSteps)[number];
