import type { V1Container, V1Probe } from "@kubernetes/client-node";
import { defaults } from "../../api/defaults.ts";
import type { ProxySettings } from "../../api/fields/oauth2-proxy.ts";
import type { Inputs } from "../../model/inputs.ts";
import { proxyPort } from "../../model/names.ts";
import { computeResources } from "../pod/compute-resources.ts";
import { containerSecurityContext } from "../pod/security.ts";
import { httpProxy } from "../pod/user-environment.ts";
import { proxyArguments } from "./arguments.ts";
import { proxyImageOf } from "./image.ts";
import { sessionVariables } from "./redis.ts";

/** Returns the container of oauth2-proxy, the only one of the pod that accepts external connections. */
export function proxyContainer(inputs: Inputs, proxy: ProxySettings): V1Container {
  const scheme = inputs.server.spec.server?.tls === undefined ? "HTTP" : "HTTPS";
  // oauth2-proxy answers this path itself, without a credential and without MLflow, which has its own probes.
  const probe: V1Probe = { httpGet: { path: "/ping", port: "http", scheme }, timeoutSeconds: 5 };
  const env = [...sessionVariables(proxy.session?.redis), ...httpProxy(inputs)];
  return {
    name: "oauth2-proxy",
    image: proxyImageOf(inputs),
    imagePullPolicy: proxy.image?.pullPolicy ?? "IfNotPresent",
    args: proxyArguments(inputs, proxy),
    ...(env.length > 0 && { env }),
    ports: [{ name: "http", containerPort: proxyPort, protocol: "TCP" }],
    resources: computeResources(defaults.proxyRequests, proxy.resources),
    startupProbe: { ...probe, periodSeconds: 2, failureThreshold: 30 },
    readinessProbe: { ...probe, periodSeconds: 5, failureThreshold: 3 },
    livenessProbe: { ...probe, periodSeconds: 10, failureThreshold: 6 },
    // It accepts no connections after SIGTERM, so the endpoint must be removed from the Service before.
    lifecycle: { preStop: { sleep: { seconds: 5 } } },
    securityContext: containerSecurityContext,
  };
}
