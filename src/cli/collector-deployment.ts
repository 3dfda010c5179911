import { createHash } from "node:crypto";
import type { V1Probe } from "@kubernetes/client-node";
import type { ConfigMap, Deployment } from "../kube/manifests.ts";
import { computeResources } from "../model/compute-resources.ts";
import { enrolmentLabels, meshStepsOf } from "../model/mesh.ts";
import { containerSecurityContext, podSecurityContext } from "../resources/pod/pod-spec.ts";
import { type Collector, metadata, selector } from "./collector.ts";
import { collectorPorts } from "./collector-config.ts";
import { collectorFiles, collectorMounts } from "./collector-files.ts";

/** The Deployment of a collector, under the Pod Security standard restricted. */
export function deployment(collector: Collector, configMap: ConfigMap): Deployment {
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
          // The collector reads its configuration only at the start: a changed one rolls the pod.
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
