import type { ConfigMap, Manifest, NetworkPolicy, RoleBinding, Service, Subject } from "../kube/manifests.ts";
import { label } from "../kube/names.ts";
import { clusterRoleName } from "../kube/workspace-roles.ts";
import { ambientProbes, hbonePort } from "../resources/network-policy.ts";
import { type Collector, metadata, rightsNamespace, selector } from "./collector.ts";
import { collectorConfig, collectorPorts } from "./collector-config.ts";
import { deployment } from "./collector-deployment.ts";
import { yamlOf } from "./output.ts";

/** All objects of a collector except its Secret, in the order in which they are applied. */
export function collectorManifests(collector: Collector): Manifest[] {
  const configMap: ConfigMap = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: metadata(collector),
    data: { "config.yaml": yamlOf(collectorConfig(collector)) },
  };
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata: metadata(collector), automountServiceAccountToken: false },
    configMap,
    ...roleBinding(collector),
    networkPolicy(collector),
    deployment(collector, configMap),
    service(collector),
  ];
}

/** Allows the collector to write traces in one namespace. */
function roleBinding(collector: Collector): RoleBinding[] {
  const { name, namespace, user, credential } = collector;
  const place = rightsNamespace(collector);
  if (place === undefined) return [];
  const subject: Subject =
    credential.kind === "ServiceAccountToken"
      ? { kind: "ServiceAccount", name, namespace }
      : { kind: "User", apiGroup: "rbac.authorization.k8s.io", name: user ?? "" };
  return [
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "RoleBinding",
      metadata: { name: `traces-of-${namespace}-${name}`, namespace: place, labels: { [label.application]: name } },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: clusterRoleName("TraceWriter") },
      subjects: [subject],
    },
  ];
}

/** Clients of the collector write with its credential, so only pods of its namespace are allowed. */
function networkPolicy(collector: Collector): NetworkPolicy {
  const isAmbient = collector.server.spec.mesh?.istio.mode === "Ambient";
  const tcp = (port: number) => ({ port, protocol: "TCP" });
  const { grpc, http, health } = collectorPorts;
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: metadata(collector),
    spec: {
      podSelector: { matchLabels: selector(collector) },
      policyTypes: ["Ingress"],
      ingress: [
        { ports: [grpc, http, ...(isAmbient ? [hbonePort] : [])].map(tcp), from: [{ podSelector: {} }] },
        ...(isAmbient ? [{ ports: [tcp(health)], from: [{ ipBlock: { cidr: ambientProbes } }] }] : []),
      ],
    },
  };
}

function service(collector: Collector): Service {
  const { grpc, http } = collectorPorts;
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: metadata(collector),
    spec: {
      type: "ClusterIP",
      selector: selector(collector),
      ports: [
        { name: "grpc", port: grpc, targetPort: "grpc", protocol: "TCP", appProtocol: "grpc" },
        { name: "http", port: http, targetPort: "http", protocol: "TCP", appProtocol: "http" },
      ],
    },
  };
}
