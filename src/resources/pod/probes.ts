import type { V1Probe } from "@kubernetes/client-node";
import type { Inputs } from "../../model/inputs.ts";
import { port } from "../../model/names.ts";
import { isProxied } from "../../model/serving-port.ts";
import { authenticationOf } from "../authentication/index.ts";

/** Returns the probes of MLflow. `/health` needs no credential with any authentication method, and accepts any Host header. */
export function probes(inputs: Inputs): Record<"startupProbe" | "readinessProbe" | "livenessProbe", V1Probe> {
  const { readinessPath = "/health" } = authenticationOf(inputs);
  // An exec probe costs more than a request, especially while MLflow starts.
  const startup = isProxied(inputs.server.spec)
    ? { periodSeconds: 5, failureThreshold: 60 }
    : { periodSeconds: 2, failureThreshold: 150 };
  return {
    // Five minutes to start, for a large registry or a slow node. The other probes start after this one succeeds.
    startupProbe: { ...probe(inputs, "/health"), ...startup, timeoutSeconds: 5 },
    // Removes a pod from the Service within 15 seconds.
    readinessProbe: { ...probe(inputs, readinessPath), periodSeconds: 5, failureThreshold: 3, timeoutSeconds: 5 },
    // Restarts a process that hangs for a minute; a busy process has time to answer.
    livenessProbe: { ...probe(inputs, "/health"), periodSeconds: 10, failureThreshold: 6, timeoutSeconds: 10 },
  };
}

/**
 * Behind oauth2-proxy MLflow listens on loopback, so the probe runs in the container: Python without `site`, which takes
 * about 40 ms. An unauthenticated path through the proxy would weaken it.
 */
function probe({ server }: Inputs, path: string): V1Probe {
  if (isProxied(server.spec)) return { exec: { command: ["python", "-I", "-S", "-c", program(path)] } };
  const scheme = server.spec.server?.tls === undefined ? "HTTP" : "HTTPS";
  return { httpGet: { path, port: "http", scheme } };
}

const program = (path: string) =>
  [
    "from http.client import HTTPConnection as C",
    `c = C("127.0.0.1", ${port}, timeout=4)`,
    `c.request("GET", "${path}")`,
    "raise SystemExit(c.getresponse().status != 200)",
  ].join("; ");
