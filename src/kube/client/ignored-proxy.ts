import { BlockList, isIP } from "node:net";

/** The HTTP proxy settings in the environment of a process. */
export interface ProxyEnvironment {
  /** The name of the variable for the HTTPS proxy. Its value is not kept, since it can contain a password. */
  readonly variable: string;
  readonly noProxy: string;
}

/**
 * Returns a warning if the environment configures a proxy for the API server: the operator always connects directly. Undefined if
 * NO_PROXY excludes the host, with the rules of Go: names, suffixes, addresses, CIDR ranges, `*`.
 */
export function ignoredProxy(environment: ProxyEnvironment | undefined, host: string): string | undefined {
  if (environment === undefined) return undefined;
  const bare = host.replace(/^\[|\]$/g, "");
  const entries = environment.noProxy.split(",").map((entry) => entry.trim().toLowerCase());
  if (entries.some((entry) => entry !== "" && excludes(entry, bare.toLowerCase()))) return undefined;
  return `${environment.variable} is set, and the operator ignores it: it connects to the API server at ${bare} directly. Allow that connection, and add ${bare} to NO_PROXY to disable this warning`;
}

function excludes(entry: string, host: string): boolean {
  if (entry === "*") return true;
  const family = isIP(host);
  if (family !== 0) return entry === host || isInRange(entry, host, family === 6 ? "ipv6" : "ipv4");
  const [name = ""] = entry.replace(/^\*?\./, "").split(":");
  return host === name || host.endsWith(`.${name}`);
}

function isInRange(entry: string, host: string, family: "ipv4" | "ipv6"): boolean {
  const [network = "", prefix = ""] = entry.split("/");
  if (isIP(network) !== isIP(host) || !/^\d{1,3}$/.test(prefix)) return false;
  const range = new BlockList();
  try {
    range.addSubnet(network, Number(prefix), family);
  } catch {
    return false;
  }
  return range.check(host, family);
}
