import type { V1Container } from "@kubernetes/client-node";
import type { Mounted } from "../../features/common/mounted-volume.ts";
import type { ServerModel } from "../../features/server-model.ts";
import type { Deployment } from "../../kube/manifests.ts";
import { label } from "../../kube/names.ts";
import { literal } from "../../kube/variable.ts";
import { labels, ownedMetadata, podSelector } from "../../model/metadata.ts";
import { tracesPort } from "../../model/names.ts";
import { backendStoreUri, keepAliveSeconds, maxHeaderBytes, neutral } from "../pod/environment.ts";
import { containerSecurityContext, podSpec } from "../pod/pod-spec.ts";
import { installedPrograms, programInstallation, programsPath } from "../pod/program.ts";
import { temporary, temporaryVariables } from "../pod/volumes.ts";
import { middlewareFiles, tracesFiles } from "../python-programs.ts";

const enrolmentPath = "/etc/mlflow/mesh";

/**
 * Returns the Deployment of the listener for traces, which requires no credential, because the mesh allows only the writers.
 * A pod answers only while it has the annotation that Istio sets on pods in the mesh.
 */
export function listenerDeployment(model: ServerModel): Deployment {
  const { owner, names, pod, mesh, version } = model;
  const name = names.listener;
  const mounted = [
    temporary(model),
    installedPrograms,
    enrolment(mesh.annotation.key),
    // Without the user database, which is not used here.
    ...model.database.mounted,
  ];
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: ownedMetadata(owner, name, "traces"),
    spec: {
      replicas: model.replicas,
      selector: { matchLabels: podSelector(owner, "traces") },
      revisionHistoryLimit: 3,
      strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      template: {
        metadata: {
          labels: { ...pod.labels, ...labels(owner, "traces"), [label.version]: version, ...mesh.labels },
          annotations: { ...model.podAnnotations },
        },
        spec: {
          ...podSpec(model, {
            init: [programInstallation(model, { programs: { ...middlewareFiles, ...tracesFiles } })],
            main: [{ container: container(model), mounted }],
          }),
          serviceAccountName: name,
          terminationGracePeriodSeconds: 10,
        },
      },
    },
  };
}

function container(model: ServerModel): V1Container {
  const { image, pod, process, mesh } = model;
  const own = [
    literal("PYTHONPATH", programsPath),
    // The variable that MLflow's server sets for its workers.
    { ...backendStoreUri(model), name: "_MLFLOW_SERVER_FILE_STORE" },
    literal("MLFLOW_LOGGING_LEVEL", process.logLevel),
    ...temporaryVariables,
    literal("MAX_REQUEST_BODY_BYTES", String(process.maxRequestBodyBytes)),
    literal("MESH_ENROLMENT_FILE", `${enrolmentPath}/annotation`),
    literal("MESH_ENROLMENT", mesh.annotation.value),
  ];
  const probe = (path: string) => ({ httpGet: { path, port: "http", scheme: "HTTP" }, timeoutSeconds: 5 });
  return {
    name: "traces",
    image: image.name,
    imagePullPolicy: image.pullPolicy,
    command: ["python", "-m", "mlflow_operator.listen"],
    args: [
      ...["--factory", "mlflow_traces:create_app", `--port=${tracesPort}`],
      ...["--no-server-header", `--timeout-keep-alive=${keepAliveSeconds}`],
      `--h11-max-incomplete-event-size=${maxHeaderBytes}`,
    ],
    workingDir: "/",
    env: [...own, ...neutral(own)],
    ports: [{ name: "http", containerPort: tracesPort, protocol: "TCP" }],
    resources: pod.resources.traces,
    startupProbe: { ...probe("/health"), periodSeconds: 2, failureThreshold: 150 },
    readinessProbe: { ...probe("/ready"), periodSeconds: 5, failureThreshold: 1 },
    livenessProbe: { ...probe("/health"), periodSeconds: 10, failureThreshold: 6 },
    lifecycle: { preStop: { sleep: { seconds: 5 } } },
    securityContext: containerSecurityContext,
  };
}

/** Returns the annotation as a file, which the kubelet updates; a variable would keep the value of the start. */
function enrolment(annotationKey: string): Mounted {
  const fieldPath = `metadata.annotations['${annotationKey}']`;
  return {
    volume: {
      name: "mesh",
      downwardAPI: { items: [{ path: "annotation", fieldRef: { apiVersion: "v1", fieldPath } }], defaultMode: 0o444 },
    },
    mounts: [{ name: "mesh", mountPath: enrolmentPath, readOnly: true }],
  };
}
