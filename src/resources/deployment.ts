import type { V1Container, V1TopologySpreadConstraint } from "@kubernetes/client-node";
import { artifactStorageOf } from "../features/artifacts/index.ts";
import { backendDatabase } from "../features/database/index.ts";
import type { Deployment } from "../kube/manifests.ts";
import { annotation, label } from "../kube/names.ts";
import type { Inputs } from "../model/inputs.ts";
import { issuersOf } from "../model/issuers.ts";
import { labels, ownedMetadata, podSelector } from "../model/metadata.ts";
import { objectNames, port } from "../model/names.ts";
import { authenticationOf } from "./authentication/index.ts";
import { inputsHash } from "./inputs-hash.ts";
import { enrolmentLabels } from "./mesh/enrolment.ts";
import { applicationArguments, serverPrograms } from "./middleware/programs.ts";
import { migrationJob } from "./migration-job.ts";
import { computeResources, defaultRequests, withMemoryLimit } from "./pod/compute-resources.ts";
import { environment } from "./pod/environment.ts";
import { imageOf } from "./pod/image.ts";
import { type Containers, podSpec } from "./pod/pod-spec.ts";
import { probes } from "./pod/probes.ts";
import { installedPrograms, programInstallation } from "./pod/program.ts";
import { containerSecurityContext } from "./pod/security.ts";
import { authFiles, certificate, data, databaseFiles, temporary } from "./pod/volumes.ts";
import { proxyContainer } from "./proxy/container.ts";
import { issuerCaFiles, proxyMounts } from "./proxy/files.ts";
import { issuerCheck } from "./proxy/issuer-check.ts";
import { redisCheck, sessionMounts } from "./proxy/redis.ts";

/** Returns the Deployment of MLflow. A pod reads its inputs at start, so a change of any rolls the pods (annotation `inputs`). */
export function deployment(inputs: Inputs): Deployment {
  const { server, mesh } = inputs;
  const { pod, replicas, hibernate, version } = server.spec;
  const migration = migrationJob(inputs);
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: {
      ...ownedMetadata(server, objectNames.deployment(server.metadata.name)),
      ...(migration && { annotations: { [annotation.migration]: migration.metadata.name } }),
    },
    spec: {
      replicas: hibernate === true ? 0 : replicas,
      selector: { matchLabels: podSelector(server) },
      revisionHistoryLimit: 3,
      progressDeadlineSeconds: 600,
      strategy: hasExclusiveVolume(inputs)
        ? { type: "Recreate" }
        : { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      template: {
        metadata: {
          labels: { ...pod?.labels, ...labels(server), [label.version]: version, ...enrolmentLabels(mesh) },
          annotations: { ...pod?.annotations, [annotation.inputs]: inputsHash(inputs) },
        },
        spec: {
          ...podSpec(inputs, containers(inputs)),
          terminationGracePeriodSeconds: 60,
          topologySpreadConstraints: spread(inputs),
        },
      },
    },
  };
}

/** Whether only one node, and so only one revision of the pods, can mount the volume. */
function hasExclusiveVolume({ server }: Inputs): boolean {
  return backendDatabase(server.spec).volume !== undefined || artifactStorageOf(server.spec).volume?.isShared === false;
}

/** The containers of MLflow and oauth2-proxy, and the init containers. */
function containers(inputs: Inputs): Containers {
  const { oauth2Proxy: proxy } = inputs.server.spec.authentication;
  const authentication = authenticationOf(inputs);
  const mlflow = {
    container: container(inputs),
    mounted: [
      temporary(inputs),
      installedPrograms,
      ...data(inputs),
      ...authFiles(inputs, authentication),
      ...authentication.mounted,
      ...certificate(inputs),
      ...databaseFiles(inputs, authentication),
      ...artifactStorageOf(inputs.server.spec).mounted,
    ],
  };
  const oauth2Proxy = proxy && { container: proxyContainer(inputs, proxy), mounted: proxyMounts(inputs) };
  const main = oauth2Proxy === undefined ? [mlflow] : [mlflow, oauth2Proxy];
  const programs = programInstallation(inputs, serverPrograms(inputs, authentication));
  if (issuersOf(inputs).length === 0) return { init: [programs], main };
  const issuers = { container: issuerCheck(inputs), mounted: issuerCaFiles(inputs) };
  const redis = proxy?.session?.redis;
  if (redis === undefined) return { init: [programs, issuers], main };
  return {
    init: [programs, issuers, { container: redisCheck(inputs, redis), mounted: sessionMounts(redis) }],
    main,
  };
}

function container(inputs: Inputs): V1Container {
  const { pod, authentication, server: settings, image } = inputs.server.spec;
  const { oauth2Proxy: proxy } = authentication;
  const args = [...applicationArguments(authenticationOf(inputs)), ...(settings?.extraArgs ?? [])];
  return {
    name: "mlflow",
    image: imageOf(inputs),
    imagePullPolicy: image?.pullPolicy ?? "IfNotPresent",
    // `mlflow server` in one process: it imports MLflow once, and uses half the memory.
    command: ["python", "-P", "-m", "mlflow_operator.start"],
    // uvicorn imports code from its working directory; this one is read-only.
    workingDir: "/",
    args,
    env: environment(inputs),
    ...(proxy === undefined && { ports: [{ name: "http", containerPort: port, protocol: "TCP" }] }),
    resources: computeResources(defaultRequests(settings), withMemoryLimit(defaultRequests(settings), pod?.resources)),
    ...probes(inputs),
    // The pod still answers while endpoints and load balancers remove it; the proxy's last requests end before MLflow stops.
    lifecycle: { preStop: { sleep: { seconds: proxy === undefined ? 5 : 10 } } },
    securityContext: containerSecurityContext,
  };
}

function spread({ server }: Inputs): V1TopologySpreadConstraint[] {
  const selector = { matchLabels: podSelector(server) };
  const constraints = server.spec.pod?.topologySpreadConstraints ?? [
    { maxSkew: 1, topologyKey: "kubernetes.io/hostname", whenUnsatisfiable: "ScheduleAnyway" as const },
  ];
  return constraints.map((constraint) => ({ labelSelector: selector, ...constraint }));
}
