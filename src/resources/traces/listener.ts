import type { MlflowServer } from "../../api/server.ts";
import type { NetworkPolicy, Service, ServiceAccount } from "../../kube/manifests.ts";
import { ownedMetadata, podSelector } from "../../model/metadata.ts";
import { objectNames, tracesPort } from "../../model/names.ts";
import { ambientProbes, hbonePort, tcp } from "../network-policy.ts";

/** Returns the Service of the listener. It has no waypoint: access is decided at the pods, by identity only. */
export function listenerService(server: MlflowServer): Service {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: ownedMetadata(server, objectNames.listener(server.metadata.name), "traces"),
    spec: {
      type: "ClusterIP",
      selector: podSelector(server, "traces"),
      ports: [{ name: "http", port: tracesPort, targetPort: "http", protocol: "TCP", appProtocol: "http" }],
    },
  };
}

/** Returns the listener's ServiceAccount. It is not the server's, which can have cloud permissions for artifacts. */
export function listenerServiceAccount(server: MlflowServer): ServiceAccount {
  return {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: ownedMetadata(server, objectNames.listener(server.metadata.name), "traces"),
    automountServiceAccountToken: false,
  };
}

/** Returns the NetworkPolicy that allows the writers' namespaces; the mesh authorizes the individual workloads. */
export function listenerNetworkPolicy(server: MlflowServer): NetworkPolicy | undefined {
  const { traces, mesh, networkPolicy } = server.spec;
  if (networkPolicy?.enabled === false) return undefined;
  const isSidecar = mesh?.istio.mode === "Sidecar";
  const namespaces = [...new Set(traces?.writers.map(({ namespace }) => namespace))].sort();
  const from = namespaces.map((namespace) => ({
    namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
  }));
  const probes = { ports: tcp(tracesPort), from: ambientProbes };
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: ownedMetadata(server, objectNames.listener(server.metadata.name), "traces"),
    spec: {
      podSelector: { matchLabels: podSelector(server, "traces") },
      policyTypes: ["Ingress"],
      ingress: [
        { ports: isSidecar ? tcp(tracesPort, hbonePort) : tcp(hbonePort), from },
        ...(isSidecar ? [] : [probes]),
      ],
    },
  };
}
