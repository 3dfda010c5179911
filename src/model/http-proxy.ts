import type { V1EnvVar } from "@kubernetes/client-node";
import type { MlflowServer } from "../api/server.ts";
import { escaped } from "../kube/variable.ts";
import type { Inputs } from "./inputs.ts";

/** Both spellings of a variable. Python and Go read both, libraries in C (gRPC, libcurl) some in lower case only. */
const spellings = (name: string): [upper: string, lower: string] => [name, name.toLowerCase()];

const proxies = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"].map(spellings);
const proxyNames = proxies.flat();
const exceptions = spellings("NO_PROXY");

/** Returns the variables for an HTTP proxy, which the other containers of the pod have, too. */
export function httpProxyOf(variables: readonly V1EnvVar[]): V1EnvVar[] {
  return variables.filter(({ name }) => [...proxyNames, ...exceptions].includes(name));
}

/** Returns the URLs of the HTTP proxies, except those in Secrets and ConfigMaps. */
export function httpProxyUrls(variables: readonly V1EnvVar[]): string[] {
  const values = variables.filter(({ name }) => proxyNames.includes(name)).map(({ value = "" }) => value);
  // Without a scheme it is http, for Python and Go alike.
  return [...new Set(values.filter((value) => value !== ""))].map((value) =>
    value.includes("://") ? value : `http://${value}`,
  );
}

/** Returns the variables with those for an HTTP proxy in both spellings, and NO_PROXY with the names of the cluster. */
export function withHttpProxy(
  variables: readonly V1EnvVar[],
  { server, installation }: Pick<Inputs, "server" | "installation">,
): V1EnvVar[] {
  const byName = new Map(variables.map((each) => [each.name, each]));
  if (!proxyNames.some((name) => byName.has(name))) return [...variables];
  const others = variables.filter(({ name }) => ![...proxyNames, ...exceptions].includes(name));
  const [upper, lower] = exceptions;
  const either = byName.get(upper) ?? byName.get(lower) ?? { name: upper };
  return [
    ...others,
    ...proxies.flatMap((names) => inBothSpellings(names, byName)),
    ...exceptions.map((name) => exception(name, byName.get(name) ?? either, hostsInside(server, installation))),
  ];
}

function inBothSpellings(
  [upper, lower]: readonly [string, string],
  byName: ReadonlyMap<string, V1EnvVar>,
): readonly V1EnvVar[] {
  const [first, second] = [byName.get(upper), byName.get(lower)];
  const [inUpper, inLower] = [first ?? second, second ?? first];
  return [...(inUpper ? [{ ...inUpper, name: upper }] : []), ...(inLower ? [{ ...inLower, name: lower }] : [])];
}

/** A value from a Secret or ConfigMap cannot be extended. */
function exception(name: string, { value = "", valueFrom }: V1EnvVar, inside: readonly string[]): V1EnvVar {
  if (valueFrom !== undefined) return { name, valueFrom };
  const listed = value.split(",").map((each) => each.trim());
  const hosts = [...new Set([...listed.filter((each) => each !== ""), ...inside])];
  // The kubelet expands it to the address of the API server, which clients in a pod connect to by default.
  return { name, value: `${escaped(hosts.join(","))},$(KUBERNETES_SERVICE_HOST)` };
}

/** What is not reached through an HTTP proxy: the pod itself, and the Services of the cluster. */
function hostsInside(server: MlflowServer, { clusterDomain }: Pick<Inputs["installation"], "clusterDomain">): string[] {
  const own = ["localhost", "127.0.0.1", "::1", "kubernetes.default", ".svc", `.${clusterDomain}`];
  return [...own, ...serviceHosts(server)];
}

/** The hosts of URLs in the spec that name a Service of the server's namespace: `minio`, and `minio.team-a` in the namespace `team-a`. */
function serviceHosts({ metadata, spec }: MlflowServer): string[] {
  const { artifactStore, authentication } = spec;
  const hosts = textsIn([artifactStore, authentication])
    .filter((text) => /^https?:\/\//.test(text))
    .map((text) => URL.parse(text)?.hostname ?? "");
  const isService = (host: string) =>
    /^[a-z0-9-]+$/.test(host) || /^[a-z0-9-]+[.](.*)$/.exec(host)?.[1] === metadata.namespace;
  return [...new Set(hosts.filter(isService))].sort();
}

function textsIn(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsIn) : [];
}
