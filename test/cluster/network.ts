import { succeeded } from "../control-plane/completed.ts";

/**
 * Addresses in 198.18.0.0/15, which is reserved for tests (RFC 2544) and not routed. The node has its own network
 * namespace; a veth pair connects it to this machine only.
 */
export const network = {
  /** This machine's end of the veth pair, and its address for pods: servers on this machine listen on it. */
  hostInterface: "mlflow-cluster",
  hostAddress: "198.19.200.1",
  nodeAddress: "198.19.200.2",
  link: "198.19.200.0/30",
  pods: "198.18.192.0/24",
  services: "198.19.192.0/24",
  apiService: "198.19.192.1",
  dnsService: "198.19.192.10",
  apiPort: 6443,
} as const;

/** Runs a program in the node (see `machine.ts`). */
export type InNode = (program: string, args: readonly string[]) => Promise<string>;

/** Creates the veth pair and the routes to pods and Services. The kernel removes them with the node's namespace. */
export async function connect(nodePid: number, inNode: InNode): Promise<void> {
  const ip = (line: string) => succeeded("ip", line.split(" "));
  const ipInNode = (line: string) => inNode("ip", line.split(" "));
  const { hostInterface, hostAddress, nodeAddress, pods, services } = network;
  await ip(`link add ${hostInterface} type veth peer name host netns ${nodePid}`);
  await ip(`address add ${hostAddress}/30 dev ${hostInterface}`);
  await ip(`link set ${hostInterface} up`);
  await ipInNode("link set lo up");
  await ipInNode(`address add ${nodeAddress}/30 dev host`);
  await ipInNode("link set host up");
  // A connection of the node itself to a Service needs a route before kube-proxy's rules replace the destination; packets
  // without a rule end in this interface. (A bridge without members: not every kernel has "dummy".)
  await ipInNode("link add services type bridge");
  await ipInNode("link set services up");
  await ipInNode(`route add ${services} dev services src ${nodeAddress}`);
  for (const range of [pods, services]) await ip(`route add ${range} via ${nodeAddress} dev ${hostInterface}`);
}
