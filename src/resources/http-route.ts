import type { HTTPRoute } from "../kube/manifests.ts";
import { externalAddressOf, routeHosts } from "./exposure.ts";
import type { Inputs } from "./inputs.ts";
import { ownedMetadata } from "./metadata.ts";
import { objectNames, port } from "./names.ts";

/**
 * Leads hosts to the Service, with the prefix: that is taken off behind it. What the API server would fill in is written,
 * since in a list that has one owner as a whole it would look like somebody else's.
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
          // None: how long an artifact takes is the client's line's business. MLflow and the proxy have limits of their own.
          timeouts: { request: "0s" },
        },
      ],
    },
  };
}
