import type { V1NetworkPolicyEgressRule } from "@kubernetes/client-node";
import { artifactStorageOf } from "../features/artifacts/index.ts";
import type { IngressRule, NetworkPolicy } from "../kube/manifests.ts";
import { label } from "../kube/names.ts";
import type { Inputs } from "../model/inputs.ts";
import { ownedMetadata } from "../model/metadata.ts";
import { objectNames } from "../model/names.ts";
import { servingPort } from "../model/serving-port.ts";
import { egressPorts } from "./egress-ports.ts";

/**
 * The HBONE port of Istio's ambient mesh, used for enrolled pods, and for sidecars in a mesh with ambient mode;
 * nothing else listens there.
 */
export const hbonePort = 15_008;

/** The istiod port that sidecars get configuration and certificates from. */
const istiodPort = 15_012;

/** The source address of kubelet probes in Istio's ambient mesh. */
export const ambientProbes = "169.254.7.127/32";

export function tcp(...ports: readonly number[]) {
  return ports.map((port) => ({ port, protocol: "TCP" }));
}

/** Returns the NetworkPolicy of a server's pods, including the migration: only the serving port is reachable. */
export function networkPolicy(inputs: Inputs): NetworkPolicy | undefined {
  const { server } = inputs;
  const { enabled = true, egress } = server.spec.networkPolicy ?? {};
  if (!enabled) return undefined;
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: ownedMetadata(server, objectNames.networkPolicy(server.metadata.name)),
    spec: {
      podSelector: { matchLabels: { [label.server]: server.metadata.name } },
      policyTypes: isEgressOpen(inputs) ? ["Ingress"] : ["Ingress", "Egress"],
      ingress: ingress(inputs),
      ...(!isEgressOpen(inputs) && { egress: outgoing(inputs, egress?.ports) }),
    },
  };
}

/** Returns the ingress rules. An empty list denies all clients; a rule without `from`, or with an empty one, allows all. */
function ingress({ server }: Inputs): IngressRule[] {
  const { from } = server.spec.networkPolicy ?? {};
  const serving = servingPort(server);
  const ports = tcp(serving, hbonePort);
  if (from === undefined) return [{ ports }];
  const probes = { ports: tcp(serving), from: [{ ipBlock: { cidr: ambientProbes } }] };
  const named = from.length === 0 ? [] : [{ ports, from: [...from] }];
  if (server.spec.mesh?.istio.mode === "Sidecar") return named;
  if (server.spec.mesh === undefined) return [...named, probes];
  // All clients reach the pods through the waypoint.
  const waypoint = { podSelector: { matchLabels: { [label.waypoint]: server.metadata.name } } };
  return [...named, { ports: tcp(hbonePort), from: [waypoint] }, probes];
}

/**
 * Addresses of the metadata services of cloud providers, which return node or pod credentials on port 80 without authentication: a
 * user who makes MLflow call an address must not get them.
 */
const metadataServices = {
  "0.0.0.0/0": ["169.254.0.0/16", "100.100.100.200/32", "192.0.0.192/32", "168.63.129.16/32"],
  "::/0": ["fd00:ec2::/32", "fd20:ce::254/128", "fe80::a9fe:a9fe/128"],
} as const;

/** All destinations except metadata services. In some network plugins (Cilium) IP blocks do not include pods, so pods are added. */
const exceptMetadata = [
  { namespaceSelector: {} },
  ...Object.entries(metadataServices).map(([cidr, except]) => ({ ipBlock: { cidr, except: [...except] } })),
];

const metadataPort = 80;

/**
 * Whether the pods can reach a metadata service. Default: if they can get credentials for the artifact store or the
 * database from their cloud provider, because the spec references none.
 */
function needsMetadata({ server }: Inputs): boolean {
  const { networkPolicy, serviceAccount } = server.spec;
  if (networkPolicy?.metadataService !== undefined) return networkPolicy.metadataService === "Allowed";
  return artifactStorageOf(server.spec).usesCloudIdentity || serviceAccount?.annotations !== undefined;
}

/** Whether egress is not restricted. */
function isEgressOpen(inputs: Inputs): boolean {
  return inputs.server.spec.networkPolicy?.egress === undefined && needsMetadata(inputs);
}

function outgoing(inputs: Inputs, further: readonly number[] = []): V1NetworkPolicyEgressRule[] {
  const dns = ["UDP", "TCP"].map((protocol) => ({ port: 53, protocol }));
  const mode = inputs.server.spec.mesh?.istio.mode;
  const mesh = mode === undefined ? [] : [mode === "Sidecar" ? istiodPort : hbonePort];
  const ports = [...new Set([...egressPorts(inputs), ...further, ...mesh])].sort((one, other) => one - other);
  const guarded = needsMetadata(inputs) ? [] : ports.filter((port) => port === metadataPort);
  const open = ports.filter((port) => guarded.length === 0 || port !== metadataPort);
  const named = open.length === 0 ? [] : [{ ports: tcp(...open) }];
  // In some plugins nodes match neither pods nor IP blocks, so the ports of the spec are open to any address.
  if (inputs.server.spec.networkPolicy?.egress === undefined) return [{ ports: dns }, ...named, { to: exceptMetadata }];
  return [{ ports: dns }, ...named, ...(guarded.length === 0 ? [] : [{ ports: tcp(...guarded), to: exceptMetadata }])];
}
