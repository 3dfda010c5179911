import type { V1NetworkPolicyEgressRule } from "@kubernetes/client-node";
import type { ServerModel } from "../features/server-model.ts";
import type { IngressRule, NetworkPolicy } from "../kube/manifests.ts";
import { label } from "../kube/names.ts";
import { ownedMetadata } from "../model/metadata.ts";

/**
 * The HBONE port of Istio's ambient mesh, used for enrolled pods, and for sidecars in a mesh with ambient mode;
 * nothing else listens there.
 */
export const hbonePort = 15_008;

/** The istiod port that sidecars get configuration and certificates from. */
const istiodPort = 15_012;

/** The source addresses of kubelet probes in Istio's ambient mesh: the defaults of HOST_PROBE_SNAT_IP and HOST_PROBE_SNAT_IPV6 of its CNI agent. */
export const ambientProbes = ["169.254.7.127/32", "fd16:9254:7127:1337:ffff:ffff:ffff:ffff/128"].map((cidr) => ({
  ipBlock: { cidr },
}));

export function tcp(...ports: readonly number[]) {
  return ports.map((port) => ({ port, protocol: "TCP" }));
}

/**
 * Returns the NetworkPolicy of a server's pods, including the migration: only the serving port is reachable, and the ports of the metrics
 * from the namespace of Prometheus.
 */
export function networkPolicy(model: ServerModel): NetworkPolicy | undefined {
  const { owner, names, network, artifacts, serviceAccountAnnotations } = model;
  if (!network.isRestricted) return undefined;
  // By default: if the pods can get credentials for the artifact store or the database from their cloud provider, because
  // the spec references none.
  const needsMetadata =
    network.allowsMetadataService ?? (artifacts.usesCloudIdentity || serviceAccountAnnotations !== undefined);
  const isEgressOpen = network.egressPorts === undefined && needsMetadata;
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: ownedMetadata(owner, names.networkPolicy),
    spec: {
      podSelector: { matchLabels: { [label.server]: model.name } },
      policyTypes: isEgressOpen ? ["Ingress"] : ["Ingress", "Egress"],
      ingress: [...ingress(model), ...metricsIngress(model)],
      ...(!isEgressOpen && { egress: egress(model, needsMetadata) }),
    },
  };
}

/** Returns the ingress rules. An empty list denies all clients; a rule without `from`, or with an empty one, allows all. */
function ingress({ network, mesh, servingPort, name }: ServerModel): IngressRule[] {
  const { from, operatorNamespace } = network;
  const ports = tcp(servingPort, hbonePort);
  if (from === undefined) return [{ ports }];
  const probing = { podSelector: { matchLabels: { [label.operator]: "true" } } };
  const operator =
    operatorNamespace === undefined ? [] : [{ ports, from: [{ ...inNamespace(operatorNamespace), ...probing }] }];
  const probes = { ports: tcp(servingPort), from: ambientProbes };
  const named = [...(from.length === 0 ? [] : [{ ports, from: [...from] }]), ...operator];
  if (mesh.mode === "Sidecar") return named;
  if (mesh.mode === undefined) return [...named, probes];
  // All clients reach the pods through the waypoint.
  const waypoint = { podSelector: { matchLabels: { [label.waypoint]: name } } };
  return [...named, { ports: tcp(hbonePort), from: [waypoint] }, probes];
}

/** In a mesh also HBONE, in which AuthorizationPolicies restrict the ports. */
function metricsIngress({ monitoring, mesh }: ServerModel): IngressRule[] {
  if (monitoring === undefined) return [];
  const ports = tcp(...monitoring.ports, ...(mesh.mode === undefined ? [] : [hbonePort]));
  return [{ ports, from: [inNamespace(monitoring.namespace)] }];
}

function inNamespace(namespace: string) {
  return { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } } };
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

/** Where pods get credentials from their cloud: on AWS and Azure, and on GKE, whose metadata server has another port too. */
const credentialServices = {
  ports: [metadataPort, 988],
  addresses: ["169.254.0.0/16", "fd00:ec2::/32", "fd20:ce::254/128"],
} as const;

function egress({ network, mesh, egressPorts }: ServerModel, needsMetadata: boolean): V1NetworkPolicyEgressRule[] {
  const dns = ["UDP", "TCP"].map((protocol) => ({ port: 53, protocol }));
  const ofMesh = mesh.mode === undefined ? [] : [mesh.mode === "Sidecar" ? istiodPort : hbonePort];
  const further = network.egressPorts ?? [];
  const ports = [...new Set([...egressPorts, ...further, ...ofMesh])].sort((one, other) => one - other);
  const guarded = needsMetadata ? [] : ports.filter((port) => port === metadataPort);
  const open = ports.filter((port) => guarded.length === 0 || port !== metadataPort);
  const named = open.length === 0 ? [] : [{ ports: tcp(...open) }];
  // In some plugins nodes match neither pods nor IP blocks, so the ports of the spec are open to any address.
  if (network.egressPorts === undefined) return [{ ports: dns }, ...named, { to: exceptMetadata }];
  const credentials = {
    ports: tcp(...credentialServices.ports),
    to: credentialServices.addresses.map((cidr) => ({ ipBlock: { cidr } })),
  };
  return [
    { ports: dns },
    ...named,
    ...(guarded.length === 0 ? [] : [{ ports: tcp(...guarded), to: exceptMetadata }]),
    ...(needsMetadata ? [credentials] : []),
  ];
}
