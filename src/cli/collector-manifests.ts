import { createHash } from "node:crypto";
import type { V1Probe } from "@kubernetes/client-node";
import type {
  ConfigMap,
  Deployment,
  Manifest,
  NetworkPolicy,
  RoleBinding,
  Service,
  Subject,
} from "../kube/manifests.ts";
import { label } from "../kube/names.ts";
import { clusterRoleName } from "../kube/workspace-roles.ts";
import { computeResources } from "../model/compute-resources.ts";
import { enrolmentLabels, meshStepsOf } from "../model/mesh.ts";
import { ambientProbes, hbonePort } from "../resources/network-policy.ts";
import { containerSecurityContext, podSecurityContext } from "../resources/pod/pod-spec.ts";
import { type Collector, metadata, rightsNamespace, selector } from "./collector.ts";
import { collectorConfig, collectorFiles, collectorMounts, collectorPorts } from "./collector-config.ts";
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
        ...(isAmbient ? [{ ports: [tcp(health)], from: ambientProbes }] : []),
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

/** The Deployment of a collector, under the Pod Security standard restricted. */
function deployment(collector: Collector, configMap: ConfigMap): Deployment {
  const { name, image, server } = collector;
  const mounted = collectorMounts(collector);
  const probe: V1Probe = { httpGet: { path: "/", port: "health" } };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: metadata(collector),
    spec: {
      replicas: 1,
      selector: { matchLabels: selector(collector) },
      template: {
        metadata: {
          labels: { ...selector(collector), ...enrolmentLabels(new Set(meshStepsOf(server))) },
          // The collector reads its configuration only when it starts: a changed one rolls the pod.
          annotations: { "checksum/config": hashOf(configMap) },
        },
        spec: {
          serviceAccountName: name,
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          securityContext: podSecurityContext,
          volumes: mounted.map(({ volume }) => volume),
          containers: [
            {
              name: "collector",
              image,
              // The garbage collector runs before the memory limit is reached.
              env: [{ name: "GOMEMLIMIT", value: "400MiB" }],
              args: [`--config=${collectorFiles.config}`],
              ports: Object.entries(collectorPorts).map(([port, containerPort]) => ({
                name: port,
                containerPort,
                protocol: "TCP",
              })),
              resources: computeResources({ cpu: "50m" }, { limits: { memory: "512Mi" } }),
              readinessProbe: { ...probe, periodSeconds: 5 },
              livenessProbe: { ...probe, periodSeconds: 10, failureThreshold: 6 },
              volumeMounts: mounted.flatMap(({ mounts }) => mounts),
              securityContext: containerSecurityContext,
            },
          ],
        },
      },
    },
  };
}

function hashOf({ data }: ConfigMap): string {
  return createHash("sha256").update(JSON.stringify(data)).digest("hex").slice(0, 10);
}
