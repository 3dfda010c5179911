import type { ServerCondition } from "./condition.ts";

/** A name conflict is reported here as well if it blocks the route. */
export const exposed: ServerCondition = {
  type: "Exposed",
  meaning:
    "With `spec.exposure.ingress` or `httpRoute`: their controllers report that the server is exposed outside the cluster. `Ready` does not wait for it.",
  isOf: ({ exposure }) => exposure?.ingress !== undefined || exposure?.httpRoute !== undefined,
  state: ({ exposure, outcome: { cause } }) => {
    const condition = exposure?.condition;
    if (condition === undefined) return undefined;
    const hasNameConflict = condition.reason === "RouteProgressing" && cause.reason === "NameConflict";
    return { ...condition, ...(hasNameConflict && cause) };
  },
};
