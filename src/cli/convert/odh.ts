import { type Chart, type ConversionContext, changed, mapped, notNeeded, type Row, unsupported } from "./chart.ts";
import {
  garbageRows,
  listOf,
  setAllowedHosts,
  setDatabaseUri,
  setEnvironment,
  setGarbageCollection,
  setPod,
  setVersion,
  setVolume,
  storeOfLocation,
  variablesOf,
} from "./common.ts";
import { servicePort, serviceRows, setService } from "./service.ts";

const ownPods = "the operator runs the pods under Pod Security restricted, with its own user and group ids";
const ownCa = "the operator reads CA certificates at the field ca of the database, the artifact store and the issuer";

const rows: readonly Row[] = [
  changed("namespace", "", "the namespace of the MlflowServer: use --namespace"),
  ...notNeeded("the name of the MlflowServer names the objects", "resourceSuffix"),
  changed("commonLabels.*", "pod.labels", "on the pods"),
  mapped("podLabels.*", "pod.labels"),
  mapped("podAnnotations.*", "pod.annotations"),
  mapped("tls.secretName", "server.tls.certificateSecretRef.name"),
  ...notNeeded("the operator mounts the certificate", "tls.defaultMode"),
  mapped("replicaCount", "replicas"),
  changed("image.name", "version", "the operator has its own images with MLflow's extras"),
  ...notNeeded("the operator has its own images with MLflow's extras", "image.imagePullPolicy"),
  ...notNeeded("each server has its own ServiceAccount", "serviceAccount.name", "serviceAccount.create"),
  mapped("serviceAccount.annotations.*", "serviceAccount.annotations"),
  mapped("resources.*", "pod.resources"),
  mapped("storage.enabled", "artifactStore.persistentVolume"),
  mapped("storage.size", "artifactStore.persistentVolume.size"),
  mapped("storage.storageClassName", "artifactStore.persistentVolume.storageClassName"),
  mapped("storage.accessMode", "artifactStore.persistentVolume.accessModes"),
  changed("temporaryStorage.sizeLimit", "artifactStore.maxUploadSize", "it sizes the temporary space of the pods"),
  changed("mlflow.backendStoreUri", "backendStore", "sqlite, or a Secret with the URI"),
  mapped("mlflow.backendStoreUriFrom.secretKeyRef.name", "backendStore.uriSecretRef.name"),
  mapped("mlflow.backendStoreUriFrom.secretKeyRef.key", "backendStore.uriSecretRef.key"),
  ...notNeeded("a condition reports a missing Secret", "mlflow.backendStoreUriFrom.secretKeyRef.optional"),
  ...unsupported(
    "a read replica is a host of a database by fields: backendStore.postgresql.readReplica",
    "mlflow.readReplicaBackendStoreUriFrom.*",
  ),
  ...unsupported(
    "the model registry is in the backend store",
    "mlflow.registryStoreUri",
    "mlflow.registryStoreUriFrom.*",
  ),
  mapped("mlflow.artifactsDestination", "artifactStore"),
  mapped("mlflow.defaultArtifactRoot", "artifactStore"),
  mapped("mlflow.enableWorkspaces", "workspaces"),
  ...notNeeded("namespaces are the workspaces", "mlflow.workspaceStoreUri"),
  mapped("mlflow.serveArtifacts", "artifactStore.access"),
  mapped("mlflow.workers", "server.workers"),
  ...notNeeded("the Service has port 5000", "mlflow.port"),
  changed("service.port", "service.port", servicePort),
  mapped("mlflow.allowedHosts[]", "server.allowedHosts"),
  mapped("mlflow.corsAllowedOrigins", "server.corsAllowedOrigins"),
  ...unsupported("set exposure.externalURL, such as https://mlflow.example.com/mlflow", "mlflow.staticPrefix"),
  mapped("env[].*", "server.env"),
  mapped("envFrom[].*", "server.envFrom"),
  ...notNeeded(ownPods, "podSecurityContext.*", "securityContext.*"),
  ...serviceRows(),
  ...unsupported("write monitoring with the namespace of Prometheus", "metrics.*"),
  ...unsupported(
    "write networkPolicy.egress.ports",
    "networkPolicy.egressRules[].*",
    "networkPolicy.additionalEgressRules[].*",
  ),
  mapped("nodeSelector.*", "pod.nodeSelector"),
  mapped("tolerations[].*", "pod.tolerations"),
  mapped("affinity.*", "pod.affinity"),
  ...unsupported("pods have no claims of devices", "resourceClaims[].*"),
  ...garbageRows,
  ...unsupported("traces are not archived by the operator", "traceArchival.*"),
  ...unsupported(ownCa, "caBundle.filePaths[]", "caBundle.configMaps[].*", "caBundle.configMaps[]"),
  ...notNeeded(ownCa, "caBundle.outputPath", "caBundle.watchInterval"),
];

