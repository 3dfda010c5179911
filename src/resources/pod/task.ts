import type { V1Container, V1EnvVar, V1ObjectMeta } from "@kubernetes/client-node";
import type { ServerModel } from "../../features/server-model.ts";
import { type Component, labels } from "../../model/metadata.ts";
import { containerSecurityContext } from "./pod-spec.ts";

/** Returns a container with MLflow's image that runs a program to completion: a migration, its preflight, a garbage collection or a backup. */
export function taskContainer(
  { image, pod }: ServerModel,
  name: string,
  command: string[],
  env: readonly V1EnvVar[],
): V1Container {
  return {
    name,
    image: image.name,
    imagePullPolicy: image.pullPolicy,
    workingDir: "/",
    command,
    env: [...env],
    resources: pod.resources.migration,
    securityContext: containerSecurityContext,
  };
}

/** Returns the metadata of the pods of such a program, which can get credentials for the artifact store from their cloud. */
export function taskPodMetadata({ owner, pod, artifacts }: ServerModel, component: Component): V1ObjectMeta {
  return {
    labels: { ...artifacts.podLabels, ...pod.labels, ...labels(owner, component) },
    ...(pod.annotations && { annotations: pod.annotations }),
  };
}
