import { succeeded } from "../control-plane/completed.ts";

/**
 * Addresses, all of 198.18.0.0/15, which is set apart for tests (RFC 2544) and routed nowhere. The node lives in a network
 * namespace of its own; one cable leads to this machine, and no route out of it.
 */
export const network = {
  /** This machine's end of the cable, and its address for pods: what they shall reach here listens on it. */
  hostInterface: "mlflow-cluster",
  hostAddress: "198.19.200.1",
  nodeAddress: "198.19.200.2",
  cable: "198.19.200.0/30",
  pods: "198.18.192.0/24",
  services: "198.19.192.0/24",
  apiService: "198.19.192.1",
  dnsService: "198.19.192.10",
  apiPort: 6443,
} as const;

/** What runs a program inside the node, as `machine.ts` gives it. */
export type InNode = (program: string, args: readonly string[]) => Promise<string>;

/** Lays the cable and the routes to pods and Services. All of it goes away with the node's namespace. */
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
  // A call of the node itself to a Service needs a route before kube-proxy's rules give it its true destination; what
  // no rule takes ends in this interface. (A bridge without members: not every kernel has "dummy".)
  await ipInNode("link add services type bridge");
  await ipInNode("link set services up");
  await ipInNode(`route add ${services} dev services src ${nodeAddress}`);
  for (const range of [pods, services]) await ip(`route add ${range} via ${nodeAddress} dev ${hostInterface}`);
}