function convert(context: ConversionContext): void {
  const { values, draft, report } = context;
  setVersion(context, "image.name");
  draft.set("replicas", values.number("replicaCount"));
  const name = values.text("mlflow.backendStoreUriFrom.secretKeyRef.name");
  const key = values.text("mlflow.backendStoreUriFrom.secretKeyRef.key");
  if (name !== undefined && key !== undefined) {
    draft.set("backendStore.uriSecretRef", { name: draft.existing(name, [key]), key });
  } else setDatabaseUri(context, "mlflow.backendStoreUri");
  const destination = values.text("mlflow.artifactsDestination") ?? values.text("mlflow.defaultArtifactRoot");
  const bucket = storeOfLocation(destination);
  if (bucket) {
    draft.set(`artifactStore.${bucket.field}`, bucket.settings);
    draft.set("artifactStore.access", values.flag("mlflow.serveArtifacts", true) ? "Proxied" : "Direct");
  } else if (/^(wasb|abfss?|hdfs|https?):/u.test(destination ?? "")) {
    report(
      "mlflow.artifactsDestination",
      "unmapped",
      "artifacts are in S3, Google Cloud Storage (gs://), Azure Blob Storage (wasbs://) or on a volume: use one of these",
    );
  } else draft.set("artifactStore.persistentVolume", {});
  if (draft.spec["artifactStore"] !== undefined) {
    setVolume(context, { size: "storage.size", class: "storage.storageClassName", mode: "storage.accessMode" });
    draft.set("artifactStore.maxUploadSize", values.text("temporaryStorage.sizeLimit"));
  }
  setGarbageCollection(context);
  draft.set("authentication.kubernetes", {});
  if (values.flag("mlflow.enableWorkspaces", true)) draft.set("workspaces", {});
  draft.set("serviceAccount.annotations", values.map("serviceAccount.annotations"));
  draft.set("server.workers", values.number("mlflow.workers"));
  draft.set("server.corsAllowedOrigins", listOf(values.text("mlflow.corsAllowedOrigins")));
  setAllowedHosts(context, "mlflow.allowedHosts", values.list("mlflow.allowedHosts")?.map(String));
  const certificate = values.text("tls.secretName");
  if (certificate !== undefined)
    draft.set("server.tls.certificateSecretRef", { name: draft.existing(certificate, ["tls.crt", "tls.key"]) });
  setService(context, { port: values.number("service.port") });
  setEnvironment(context, variablesOf(values.list("env"), "env"));
  draft.set("server.envFrom", values.list("envFrom"));
  setPod(context, {
    resources: "pod.resources",
    podAnnotations: "pod.annotations",
    nodeSelector: "pod.nodeSelector",
    tolerations: "pod.tolerations",
    affinity: "pod.affinity",
  });
  const labels = { ...values.map("commonLabels"), ...values.map("podLabels") };
  if (Object.keys(labels).length > 0) draft.set("pod.labels", labels);
}

/** The chart of the Open Data Hub's MLflow operator. */
export const odh: Chart = {
  id: "odh",
  title: "the Open Data Hub MLflow operator's chart",
  rows,
  switches: [
    ["garbageCollection", "garbageCollection.enabled", false],
    ["traceArchival", "traceArchival.enabled", false],
    ["metrics", "metrics.enabled", true],
    ["storage", "storage.enabled", true],
  ],
  convert,
};
