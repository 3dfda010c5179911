import type { V1Probe } from "@kubernetes/client-node";
import type { ServerModel } from "../../features/server-model.ts";
import { port } from "../../model/names.ts";

/** Returns the probes of MLflow. `/health` needs no credential with any authentication method, and accepts any Host header. */
export function probes(model: ServerModel): Record<"startupProbe" | "readinessProbe" | "livenessProbe", V1Probe> {
  const { proxy, authentication, addresses, pod } = model;
  // Behind oauth2-proxy MLflow listens on loopback, so the probe runs in the container: Python without `site`, which takes
  // about 40 ms. An unauthenticated path through the proxy would weaken it.
  const probe = (path: string): V1Probe =>
    proxy === undefined
      ? { httpGet: { path, port: "http", scheme: addresses.scheme.toUpperCase() } }
      : { exec: { command: ["python", "-I", "-S", "-c", program(path)] } };
  // An exec probe costs more than a request, especially while MLflow starts.
  const periodSeconds = proxy === undefined ? 2 : 5;
  const startup = { periodSeconds, failureThreshold: Math.ceil(pod.startupSeconds / periodSeconds) };
  const readinessPath = authentication.readinessPath ?? "/health";
  return {
    // The time to start is for a large registry or a slow node. The other probes start after this one succeeds.
    startupProbe: { ...probe("/health"), ...startup, timeoutSeconds: 5 },
    // Removes a pod from the Service within 15 seconds.
    readinessProbe: { ...probe(readinessPath), periodSeconds: 5, failureThreshold: 3, timeoutSeconds: 5 },
    // Restarts a process that hangs for a minute; a busy process has time to answer.
    livenessProbe: { ...probe("/health"), periodSeconds: 10, failureThreshold: 6, timeoutSeconds: 10 },
  };
}

const program = (path: string) =>
  [
    "from http.client import HTTPConnection as C",
    `c = C("127.0.0.1", ${port}, timeout=4)`,
    `c.request("GET", "${path}")`,
    "raise SystemExit(c.getresponse().status != 200)",
  ].join("; ");
