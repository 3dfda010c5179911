import type { MlflowServer } from "../api/server.ts";
import type { MlflowServerSpec } from "../api/spec.ts";
import { type ExternalAddress, externalAddressOf, originsOf } from "./exposure.ts";
import type { Installation } from "./inputs.ts";
import { objectNames, port, proxyPort, serviceUrl } from "./names.ts";

/** Under which addresses clients reach a server. */
export interface Addresses {
  /** The scheme of the Service and of the pods' port. */
  readonly scheme: "http" | "https";
  /** The URL for clients in the cluster. */
  readonly serviceURL: string;
  /** The URL for browsers: the external one, or without it that of the Service. */
  readonly publicURL: string;
  readonly external: ExternalAddress | undefined;
  /** The path of the external URL; can be empty. */
  readonly prefix: string;
  /** All external origins, that of the URL first. */
  readonly origins: readonly URL[];
  /** The names of the Service and of the pod itself, as in the Host header without port. */
  readonly serviceHosts: readonly string[];
}

/** Returns the addresses of a server. */
export function addressesIn(server: MlflowServer, { clusterDomain }: Pick<Installation, "clusterDomain">): Addresses {
  const external = externalAddressOf(server);
  const serviceURL = serviceUrl(server);
  const service = objectNames.service(server.metadata.name);
  const qualified = `${service}.${server.metadata.namespace}`;
  return {
    scheme: server.spec.server?.tls === undefined ? "http" : "https",
    serviceURL,
    publicURL: external?.url ?? serviceURL,
    external,
    prefix: external?.prefix ?? "",
    origins: originsOf(server),
    serviceHosts: [
      "localhost",
      "127.0.0.1",
      "[::1]",
      service,
      qualified,
      `${qualified}.svc`,
      `${qualified}.svc.${clusterDomain}`,
    ],
  };
}

/** Whether oauth2-proxy runs in front of MLflow, which then listens on loopback only. */
export function isProxied({ authentication }: Pick<MlflowServerSpec, "authentication">): boolean {
  return authentication.oauth2Proxy !== undefined;
}

/** Returns the port of the pods for clients: that of oauth2-proxy, or without it that of MLflow. */
export function servingPort({ spec }: Pick<MlflowServer, "spec">): number {
  return isProxied(spec) ? proxyPort : port;
}

/** Returns a cookie name that is unique per server: cookies are separate by host, but not by port and path. */
export function sessionCookieName(
  { metadata, addresses }: Pick<MlflowServer, "metadata"> & { readonly addresses: Pick<Addresses, "prefix"> },
  isSecure: boolean,
): string {
  // With these prefixes browsers accept the cookie by https only; `__Host-` requires the path `/`.
  const prefix = addresses.prefix === "" ? "__Host-" : "__Secure-";
  return `${isSecure ? prefix : ""}_${metadata.namespace}_${objectNames.service(metadata.name)}`;
}
