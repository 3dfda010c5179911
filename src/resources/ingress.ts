import type { Ingress } from "../kube/manifests.ts";
import { ownedMetadata } from "../model/metadata.ts";
import { port } from "../model/names.ts";
import type { ServerBase } from "../model/server-base.ts";

/** Returns the Ingress of a server. It keeps the prefix, which the server strips. */
export function ingress({ owner, names, routes }: Pick<ServerBase, "owner" | "names" | "routes">): Ingress | undefined {
  if (routes.ingress === undefined) return undefined;
  const { className, annotations, tls, rules } = routes.ingress;
  const backend = { service: { name: names.service, port: { number: port } } };
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: { ...ownedMetadata(owner, names.ingress), ...(annotations !== undefined && { annotations }) },
    spec: {
      ...(className !== undefined && { ingressClassName: className }),
      ...(tls.length > 0 && { tls: tls.map(({ secretName, hosts }) => ({ secretName, hosts: [...hosts] })) }),
      rules: rules.map(({ host, paths }) => ({
        host,
        http: { paths: paths.map((path) => ({ path, pathType: "Prefix", backend })) },
      })),
    },
  };
}
