import type { HttpRouteSettings } from "../api/fields/http-route.ts";
import type { ServiceSettings } from "../api/fields/service.ts";
import type { MlflowServer } from "../api/server.ts";
import type { MlflowServerSpec } from "../api/spec.ts";
import { artifactPaths } from "./artifact-server.ts";
import { port } from "./names.ts";

/** Kinds that expose a server outside the cluster. */
export const routeKinds = ["Ingress", "HTTPRoute", "Service"] as const;

export type RouteKind = (typeof routeKinds)[number];

/** The address of a server for clients outside the cluster (`exposure`). */
export interface ExternalAddress {
  /** Without a slash at its end. */
  readonly url: string;
  /** Scheme, host and port, as in the Origin header. */
  readonly origin: string;
  /** Host and port, as in the Host header. */
  readonly host: string;
  /** The path prefix, which clients in the cluster omit; can be empty. */
  readonly prefix: string;
}

/** Returns the external address of a server; undefined if the spec has no external URL or host, or an invalid one (`invalidUrls`). */
export function externalAddressOf({ spec }: Pick<MlflowServer, "spec">): ExternalAddress | undefined {
  const url = spec.exposure?.externalURL ?? defaultUrl(spec);
  if (url === undefined) return undefined;
  const parsed = URL.parse(url);
  if (parsed === null) return undefined;
  const { origin, host, pathname } = parsed;
  return { url, origin, host, prefix: pathname === "/" ? "" : pathname };
}

/** The default URL of an HTTPRoute is https: its certificate belongs to the Gateway and is not in the spec. */
function defaultUrl({ exposure }: MlflowServer["spec"]): string | undefined {
  const { ingress, httpRoute } = exposure ?? {};
  const host = ingress?.hosts?.[0]?.host ?? httpRoute?.hostnames?.[0];
  if (host === undefined) return undefined;
  const isPlain = ingress?.hosts !== undefined && (ingress.tls ?? []).length === 0;
  return `${isPlain ? "http" : "https"}://${host}`;
}

/** Returns all external origins of a server, that of its URL first; all have the same scheme and port. */
export function originsOf(server: Pick<MlflowServer, "spec">): readonly URL[] {
  const outside = externalAddressOf(server);
  if (outside === undefined) return [];
  const { protocol = "https:", port = "" } = URL.parse(outside.origin) ?? {};
  const further = [...ingressHosts(server), ...routeHosts(server)].map(
    (host) => `${protocol}//${host}${port === "" ? "" : `:${port}`}`,
  );
  return [...new Set([outside.origin, ...further])].flatMap((origin) => URL.parse(origin) ?? []);
}

/** Returns the hosts of the Ingress; empty if there is none. */
export function ingressHosts(server: Pick<MlflowServer, "spec">): readonly string[] {
  const { ingress } = server.spec.exposure ?? {};
  if (ingress === undefined) return [];
  return ingress.hosts?.map(({ host }) => host) ?? hostOfUrl(server);
}

/** Returns the hosts of the HTTPRoute; empty if there is none. */
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

/** The Ingress, HTTPRoute and external Service of a server, with defaults; undefined for one that it does not have. */
export interface Routes {
  readonly ingress:
    | {
        readonly className: string | undefined;
        readonly annotations: Readonly<Record<string, string>> | undefined;
        readonly tls: readonly { readonly secretName: string; readonly hosts: readonly string[] }[];
        readonly rules: readonly RouteRule[];
      }
    | undefined;
  readonly httpRoute:
    | {
        readonly parentRefs: HttpRouteSettings["parentRefs"];
        readonly hostnames: readonly string[];
        readonly path: string;
        /** Those of the pods for artifacts. */
        readonly artifactPaths: readonly string[];
      }
    | undefined;
  readonly service: ExternalService | undefined;
}

