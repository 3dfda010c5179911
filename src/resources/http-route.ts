import type { HTTPRoute } from "../kube/manifests.ts";
import { externalAddressOf, routeHosts } from "../model/exposure.ts";
import type { Inputs } from "../model/inputs.ts";
import { ownedMetadata } from "../model/metadata.ts";
import { objectNames, port } from "../model/names.ts";

/**
 * Returns the HTTPRoute of a server. It keeps the prefix, which the server strips. It sets the API server's defaults
 * explicitly, because in an atomic list a default would look like a change by another client.
 */
export function httpRoute({ server, routes }: Pick<Inputs, "server" | "routes">): HTTPRoute | undefined {
  const settings = server.spec.exposure?.httpRoute;
  if (settings === undefined || !routes.has("HTTPRoute")) return undefined;
  const value = externalAddressOf(server)?.prefix || "/";
  const service = objectNames.service(server.metadata.name);
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: ownedMetadata(server, objectNames.httpRoute(server.metadata.name)),
    spec: {
      parentRefs: settings.parentRefs.map((parent) => ({
        group: "gateway.networking.k8s.io",
        kind: "Gateway",
        ...parent,
      })),
      hostnames: [...routeHosts(server)],
      rules: [
        {
          matches: [{ path: { type: "PathPrefix", value } }],
          backendRefs: [{ group: "", kind: "Service", name: service, port, weight: 1 }],
          // No timeout: a slow upload of an artifact is not an error. MLflow and the proxy have their own limits.
          timeouts: { request: "0s" },
        },
      ],
    },
  };
}
