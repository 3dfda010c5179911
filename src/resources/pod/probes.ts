import type { V1Probe } from "@kubernetes/client-node";

/** `/health` answers without a credential under every authentication of MLflow, and whatever the Host header. */
const httpGet = { path: "/health", port: "http", scheme: "HTTP" };

/** Five minutes to start: a large registry or a slow node takes its time, and nothing else judges it until then. */
export const startupProbe: V1Probe = { httpGet, periodSeconds: 2, failureThreshold: 150, timeoutSeconds: 5 };

/** Takes a pod out of the Service within a quarter of a minute. */
export const readinessProbe: V1Probe = { httpGet, periodSeconds: 5, failureThreshold: 3, timeoutSeconds: 5 };

/** Restarts a process that has hung for a minute; a busy one has time to answer. */
export const livenessProbe: V1Probe = { httpGet, periodSeconds: 10, failureThreshold: 6, timeoutSeconds: 10 };
