import type { Ingress } from "../kube/manifests.ts";
import { externalAddressOf, ingressHosts } from "../model/exposure.ts";
import type { Inputs } from "../model/inputs.ts";
import { ownedMetadata } from "../model/metadata.ts";
import { objectNames, port } from "../model/names.ts";

/** Returns the Ingress of a server. It keeps the prefix, which the server strips. */
export function ingress({ server, routes }: Pick<Inputs, "server" | "routes">): Ingress | undefined {
  const settings = server.spec.exposure?.ingress;
  if (settings === undefined || !routes.has("Ingress")) return undefined;
  const { className, annotations, hosts, tls = [] } = settings;
  const names = ingressHosts(server);
  const prefix = externalAddressOf(server)?.prefix ?? "";
  const metadata = ownedMetadata(server, objectNames.ingress(server.metadata.name));
  const backend = { service: { name: objectNames.service(server.metadata.name), port: { number: port } } };
  const pathsOf = (host: string) => hosts?.find((each) => each.host === host)?.paths ?? ["/"];
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: { ...metadata, ...(annotations !== undefined && { annotations }) },
    spec: {
      ...(className !== undefined && { ingressClassName: className }),
      ...(tls.length > 0 && {
        tls: tls.map(({ secretName, hosts: those = names }) => ({ secretName, hosts: [...those] })),
      }),
      rules: names.map((host) => ({
        host,
        http: {
          paths: pathsOf(host).map((path) => ({
            path: path === "/" ? prefix || "/" : `${prefix}${path}`,
            pathType: "Prefix",
            backend,
          })),
        },
      })),
    },
  };
}
