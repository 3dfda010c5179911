import { hasExternalService } from "../../model/exposure.ts";
import type { ServerCondition } from "./condition.ts";

/** A name conflict is reported here as well if it blocks the route. */
export const exposed: ServerCondition = {
  type: "Exposed",
  meaning:
    "With `spec.exposure.ingress` or `httpRoute`, or with `service.type: LoadBalancer` or `NodePort`: their controllers report that the server is exposed outside the cluster. `Ready` does not wait for it.",
  isOf: (spec) =>
    spec.exposure?.ingress !== undefined || spec.exposure?.httpRoute !== undefined || hasExternalService(spec),
  state: ({ exposure, outcome: { cause } }) => {
    const condition = exposure?.condition;
    if (condition === undefined) return undefined;
    const hasNameConflict = condition.reason === "RouteProgressing" && cause.reason === "NameConflict";
    return { ...condition, ...(hasNameConflict && cause) };
  },
};
