import type { V1Container } from "@kubernetes/client-node";
import type { ServerModel } from "../features/server-model.ts";
import type { Deployment } from "../kube/manifests.ts";
import { annotation, label } from "../kube/names.ts";
import { type Component, labels, ownedMetadata, podSelector } from "../model/metadata.ts";
import { metricsPort, port } from "../model/names.ts";
import { serverArguments, serverPrograms } from "./middleware/programs.ts";
import { environment } from "./pod/environment.ts";
import { type Containers, containerSecurityContext, type MountedContainer, podSpec } from "./pod/pod-spec.ts";
import { probes } from "./pod/probes.ts";
import { installedPrograms, programInstallation } from "./pod/program.ts";
import { mlflowVolumes, temporary } from "./pod/volumes.ts";
import { issuerCheck, oauth2Proxy, sessionStoreCheck } from "./proxy/container.ts";

/** The name of MLflow's container. */
export const serverContainer = "mlflow";

/** Returns the Deployment of MLflow. A pod reads its inputs at start, so a change of any rolls the pods (annotation `inputs`). */
export function deployment(model: ServerModel): Deployment {
  return servingDeployment(model, model.names.deployment);
}

/** Returns the Deployment of the pods for artifacts; undefined without. They are like those of the server, but run no jobs. */
export function artifactDeployment(model: ServerModel): Deployment | undefined {
  const { artifactServer, pod, process, names } = model;
  if (artifactServer === undefined) return undefined;
  const { replicas, resources, topologySpreadConstraints } = artifactServer;
  const own = {
    replicas,
    pod: { ...pod, topologySpreadConstraints, resources: { ...pod.resources, mlflow: resources } },
    process: { ...process, hasJobExecution: false },
  };
  return servingDeployment({ ...model, ...own }, names.artifactServer, "artifacts");
}

function servingDeployment(model: ServerModel, name: string, component?: Component): Deployment {
  const { owner, pod, migration, volume, version } = model;
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: {
      ...ownedMetadata(owner, name, component),
      ...(migration.mode && { annotations: { [annotation.migration]: migration.job } }),
    },
    spec: {
      replicas: model.replicas,
      selector: { matchLabels: podSelector(owner, component) },
      revisionHistoryLimit: 3,
      progressDeadlineSeconds: Math.max(600, pod.startupSeconds + 300),
      strategy: volume?.isExclusive
        ? { type: "Recreate" }
        : { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      template: {
        metadata: {
          labels: {
            ...model.artifacts.podLabels,
            ...pod.labels,
            ...labels(owner, component),
            [label.version]: version,
            ...model.mesh.labels,
          },
          annotations: { ...model.podAnnotations },
        },
        spec: {
          ...podSpec(model, containers(model)),
          terminationGracePeriodSeconds: 60,
          topologySpreadConstraints: pod.topologySpreadConstraints,
        },
      },
    },
  };
}

/** Returns a container of the pod, or undefined if the server does not need it. */
type ContainerBuilder = (model: ServerModel) => MountedContainer | undefined;

/** The init containers, in the order in which they run, and the containers. */
function containers(model: ServerModel): Containers {
  const mounted = [temporary(model), installedPrograms, ...mlflowVolumes(model)];
  const programs = programInstallation(model, serverPrograms(model));
  const init: readonly ContainerBuilder[] = [() => programs, issuerCheck, sessionStoreCheck];
  const main: readonly ContainerBuilder[] = [() => ({ container: container(model), mounted }), oauth2Proxy];
  const built = (builders: readonly ContainerBuilder[]) => builders.flatMap((build) => build(model) ?? []);
  return { init: built(init), main: built(main) };
}

function container(model: ServerModel): V1Container {
  const { image, proxy, pod, monitoring } = model;
  const ports = [
    ...(proxy === undefined ? [{ name: "http", containerPort: port, protocol: "TCP" }] : []),
    ...(monitoring === undefined ? [] : [{ name: "metrics", containerPort: metricsPort, protocol: "TCP" }]),
  ];
  return {
    name: serverContainer,
    image: image.name,
    imagePullPolicy: image.pullPolicy,
    // `mlflow server` in one process: it imports MLflow once, and uses half the memory.
    command: ["python", "-P", "-m", "mlflow_operator.start"],
    // uvicorn imports code from its working directory; this one is read-only.
    workingDir: "/",
    args: serverArguments(model),
    env: environment(model),
    ...(ports.length > 0 && { ports }),
    resources: pod.resources.mlflow,
    ...probes(model),
    // The pod still answers while endpoints and load balancers remove it; the proxy's last requests end before MLflow stops.
    lifecycle: { preStop: { sleep: { seconds: proxy === undefined ? 5 : 10 } } },
    securityContext: containerSecurityContext,
  };
}
