import { type Chart, type ConversionContext, changed, mapped, notNeeded, type Row, unsupported } from "./chart.ts";
import {
  garbageRows,
  listOf,
  namesIn,
  setAllowedHosts,
  setDatabaseUri,
  setEnvironment,
  setGarbageCollection,
  setImage,
  setIngress,
  setMonitoring,
  setPod,
  setVersion,
  setVolume,
  storeOfLocation,
  variablesOf,
} from "./common.ts";
import { serviceRows, setService } from "./service.ts";
import { isValues, type Values } from "./values.ts";

const ownPods = "the operator runs the pods under Pod Security restricted, with its own user and group ids";
const ownCode = "it would run your code in the pods of the server, which have its Secrets";
const ownArguments = "the operator sets the arguments of the server: see server.extraArgs for those that are allowed";
const noRegistry = "the model registry is in the backend store";
const ownGrants = "the operator grants what a server needs";

const rows: readonly Row[] = [
  ...notNeeded(
    "the operator has its own images with MLflow's extras: set image.repository for a mirror",
    "image.repository",
  ),
  changed("image.tag", "version", "the version that the tag names"),
  mapped("image.pullPolicy", "image.pullPolicy"),
  changed(
    "imagePullSecrets[].name",
    "image.pullSecrets",
    "for the operator's own image they are needed with a mirror only",
  ),
  ...notNeeded("the name of the MlflowServer names the objects", "fullnameOverride"),
  mapped("replicaCount", "replicas"),
  ...notNeeded(
    "the operator chooses the strategy: it never runs two pods on one ReadWriteOnce volume",
    "deploymentStrategy.*",
  ),
  ...notNeeded("the operator sets the address in the pod", "server.value_options.host", "server.value_options.port"),
  mapped("server.value_options.workers", "server.workers"),
  mapped("server.value_options.allowed_hosts", "server.allowedHosts"),
  mapped("server.value_options.cors_allowed_origins", "server.corsAllowedOrigins"),
  mapped("server.value_options.app_name", "authentication.basic"),
  mapped("server.value_options.artifacts_destination", "artifactStore"),
  ...unsupported(ownArguments, "server.value_options.*"),
  mapped("server.flag_options[]", "artifactStore.access workspaces"),
  mapped("server.staticPrefix", "exposure.externalURL"),
  ...notNeeded("the operator sets probes that fit MLflow's start", "probes.*"),
  ...garbageRows,
  ...serviceRows(),
  mapped("ingress.enabled", "exposure.ingress"),
  mapped("ingress.className", "exposure.ingress.className"),
  mapped("ingress.annotations.*", "exposure.ingress.annotations"),
  mapped("ingress.hosts[].host", "exposure.ingress.hosts"),
  mapped("ingress.hosts[].paths[].path", "exposure.externalURL", "a path other than / is a prefix"),
  ...notNeeded("the type is Prefix", "ingress.hosts[].paths[].pathType"),
  mapped("ingress.tls[].secretName", "exposure.ingress.tls"),
  mapped("ingress.tls[].hosts[]", "exposure.ingress.tls"),
  changed("mlflow.backendStoreUri", "backendStore", "sqlite, or a Secret with the URI"),
  mapped("mlflow.backendStoreUriFrom.secretKeyRef.name", "backendStore.uriSecretRef.name"),
  mapped("mlflow.backendStoreUriFrom.secretKeyRef.key", "backendStore.uriSecretRef.key"),
  ...unsupported("a database URI is in a Secret", "mlflow.backendStoreUriFrom.*"),
  ...unsupported(noRegistry, "mlflow.registryStoreUri", "mlflow.registryStoreUriFrom.*"),
  mapped("mlflow.defaultArtifactRoot", "artifactStore"),
  mapped("mlflow.artifactsDestination", "artifactStore"),
  mapped("env[].*", "server.env"),
  mapped("envFrom[].*", "server.envFrom"),
  ...unsupported(
    ownCode,
    "extraVolumes[].*",
    "extraVolumeMounts[].*",
    "extraInitContainers[].*",
    "extraContainers[].*",
  ),
  mapped("tls.enabled", "server.tls"),
  mapped("tls.secretName", "server.tls.certificateSecretRef.name"),
  ...notNeeded(
    "apply the SecretStore and the ExternalSecret yourself; the manifest references the Secret that they create",
    "externalSecrets.*",
  ),
  mapped("networkPolicy.enabled", "networkPolicy.egress"),
  mapped("networkPolicy.additionalEgressRules[].ports[].port", "networkPolicy.egress.ports"),
  ...notNeeded("ports are open for TCP", "networkPolicy.additionalEgressRules[].ports[].protocol"),
  ...unsupported("egress is restricted by port", "networkPolicy.additionalEgressRules[].*"),
  ...notNeeded("monitoring enables the metrics", "metrics.enabled"),
  ...notNeeded("the ports of the metrics serve /metrics", "metrics.path"),
  mapped("serviceMonitor.enabled", "monitoring.namespace"),
  ...notNeeded("the ports of the metrics have no TLS", "serviceMonitor.tlsConfig.*"),
  ...unsupported("the chart of the operator has the PodMonitor of all servers", "metrics.*", "serviceMonitor.*"),
  ...notNeeded(ownPods, "podSecurityContext.*", "securityContext.*"),
  ...notNeeded("each server has its own ServiceAccount", "serviceAccount.create", "serviceAccount.name"),
  ...notNeeded("only authentication that needs it mounts a token", "serviceAccount.automountServiceAccountToken"),
  mapped("serviceAccount.annotations.*", "serviceAccount.annotations"),
  ...notNeeded(ownGrants, "namespace_rbac.extraRules[].*", "cluster_rbac.extraRules[].*"),
  mapped("storage.enabled", "artifactStore.persistentVolume"),
  mapped("storage.size", "artifactStore.persistentVolume.size"),
  mapped("storage.accessMode", "artifactStore.persistentVolume.accessModes"),
  mapped("storage.storageClassName", "artifactStore.persistentVolume.storageClassName"),
  ...notNeeded("the operator sets the mount path", "storage.mountPath"),
  mapped("resources.*", "pod.resources"),
  mapped("podAnnotations.*", "pod.annotations"),
  mapped("podLabels.*", "pod.labels"),
  mapped("nodeSelector.*", "pod.nodeSelector"),
  mapped("tolerations[].*", "pod.tolerations"),
  mapped("affinity.*", "pod.affinity"),
];

