import type { V1Probe } from "@kubernetes/client-node";
import { authenticationOf } from "../authentication/index.ts";
import type { Inputs } from "../inputs.ts";
import { port } from "../names.ts";
import { isProxied } from "../serving-port.ts";

/** `/health` answers without a credential under every authentication of MLflow, and whatever the Host header. */
export function probes(inputs: Inputs): Record<"startupProbe" | "readinessProbe" | "livenessProbe", V1Probe> {
  const { readinessPath = "/health" } = authenticationOf(inputs);
  // A program costs more than a request, above all while MLflow starts.
  const startup = isProxied(inputs.server.spec)
    ? { periodSeconds: 5, failureThreshold: 60 }
    : { periodSeconds: 2, failureThreshold: 150 };
  return {
    // Five minutes to start: a large registry or a slow node takes its time, and nothing else judges it until then.
    startupProbe: { ...question(inputs, "/health"), ...startup, timeoutSeconds: 5 },
    // Takes a pod out of the Service within a quarter of a minute.
    readinessProbe: { ...question(inputs, readinessPath), periodSeconds: 5, failureThreshold: 3, timeoutSeconds: 5 },
    // Restarts a process that has hung for a minute; a busy one has time to answer.
    livenessProbe: { ...question(inputs, "/health"), periodSeconds: 10, failureThreshold: 6, timeoutSeconds: 10 },
  };
}

/**
 * Behind a proxy MLflow answers to its own pod only, so the question is asked in the container: by a Python without
 * `site`, which takes some 40 ms. A path that the proxy lets everybody through to would be a hole for nothing.
 */
function question({ server }: Inputs, path: string): V1Probe {
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
