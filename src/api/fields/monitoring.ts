import { z } from "zod";
import { requiredRemedy } from "./rule.ts";
import { namespaceName } from "./text.ts";

/** Metrics of a server for Prometheus. */
export const monitoring = z
  .strictObject({
    namespace: namespaceName(
      "Namespace of Prometheus: only its pods can connect to the ports of the metrics. Example: monitoring.",
      "monitoring",
    ).meta(requiredRemedy("write the namespace of Prometheus, such as namespace: monitoring")),
  })
  .meta({
    description:
      "Metrics of requests for Prometheus, on ports of the pods that the Service does not have. Default: none. Example: {namespace: monitoring}.",
  });