const flagsOf = ({ values }: ConversionContext): string[] =>
  (values.list("server.flag_options") ?? []).map((flag) => String(flag).replaceAll("-", "_"));

function convert(context: ConversionContext): void {
  setGarbageCollection(context);
  const { values, draft } = context;
  setVersion(context, "image.tag");
  setImage(context, namesIn(context, "imagePullSecrets"));
  draft.set("replicas", values.number("replicaCount"));
  setBackendStore(context);
  setArtifactStore(context);
  setAuthentication(context);
  draft.set("serviceAccount.annotations", values.map("serviceAccount.annotations"));
  draft.set("server.workers", values.number("server.value_options.workers"));
  draft.set("server.corsAllowedOrigins", listOf(values.text("server.value_options.cors_allowed_origins")));
  setAllowedHosts(
    context,
    "server.value_options.allowed_hosts",
    listOf(values.text("server.value_options.allowed_hosts")),
  );
  if (values.flag("tls.enabled")) {
    const name = values.text("tls.secretName") ?? "mlflow-tls";
    draft.set("server.tls.certificateSecretRef", { name: draft.existing(name, ["tls.crt", "tls.key"]) });
  }
  setEnvironment(context, variablesOf(values.list("env"), "env"));
  draft.set("server.envFrom", values.list("envFrom"));
  setPod(context, {
    resources: "pod.resources",
    podAnnotations: "pod.annotations",
    podLabels: "pod.labels",
    nodeSelector: "pod.nodeSelector",
    tolerations: "pod.tolerations",
    affinity: "pod.affinity",
  });
  setExposure(context);
  setService(context, {});
  setNetworkPolicy(context);
  if (values.flag("metrics.enabled")) setMonitoring(context, "serviceMonitor");
}

function setBackendStore(context: ConversionContext): void {
  const { values, draft } = context;
  const name = values.text("mlflow.backendStoreUriFrom.secretKeyRef.name");
  const key = values.text("mlflow.backendStoreUriFrom.secretKeyRef.key");
  if (name !== undefined && key !== undefined) {
    draft.set("backendStore.uriSecretRef", { name: draft.existing(name, [key]), key });
  } else if (values.map("mlflow.backendStoreUriFrom") === undefined) setDatabaseUri(context, "mlflow.backendStoreUri");
}

