import { succeeded } from "../control-plane/completed.ts";

/** The variable with the IP family of the cluster: IPv4, the default, or IPv6. */
export const ipFamilyVariable = "MLFLOW_OPERATOR_TEST_IP_FAMILY";

/**
 * Addresses that are reserved for tests and not routed: 198.18.0.0/15 (RFC 2544) and 2001:2::/48 (RFC 5180). The node has its own network
 * namespace; a veth pair connects it to this machine only.
 */
const families = {
  IPv4: {
    /** This machine's end of the veth pair, and its address for pods: servers on this machine listen on it. */
    hostAddress: "198.19.200.1",
    nodeAddress: "198.19.200.2",
    /** Of the two addresses of the veth pair. */
    linkPrefix: 30,
    pods: "198.18.192.0/24",
    services: "198.19.192.0/24",
    apiService: "198.19.192.1",
    dnsService: "198.19.192.10",
    all: "0.0.0.0/0",
    /** Of one address. */
    longestPrefix: 32,
  },
  IPv6: {
    hostAddress: "2001:2:0:1::1",
    nodeAddress: "2001:2:0:1::2",
    linkPrefix: 126,
    pods: "2001:2:0:2::/112",
    services: "2001:2:0:3::/112",
    apiService: "2001:2:0:3::1",
    dnsService: "2001:2:0:3::10",
    all: "::/0",
    longestPrefix: 128,
  },
} as const;

/** Returns the IP family of the cluster. */
export function ipFamily(): keyof typeof families {
  return process.env[ipFamilyVariable] === "IPv6" ? "IPv6" : "IPv4";
}

/** Returns the addresses of the cluster. */
export function network() {
  return { hostInterface: "mlflow-cluster", apiPort: 6443, ...families[ipFamily()] } as const;
}

/** Runs a program in the node (see `machine.ts`). */
export type InNode = (program: string, args: readonly string[]) => Promise<string>;

/** Creates the veth pair and the routes to pods and Services. The kernel removes them with the node's namespace. */
export async function connect(nodePid: number, inNode: InNode): Promise<void> {
  const ip = (line: string) => succeeded("ip", line.split(" "));
  const ipInNode = (line: string) => inNode("ip", line.split(" "));
  const { hostInterface, hostAddress, nodeAddress, linkPrefix, pods, services } = network();
  // Without duplicate address detection, which takes a second.
  const nodad = ipFamily() === "IPv6" ? " nodad" : "";
  await ip(`link add ${hostInterface} type veth peer name host netns ${nodePid}`);
  await ip(`address add ${hostAddress}/${linkPrefix} dev ${hostInterface}${nodad}`);
  await ip(`link set ${hostInterface} up`);
  await ipInNode("link set lo up");
  await ipInNode(`address add ${nodeAddress}/${linkPrefix} dev host${nodad}`);
  await ipInNode("link set host up");
  // A connection of the node itself to a Service needs a route before kube-proxy's rules replace the destination; packets
  // without a rule end in this interface. (A bridge without members: not every kernel has "dummy".)
  await ipInNode("link add services type bridge");
  await ipInNode("link set services up");
  await ipInNode(`route add ${services} dev services src ${nodeAddress}`);
  for (const range of [pods, services]) await ip(`route add ${range} via ${nodeAddress} dev ${hostInterface}`);
}
