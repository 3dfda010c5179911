import type { V1NetworkPolicyEgressRule } from "@kubernetes/client-node";
import type { IngressRule, NetworkPolicy } from "../kube/manifests.ts";
import { label } from "../kube/names.ts";
import { egressPorts } from "./egress-ports.ts";
import type { Inputs } from "./inputs.ts";
import { ownedMetadata } from "./metadata.ts";
import { objectNames } from "./names.ts";
import { servingPort } from "./serving-port.ts";

/**
 * HBONE, by which Istio's ambient mesh brings connections to the pods that it has enrolled, and to those that have a sidecar, which
 * says so where ambient mode is installed; nothing else listens there.
 */
export const hbonePort = 15_008;

/** Where a sidecar gets its configuration and certificate from istiod. */
const istiodPort = 15_012;

/** From where Istio's ambient mesh lets the kubelet's probes come. */
export const ambientProbes = "169.254.7.127/32";

export function tcp(...ports: readonly number[]) {
  return ports.map((port) => ({ port, protocol: "TCP" }));
}

/** The pods of a server, those of its migration too, are reached at the door and at no other port. */
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

/** No entry is nobody, while an entry without `from`, or with an empty one, is everybody. */
function ingress({ server }: Inputs): IngressRule[] {
  const { from } = server.spec.networkPolicy ?? {};
  const door = servingPort(server);
  const ports = tcp(door, hbonePort);
  if (from === undefined) return [{ ports }];
  const probes = { ports: tcp(door), from: [{ ipBlock: { cidr: ambientProbes } }] };
  const named = from.length === 0 ? [] : [{ ports, from: [...from] }];
  if (server.spec.mesh?.istio.mode === "Sidecar") return named;
  if (server.spec.mesh === undefined) return [...named, probes];
  // Everybody comes by it.
  const waypoint = { podSelector: { matchLabels: { [label.waypoint]: server.metadata.name } } };
  return [...named, { ports: tcp(hbonePort), from: [waypoint] }, probes];
}

/**
 * Where clouds hand out credentials of a node or a pod, on port 80 and without a credential: a user who makes MLflow call an
 * address must not get them.
 */
const metadataServices = {
  "0.0.0.0/0": ["169.254.0.0/16", "100.100.100.200/32", "192.0.0.192/32", "168.63.129.16/32"],
  "::/0": ["fd00:ec2::/32", "fd20:ce::254/128", "fe80::a9fe:a9fe/128"],
} as const;

/** All but these. Blocks of addresses do not contain pods for every network plugin (Cilium), so pods are named as well. */
const exceptMetadata = [
  { namespaceSelector: {} },
  ...Object.entries(metadataServices).map(([cidr, except]) => ({ ipBlock: { cidr, except: [...except] } })),
];

const metadataPort = 80;

/**
 * Whether the pods can reach a metadata service. By default where they may get their credentials for the artifact store or the
 * database from their cloud, since the spec names none.
 */
function needsMetadata({ server }: Inputs): boolean {
  const { artifactStore, networkPolicy, serviceAccount } = server.spec;
  const { s3 } = artifactStore;
  if (networkPolicy?.metadataService !== undefined) return networkPolicy.metadataService === "Allowed";
  return (s3 !== undefined && s3.credentialsSecretRef === undefined) || serviceAccount?.annotations !== undefined;
}

/** Without a policy for egress nothing is restricted. */
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
  // Nodes, with what listens there, are no pods and for some plugins in no block either: named ports are open to any address.
  if (inputs.server.spec.networkPolicy?.egress === undefined) return [{ ports: dns }, ...named, { to: exceptMetadata }];
  return [{ ports: dns }, ...named, ...(guarded.length === 0 ? [] : [{ ports: tcp(...guarded), to: exceptMetadata }])];
}
