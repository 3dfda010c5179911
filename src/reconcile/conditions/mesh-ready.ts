import type { ServerCondition } from "./condition.ts";

/** A name conflict is reported here as well if it blocks the next step of the mesh. */
export const meshReady: ServerCondition = {
  type: "MeshReady",
  meaning:
    "With `spec.mesh` or `spec.traces`: Istio enforces that only the writers can access `/v1/traces`, as far as its objects, the pods and a probe show. `Ready` does not wait for it.",
  isOf: ({ mesh, traces }) => mesh !== undefined || traces !== undefined,
  state: ({ mesh, outcome: { cause } }) => {
    if (mesh === undefined) return undefined;
    const hasNameConflict = mesh.reason === "MeshProgressing" && cause.reason === "NameConflict";
    return { ...mesh, ...(hasNameConflict && cause) };
  },
};
