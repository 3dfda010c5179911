import type { MlflowServer } from "../api/server.ts";

/** Kinds that lead clients from outside to a server. */
export const routeKinds = ["Ingress", "HTTPRoute"] as const;

export type RouteKind = (typeof routeKinds)[number];

/** What clients outside see of a server (`exposure`). */
export interface ExternalAddress {
  /** Without a slash at its end. */
  readonly url: string;
  /** Scheme, host and port, as browsers name it. */
  readonly origin: string;
  /** Host and port, as browsers send it. */
  readonly host: string;
  /** The path, which clients in the cluster leave out; empty where there is none. */
  readonly prefix: string;
}

/** Undefined where the spec names no URL for clients outside, and no host, or one that is no URL (`invalidUrls`). */
export function externalAddressOf({ spec }: Pick<MlflowServer, "spec">): ExternalAddress | undefined {
  const url = spec.exposure?.externalURL ?? defaultUrl(spec);
  if (url === undefined) return undefined;
  const parsed = URL.parse(url);
  if (parsed === null) return undefined;
  const { origin, host, pathname } = parsed;
  return { url, origin, host, prefix: pathname === "/" ? "" : pathname };
}

/** Certificates of an HTTPRoute are its Gateway's, of which the server says nothing. */
function defaultUrl({ exposure }: MlflowServer["spec"]): string | undefined {
  const { ingress, httpRoute } = exposure ?? {};
  const host = ingress?.hosts?.[0]?.host ?? httpRoute?.hostnames?.[0];
  if (host === undefined) return undefined;
  const isPlain = ingress?.hosts !== undefined && (ingress.tls ?? []).length === 0;
  return `${isPlain ? "http" : "https"}://${host}`;
}

/** All origins by which the operator leads clients to the server, that of its URL first; all have its scheme and port. */
export function originsOf(server: Pick<MlflowServer, "spec">): readonly URL[] {
  const outside = externalAddressOf(server);
  if (outside === undefined) return [];
  const { protocol = "https:", port = "" } = URL.parse(outside.origin) ?? {};
  const further = [...ingressHosts(server), ...routeHosts(server)].map(
    (host) => `${protocol}//${host}${port === "" ? "" : `:${port}`}`,
  );
  return [...new Set([outside.origin, ...further])].flatMap((origin) => URL.parse(origin) ?? []);
}

/** Hosts of the Ingress; none where there is none. */
export function ingressHosts(server: Pick<MlflowServer, "spec">): readonly string[] {
  const { ingress } = server.spec.exposure ?? {};
  if (ingress === undefined) return [];
  return ingress.hosts?.map(({ host }) => host) ?? hostOfUrl(server);
}

/** Hosts of the HTTPRoute; none where there is none. */
export function routeHosts(server: Pick<MlflowServer, "spec">): readonly string[] {
  const { httpRoute } = server.spec.exposure ?? {};
  if (httpRoute === undefined) return [];
  return httpRoute.hostnames ?? hostOfUrl(server);
}

function hostOfUrl(server: Pick<MlflowServer, "spec">): readonly string[] {
  const outside = externalAddressOf(server);
  const host = URL.parse(outside?.url ?? "")?.hostname;
  return host === undefined ? [] : [host];
}

/** Hosts by which the operator leads clients to the server, each with the prefix behind it; none where it writes no route. */
export function addressesOf(server: Pick<MlflowServer, "spec">): readonly string[] {
  const prefix = externalAddressOf(server)?.prefix ?? "";
  return [...new Set([...ingressHosts(server), ...routeHosts(server)])].map((host) => `${host}${prefix}`);
}
