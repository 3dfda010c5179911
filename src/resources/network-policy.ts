import type { V1NetworkPolicyEgressRule } from "@kubernetes/client-node";
import type { IngressRule, NetworkPolicy } from "../kube/manifests.ts";
import { label } from "../kube/names.ts";
import { egressPorts } from "./egress-ports.ts";
import type { Inputs } from "./inputs.ts";
import { ownedMetadata } from "./metadata.ts";
import { objectNames, port, proxyPort } from "./names.ts";

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
      policyTypes: egress === undefined ? ["Ingress"] : ["Ingress", "Egress"],
      ingress: ingress(inputs),
      ...(egress !== undefined && { egress: outgoing(inputs, egress.ports) }),
    },
  };
}

/** No entry is nobody, while an entry without `from`, or with an empty one, is everybody. */
function ingress({ server }: Inputs): IngressRule[] {
  const { from } = server.spec.networkPolicy ?? {};
  const door = server.spec.proxy === undefined ? port : proxyPort;
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

function outgoing(inputs: Inputs, further: readonly number[] = []): V1NetworkPolicyEgressRule[] {
  const dns = ["UDP", "TCP"].map((protocol) => ({ port: 53, protocol }));
  const mode = inputs.server.spec.mesh?.istio.mode;
  const mesh = mode === undefined ? [] : [mode === "Sidecar" ? istiodPort : hbonePort];
  const ports = [...new Set([...egressPorts(inputs), ...further, ...mesh])].sort((one, other) => one - other);
  return [{ ports: dns }, ...(ports.length === 0 ? [] : [{ ports: tcp(...ports) }])];
}
