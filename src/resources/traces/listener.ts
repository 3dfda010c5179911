import type { ServerModel } from "../../features/server-model.ts";
import type { NetworkPolicy, Service, ServiceAccount } from "../../kube/manifests.ts";
import { ownedMetadata, podSelector } from "../../model/metadata.ts";
import { tracesPort } from "../../model/names.ts";
import { ambientProbes, hbonePort, tcp } from "../network-policy.ts";

/** Returns the Service of the listener. It has no waypoint: access is decided at the pods, by identity only. */
export function listenerService({ owner, names }: ServerModel): Service {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: ownedMetadata(owner, names.listener, "traces"),
    spec: {
      type: "ClusterIP",
      selector: podSelector(owner, "traces"),
      ports: [{ name: "http", port: tracesPort, targetPort: "http", protocol: "TCP", appProtocol: "http" }],
    },
  };
}

/** Returns the listener's ServiceAccount. It is not the server's, which can have cloud permissions for artifacts. */
export function listenerServiceAccount({ owner, names }: ServerModel): ServiceAccount {
  return {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: ownedMetadata(owner, names.listener, "traces"),
    automountServiceAccountToken: false,
  };
}

/** Returns the NetworkPolicy that allows the writers' namespaces; the mesh authorizes the individual workloads. */
export function listenerNetworkPolicy({ owner, names, mesh, network }: ServerModel): NetworkPolicy | undefined {
  if (!network.isRestricted) return undefined;
  const isSidecar = mesh.mode === "Sidecar";
  const from = mesh.writerNamespaces.map((namespace) => ({
    namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
  }));
  const probes = { ports: tcp(tracesPort), from: [{ ipBlock: { cidr: ambientProbes } }] };
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: ownedMetadata(owner, names.listener, "traces"),
    spec: {
      podSelector: { matchLabels: podSelector(owner, "traces") },
      policyTypes: ["Ingress"],
      ingress: [
        { ports: isSidecar ? tcp(tracesPort, hbonePort) : tcp(hbonePort), from },
        ...(isSidecar ? [] : [probes]),
      ],
    },
  };
}
