import type { V1Container } from "@kubernetes/client-node";
import { defaults } from "../../api/defaults.ts";
import type { Mounted } from "../../features/common/mounted-volume.ts";
import { literal } from "../../features/common/variable.ts";
import type { Deployment } from "../../kube/manifests.ts";
import { annotation, label } from "../../kube/names.ts";
import type { Inputs } from "../../model/inputs.ts";
import { labels, ownedMetadata, podSelector } from "../../model/metadata.ts";
import { objectNames, tracesPort } from "../../model/names.ts";
import { authenticationOf } from "../authentication/index.ts";
import { inputsHash } from "../inputs-hash.ts";
import { enrolmentAnnotation, enrolmentLabels } from "../mesh/enrolment.ts";
import { maxRequestBodyBytes } from "../middleware/programs.ts";
import { computeResources, withMemoryLimit } from "../pod/compute-resources.ts";
import { backendStoreUri, keepAliveSeconds, maxHeaderBytes, neutral } from "../pod/environment.ts";
import { imageOf } from "../pod/image.ts";
import { podSpec } from "../pod/pod-spec.ts";
import { installedPrograms, programInstallation, programsPath } from "../pod/program.ts";
import { containerSecurityContext } from "../pod/security.ts";
import { databaseFiles, temporary, temporaryPath } from "../pod/volumes.ts";
import { middlewareFiles, tracesFiles } from "../python-programs.ts";

const enrolmentPath = "/etc/mlflow/mesh";

/**
 * Returns the Deployment of the listener for traces, which requires no credential, because the mesh allows only the writers.
 * A pod answers only while it has the annotation that Istio sets on pods in the mesh.
 */
export function listenerDeployment(inputs: Inputs): Deployment {
  const { server, mesh } = inputs;
  const { pod, replicas, hibernate, version } = server.spec;
  const name = objectNames.listener(server.metadata.name);
  const mounted = [
    temporary(inputs),
    installedPrograms,
    enrolment(inputs),
    // Without the user database, which is not used here.
    ...databaseFiles(inputs, { ...authenticationOf(inputs), users: undefined }),
  ];
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: ownedMetadata(server, name, "traces"),
    spec: {
      replicas: hibernate === true ? 0 : replicas,
      selector: { matchLabels: podSelector(server, "traces") },
      revisionHistoryLimit: 3,
      strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      template: {
        metadata: {
          labels: { ...pod?.labels, ...labels(server, "traces"), [label.version]: version, ...enrolmentLabels(mesh) },
          annotations: { ...pod?.annotations, [annotation.inputs]: inputsHash(inputs) },
        },
        spec: {
          ...podSpec(inputs, {
            init: [programInstallation(inputs, { programs: { ...middlewareFiles, ...tracesFiles } })],
            main: [{ container: container(inputs), mounted }],
          }),
          serviceAccountName: name,
          terminationGracePeriodSeconds: 10,
        },
      },
    },
  };
}

function container(inputs: Inputs): V1Container {
  const { image, pod } = inputs.server.spec;
  const own = [
    literal("PYTHONPATH", programsPath),
    // The variable that MLflow's server sets for its workers.
    { ...backendStoreUri(inputs), name: "_MLFLOW_SERVER_FILE_STORE" },
    literal("MLFLOW_LOGGING_LEVEL", inputs.server.spec.server?.logLevel ?? "INFO"),
    literal("HOME", temporaryPath),
    literal("TMPDIR", temporaryPath),
    literal("MAX_REQUEST_BODY_BYTES", String(maxRequestBodyBytes(inputs))),
    literal("MESH_ENROLMENT_FILE", `${enrolmentPath}/annotation`),
    literal("MESH_ENROLMENT", enrolmentAnnotation(inputs.mesh).value),
  ];
  const probe = (path: string) => ({ httpGet: { path, port: "http", scheme: "HTTP" }, timeoutSeconds: 5 });
  return {
    name: "traces",
    image: imageOf(inputs),
    imagePullPolicy: image?.pullPolicy ?? "IfNotPresent",
    command: ["python", "-m", "uvicorn"],
    args: [
      ...["--factory", "mlflow_traces:create_app", "--host=0.0.0.0", `--port=${tracesPort}`],
      ...["--no-server-header", `--timeout-keep-alive=${keepAliveSeconds}`],
      `--h11-max-incomplete-event-size=${maxHeaderBytes}`,
    ],
    workingDir: "/",
    env: [...own, ...neutral(own)],
    ports: [{ name: "http", containerPort: tracesPort, protocol: "TCP" }],
    resources: computeResources(defaults.requests, withMemoryLimit(defaults.requests, pod?.resources)),
    startupProbe: { ...probe("/health"), periodSeconds: 2, failureThreshold: 150 },
    readinessProbe: { ...probe("/ready"), periodSeconds: 5, failureThreshold: 1 },
    livenessProbe: { ...probe("/health"), periodSeconds: 10, failureThreshold: 6 },
    lifecycle: { preStop: { sleep: { seconds: 5 } } },
    securityContext: containerSecurityContext,
  };
}

/** Returns the annotation as a file, which the kubelet updates; a variable would keep the value of the start. */
function enrolment({ mesh }: Inputs): Mounted {
  const fieldPath = `metadata.annotations['${enrolmentAnnotation(mesh).key}']`;
  return {
    volume: {
      name: "mesh",
      downwardAPI: { items: [{ path: "annotation", fieldRef: { apiVersion: "v1", fieldPath } }], defaultMode: 0o444 },
    },
    mounts: [{ name: "mesh", mountPath: enrolmentPath, readOnly: true }],
  };
}