function setArtifactStore(context: ConversionContext): void {
  const { values, draft, report } = context;
  const destinationKey =
    values.text("mlflow.artifactsDestination") === undefined
      ? "server.value_options.artifacts_destination"
      : "mlflow.artifactsDestination";
  const destination = values.text(destinationKey);
  const root = values.text("mlflow.defaultArtifactRoot");
  const location = destination ?? root;
  const bucket = storeOfLocation(location);
  const flags = flagsOf(context);
  flags.forEach((flag, index) => {
    if (!["serve_artifacts", "no_serve_artifacts", "enable_workspaces"].includes(flag)) {
      report(`server.flag_options[${index}]`, "unmapped", ownArguments);
    }
  });
  if (bucket) {
    draft.set(`artifactStore.${bucket.field}`, bucket.settings);
    const isProxied =
      destination !== undefined && !flags.includes("no_serve_artifacts") && storeOfLocation(root) === undefined;
    draft.set("artifactStore.access", isProxied ? "Proxied" : "Direct");
  } else if (/^(wasb|abfss?|hdfs|dbfs|ftp|sftp|https?):/u.test(location ?? "")) {
    const note =
      "artifacts are in S3, Google Cloud Storage (gs://), Azure Blob Storage (wasbs://) or on a volume: use one of these";
    report(destination === undefined ? "mlflow.defaultArtifactRoot" : destinationKey, "unmapped", note);
    return;
  } else if (root !== undefined && root !== destination && !root.startsWith("mlflow-artifacts:")) {
    report(
      "mlflow.defaultArtifactRoot",
      "changed",
      "artifactStore.persistentVolume: new artifacts go through MLflow to a volume; those of existing experiments keep their location",
    );
  }
  if (values.flag("storage.enabled")) setStorage(context);
  else if (!bucket) draft.set("artifactStore.persistentVolume", {});
}

function setStorage(context: ConversionContext): void {
  setVolume(context, { size: "storage.size", class: "storage.storageClassName", mode: "storage.accessMode" });
}

function setAuthentication(context: ConversionContext): void {
  const { values, draft, report } = context;
  const app = values.text("server.value_options.app_name");
  const index = flagsOf(context).indexOf("enable_workspaces");
  if (index >= 0) {
    draft.set("authentication.kubernetes", {});
    draft.set("workspaces", {});
    report(
      `server.flag_options[${index}]`,
      "changed",
      "workspaces: namespaces are workspaces, and Kubernetes RBAC decides: authentication.kubernetes",
    );
    if (app !== undefined)
      report("server.value_options.app_name", "unmapped", "workspaces need authentication.kubernetes");
  } else if (app === "basic-auth") draft.set("authentication.basic", {});
  else {
    draft.set("authentication.none", {});
    if (app !== undefined) report("server.value_options.app_name", "unmapped", ownCode);
  }
}

function setExposure(context: ConversionContext): void {
  const { values, draft, report } = context;
  const prefix = values.text("server.staticPrefix");
  if (!values.flag("ingress.enabled")) {
    if (prefix !== undefined)
      report(
        "server.staticPrefix",
        "unmapped",
        "the host is not in the values: set exposure.externalURL, such as https://mlflow.example.com/mlflow",
      );
    return;
  }
  const entries = values.items("ingress.hosts");
  const hosts = entries.flatMap((entry) => entry.text("host") ?? []);
  const tls = (values.list("ingress.tls") ?? []).filter((item): item is Values => isValues(item));
  const path = prefix ?? entries[0]?.items("paths")[0]?.text("path");
  setIngress(context, { annotations: "ingress.annotations", className: "ingress.className" }, hosts, tls, path);
  if (prefix !== undefined)
    draft.set("exposure.externalURL", `${tls.length > 0 ? "https" : "http"}://${hosts[0]}${prefix}`);
}

function setNetworkPolicy({ values, draft }: ConversionContext): void {
  if (!values.flag("networkPolicy.enabled")) return;
  const ports = values
    .items("networkPolicy.additionalEgressRules")
    .flatMap((rule) => rule.items("ports"))
    .flatMap((port) => port.number("port") ?? []);
  draft.set("networkPolicy.egress", ports.length > 0 ? { ports } : {});
}

/** The chart `mlflow` of the MLflow project. */
export const official: Chart = {
  id: "official",
  title: "the MLflow project's own chart",
  rows,
  switches: [
    ["garbageCollection", "garbageCollection.enabled", false],
    ["ingress", "ingress.enabled", false],
    ["tls", "tls.enabled", false],
    ["externalSecrets", "externalSecrets.enabled", false],
    ["networkPolicy", "networkPolicy.enabled", false],
    ["metrics", "metrics.enabled", false],
    ["serviceMonitor", "serviceMonitor.enabled", false],
    ["storage", "storage.enabled", false],
  ],
  convert,
};
