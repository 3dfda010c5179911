import type { V1Probe } from "@kubernetes/client-node";
import { authenticationOf } from "../authentication/index.ts";
import type { Inputs } from "../inputs.ts";

/** `/health` answers without a credential under every authentication of MLflow, and whatever the Host header. */
export function probes(inputs: Inputs): Record<"startupProbe" | "readinessProbe" | "livenessProbe", V1Probe> {
  const { readinessPath = "/health" } = authenticationOf(inputs);
  const scheme = inputs.server.spec.server?.tls === undefined ? "HTTP" : "HTTPS";
  const httpGet = { path: "/health", port: "http", scheme };
  return {
    // Five minutes to start: a large registry or a slow node takes its time, and nothing else judges it until then.
    startupProbe: { httpGet, periodSeconds: 2, failureThreshold: 150, timeoutSeconds: 5 },
    // Takes a pod out of the Service within a quarter of a minute.
    readinessProbe: {
      httpGet: { ...httpGet, path: readinessPath },
      periodSeconds: 5,
      failureThreshold: 3,
      timeoutSeconds: 5,
    },
    // Restarts a process that has hung for a minute; a busy one has time to answer.
    livenessProbe: { httpGet, periodSeconds: 10, failureThreshold: 6, timeoutSeconds: 10 },
  };
}
