import type { HTTPRoute, Ingress, Service } from "../kube/manifests.ts";
import { ownedMetadata, podSelector } from "../model/metadata.ts";
import { port } from "../model/names.ts";
import type { ServerBase } from "../model/server-base.ts";

/**
 * Returns the HTTPRoute of a server. It keeps the prefix, which the server strips. It sets the API server's defaults
 * explicitly, because in an atomic list a default would look like a change by another client.
 */
export function httpRoute({
  owner,
  names,
  routes,
}: Pick<ServerBase, "owner" | "names" | "routes">): HTTPRoute | undefined {
  if (routes.httpRoute === undefined) return undefined;
  const { parentRefs, hostnames, path, artifactPaths } = routes.httpRoute;
  const rule = (paths: readonly string[], service: string) => ({
    matches: paths.map((value) => ({ path: { type: "PathPrefix" as const, value } })),
    backendRefs: [{ group: "", kind: "Service", name: service, port, weight: 1 }],
    // No timeout: a slow upload of an artifact is not an error. MLflow and the proxy have their own limits.
    timeouts: { request: "0s" },
  });
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: ownedMetadata(owner, names.httpRoute),
    spec: {
      parentRefs: parentRefs.map((parent) => ({ group: "gateway.networking.k8s.io", kind: "Gateway", ...parent })),
      hostnames: [...hostnames],
      rules: [
        rule([path], names.service),
        ...(artifactPaths.length === 0 ? [] : [rule(artifactPaths, names.artifactServer)]),
      ],
    },
  };
}

/** Returns the Ingress of a server. It keeps the prefix, which the server strips. */
export function ingress({ owner, names, routes }: Pick<ServerBase, "owner" | "names" | "routes">): Ingress | undefined {
  if (routes.ingress === undefined) return undefined;
  const { className, annotations, tls, rules } = routes.ingress;
  const pathTo = (service: string) => (path: string) => ({
    path,
    pathType: "Prefix",
    backend: { service: { name: service, port: { number: port } } },
  });
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: { ...ownedMetadata(owner, names.ingress), ...(annotations !== undefined && { annotations }) },
    spec: {
      ...(className !== undefined && { ingressClassName: className }),
      ...(tls.length > 0 && { tls: tls.map(({ secretName, hosts }) => ({ secretName, hosts: [...hosts] })) }),
      rules: rules.map(({ host, paths, artifactPaths }) => ({
        host,
        http: { paths: [...paths.map(pathTo(names.service)), ...artifactPaths.map(pathTo(names.artifactServer))] },
      })),
    },
  };
}

/**
 * Returns the Service for clients outside the cluster. The other one stays as it is, so that clients in the cluster keep its address when
 * this one changes or is deleted.
 */
export function externalService({
  owner,
  names,
  routes,
}: Pick<ServerBase, "owner" | "names" | "routes">): Service | undefined {
  if (routes.service === undefined) return undefined;
  const { annotations, scheme, port: outside, nodePort, ...settings } = routes.service;
  const serving = { name: "http", port: outside, targetPort: "http", protocol: "TCP", appProtocol: scheme };
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { ...ownedMetadata(owner, names.externalService), ...(annotations && { annotations }) },
    spec: {
      ...settings,
      selector: podSelector(owner),
      ports: [{ ...serving, ...(nodePort !== undefined && { nodePort }) }],
    },
  };
}