/** The paths of a host to the server and to its pods for artifacts; the prefix is part of them. */
interface RouteRule {
  readonly host: string;
  readonly paths: readonly string[];
  readonly artifactPaths: readonly string[];
}

/** A Service for clients outside the cluster. */
type ExternalService = Omit<ServiceSettings, "type" | "port"> & {
  readonly scheme: "http" | "https";
  readonly type: "NodePort" | "LoadBalancer";
  readonly port: number;
  /** Undefined if the cluster chooses it. */
  readonly nodePort: number | undefined;
};

/** Returns the routes of a server of the kinds that can be written. They keep the prefix, which the server strips. */
export function routesOf(server: Pick<MlflowServer, "spec">, kinds: ReadonlySet<RouteKind>): Routes {
  const { ingress, httpRoute } = server.spec.exposure ?? {};
  const outside = externalAddressOf(server);
  const prefix = outside?.prefix ?? "";
  const hosts = ingressHosts(server);
  const pathsOf = (host: string) => ingress?.hosts?.find((each) => each.host === host)?.paths ?? ["/"];
  const ofArtifacts = server.spec.artifactServer === undefined ? [] : artifactPaths;
  const prefixed = (path: string) => (path === "/" ? prefix || "/" : `${prefix}${path}`);
  return {
    ingress:
      ingress === undefined || !kinds.has("Ingress")
        ? undefined
        : {
            className: ingress.className,
            annotations: ingress.annotations,
            tls: (ingress.tls ?? []).map(({ secretName, hosts: own = hosts }) => ({ secretName, hosts: own })),
            rules: hosts.map((host) => {
              const paths = pathsOf(host);
              const further: readonly string[] = ofArtifacts.filter((path) => isBelow(path, paths));
              return {
                host,
                paths: paths.filter((path) => !further.includes(path)).map(prefixed),
                artifactPaths: further.map(prefixed),
              };
            }),
          },
    httpRoute:
      httpRoute === undefined || !kinds.has("HTTPRoute")
        ? undefined
        : {
            parentRefs: httpRoute.parentRefs,
            hostnames: routeHosts(server),
            path: prefixed("/"),
            artifactPaths: ofArtifacts.map(prefixed),
          },
    service: kinds.has("Service") ? externalServiceOf(server.spec, outside) : undefined,
  };
}

/** Whether a path is one of the others or below it. */
function isBelow(path: string, others: readonly string[]): boolean {
  return others.some((other) => path === other || path.startsWith(other.endsWith("/") ? other : `${other}/`));
}

/** Whether the operator creates a Service for clients outside the cluster. */
export function hasExternalService({ service }: Pick<MlflowServerSpec, "service">): boolean {
  return service?.type !== undefined && service.type !== "ClusterIP";
}

function externalServiceOf(
  { service, server }: MlflowServerSpec,
  outside: ExternalAddress | undefined,
): ExternalService | undefined {
  if (service?.type === undefined || service.type === "ClusterIP") return undefined;
  const { type, port: chosen, ...settings } = service;
  const isOfNodes = type === "NodePort";
  return {
    ...settings,
    scheme: server?.tls === undefined ? "http" : "https",
    type,
    port: isOfNodes ? port : (chosen ?? portOf(outside)),
    nodePort: isOfNodes ? chosen : undefined,
  };
}

function portOf(outside: ExternalAddress | undefined): number {
  const { protocol, port: explicit } = URL.parse(outside?.url ?? "") ?? {};
  if (explicit) return Number(explicit);
  return protocol === "https:" ? 443 : 80;
}

/** Returns the hosts of Ingress and HTTPRoute, each followed by the path prefix; empty if the spec has no route. */
export function addressesOf(server: Pick<MlflowServer, "spec">): readonly string[] {
  const prefix = externalAddressOf(server)?.prefix ?? "";
  return [...new Set([...ingressHosts(server), ...routeHosts(server)])].map((host) => `${host}${prefix}`);
}
