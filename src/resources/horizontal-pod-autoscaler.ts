import { apiVersion } from "../api/server.ts";
import type { ServerModel } from "../features/server-model.ts";
import type { HorizontalPodAutoscaler } from "../kube/manifests.ts";
import { ownedMetadata } from "../model/metadata.ts";
import { serverContainer } from "./deployment.ts";

/** A pod needs CPU while it starts, which is not load: usage must last as long before pods are added. */
const scaleUpWindow = 60;

/**
 * Returns the HorizontalPodAutoscaler of a server; undefined while it hibernates, since there is no usage to measure. It scales the MlflowServer:
 * the operator would set a Deployment back. The metric is that of one container, since others, such as injected ones, can have no request.
 */
export function horizontalPodAutoscaler({
  owner,
  name,
  names,
  replicas,
  autoscaling,
}: ServerModel): HorizontalPodAutoscaler | undefined {
  if (autoscaling === undefined || replicas === 0) return undefined;
  const { minReplicas, maxReplicas, targetCPUUtilization } = autoscaling;
  return {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata: ownedMetadata(owner, names.horizontalPodAutoscaler),
    spec: {
      scaleTargetRef: { apiVersion, kind: "MlflowServer", name },
      minReplicas,
      maxReplicas,
      metrics: [
        {
          type: "ContainerResource",
          containerResource: {
            name: "cpu",
            container: serverContainer,
            target: { type: "Utilization", averageUtilization: targetCPUUtilization },
          },
        },
      ],
      behavior: { scaleUp: { stabilizationWindowSeconds: scaleUpWindow } },
    },
  };
}
