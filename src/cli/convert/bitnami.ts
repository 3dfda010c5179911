import { type Chart, type ConversionContext, changed, mapped, notNeeded, type Row, unsupported } from "./chart.ts";
import {
  onlyCPU,
  serviceMonitorRows,
  setAllowedHosts,
  setAutoscaling,
  setEnvironment,
  setImage,
  setIngress,
  setMonitoring,
  setPod,
  setVersion,
  setVolume,
  variablesOf,
} from "./common.ts";
import { servicePort, serviceRows, setService } from "./service.ts";
import { isValues, type Value, type Values } from "./values.ts";

const ownPods = "the operator runs the pods under Pod Security restricted, with its own user and group ids";
const ownProbes = "the operator sets probes that fit MLflow's start";
const noSubchart = "the operator does not run databases or object stores: run one and reference it";
const toSecret = "the manifest references a Secret that has it";
const ownCode = "it would run your code in the pods of the server, which have its Secrets";
const ownName = "the name of the MlflowServer names the objects";
const spread = "pods are spread over nodes as far as possible";

const tracking = (...keys: readonly string[]): string[] => keys.map((key) => `tracking.${key}`);

const rows: readonly Row[] = [
  ...notNeeded("set the repository of images in the operator's chart", "global.imageRegistry", "global.security.*"),
  changed(
    "global.imagePullSecrets[]",
    "image.pullSecrets",
    "for the operator's own image they are needed with a mirror only",
  ),
  mapped("global.defaultStorageClass", "artifactStore.persistentVolume.storageClassName"),
  mapped("global.storageClass", "artifactStore.persistentVolume.storageClassName"),
  ...notNeeded(ownPods, "global.compatibility.*"),
  ...notNeeded("Helm only", "kubeVersion", "apiVersions[]", "diagnosticMode.*"),
  ...notNeeded(ownName, "nameOverride", "fullnameOverride", "namespaceOverride"),
  changed("commonLabels.*", "pod.labels", "on the pods"),
  ...unsupported("only pods and the ServiceAccount can have additional annotations", "commonAnnotations.*"),
  ...notNeeded("a setting of the operator", "clusterDomain"),
  ...unsupported("apply these objects yourself", "extraDeploy[].*"),
  ...notNeeded(
    "the operator has its own images with MLflow's extras: set image.repository for a mirror",
    "image.registry",
    "image.repository",
    "image.digest",
  ),
  changed("image.tag", "version", "the version that the tag names"),
  mapped("image.pullPolicy", "image.pullPolicy"),
  changed(
    "image.pullSecrets[]",
    "image.pullSecrets",
    "for the operator's own image they are needed with a mirror only",
  ),
  ...notNeeded("set server.logLevel: DEBUG", "image.debug"),
  ...unsupported("MLflow projects are not run by the operator: use a Job", "run.*", "gitImage.*"),
  ...notNeeded("the operator waits for the database in the Job of the migration", "waitContainer.*"),
  ...notNeeded("the volume belongs to the group of the pods", "volumePermissions.*"),
  ...notNeeded("an MlflowServer is a tracking server", ...tracking("enabled")),
  mapped("tracking.replicaCount", "replicas"),
  ...notNeeded("the operator sets the port in the pod", ...tracking("host", "containerPorts.*")),
  ...notNeeded(
    ownProbes,
    ...tracking(
      "livenessProbe.*",
      "readinessProbe.*",
      "startupProbe.*",
      "customLivenessProbe.*",
      "customReadinessProbe.*",
      "customStartupProbe.*",
    ),
  ),
  mapped("tracking.resources.*", "pod.resources"),
  ...notNeeded("set pod.resources for other requests and limits", ...tracking("resourcesPreset")),
  ...notNeeded(ownPods, ...tracking("podSecurityContext.*", "containerSecurityContext.*")),
  mapped("tracking.auth.enabled", "authentication.basic"),
  changed("tracking.auth.username", "authentication.basic.adminCredentialsSecretRef", toSecret),
  changed(
    "tracking.auth.password",
    "authentication.basic.adminCredentialsSecretRef",
    `${toSecret}; it must have 12 characters or more`,
  ),
  mapped("tracking.auth.existingSecret", "authentication.basic.adminCredentialsSecretRef.name"),
  mapped("tracking.auth.existingSecretUserKey", "authentication.basic.adminCredentialsSecretRef.usernameKey"),
  mapped("tracking.auth.existingSecretPasswordKey", "authentication.basic.adminCredentialsSecretRef.passwordKey"),
  ...notNeeded(
    "the operator generates it; users must sign in again once",
    ...tracking("auth.flaskServerSecretKey", "auth.existingSecretFlaskServerSecretKey"),
  ),
  mapped("tracking.auth.extraOverrides.default_permission", "authentication.basic.defaultPermission"),
  ...unsupported(
    "the operator writes the configuration of authentication",
    ...tracking("auth.extraOverrides.*", "auth.overridesConfigMap"),
  ),
  mapped("tracking.tls.enabled", "server.tls"),
  mapped("tracking.tls.certificatesSecret", "server.tls.certificateSecretRef.name"),
  ...notNeeded(
    "the Secret has the type kubernetes.io/tls, with the keys tls.crt and tls.key",
    ...tracking("tls.certFilename", "tls.certKeyFilename"),
  ),
  ...unsupported("client certificates are not supported", ...tracking("tls.certCAFilename")),
  ...unsupported("use cert-manager, and server.tls", ...tracking("tls.autoGenerated")),
  ...unsupported(
    ownCode,
    ...tracking(
      "command[]",
      "args[]",
      "lifecycleHooks.*",
      "extraVolumes[].*",
      "extraVolumeMounts[].*",
      "sidecars[].*",
      "initContainers[].*",
    ),
  ),
  mapped("tracking.extraArgs[]", "server.workers server.allowedHosts server.corsAllowedOrigins"),
  mapped("tracking.runUpgradeDB", "backendStore.migration"),
  ...notNeeded(
    "only authentication that needs it mounts a token",
    ...tracking("automountServiceAccountToken", "serviceAccount.automountServiceAccountToken"),
  ),
  mapped("tracking.hostAliases[].*", "pod.hostAliases"),
  mapped("tracking.podLabels.*", "pod.labels"),
  mapped("tracking.podAnnotations.*", "pod.annotations"),
  ...notNeeded(spread, ...tracking("podAffinityPreset", "podAntiAffinityPreset")),
  ...unsupported("set pod.affinity", ...tracking("nodeAffinityPreset.*")),
  mapped("tracking.pdb.create", "podDisruptionBudget.enabled"),
  ...notNeeded("at most one pod is unavailable", ...tracking("pdb.minAvailable", "pdb.maxUnavailable")),
  mapped("tracking.autoscaling.hpa.enabled", "autoscaling"),
  mapped("tracking.autoscaling.hpa.minReplicas", "autoscaling.minReplicas"),
  mapped("tracking.autoscaling.hpa.maxReplicas", "autoscaling.maxReplicas"),
  mapped(
    "tracking.autoscaling.hpa.targetCPU",
    "autoscaling.targetCPUUtilization",
    "only the usage of MLflow's container",
  ),
  ...unsupported(onlyCPU, ...tracking("autoscaling.hpa.targetMemory")),
  ...unsupported("there is no VerticalPodAutoscaler: set pod.resources", ...tracking("autoscaling.vpa.*")),
  mapped("tracking.affinity.*", "pod.affinity"),
  mapped("tracking.nodeSelector.*", "pod.nodeSelector"),
  mapped("tracking.tolerations[].*", "pod.tolerations"),
  ...notNeeded(
    "the operator chooses the strategy: it never runs two pods on one ReadWriteOnce volume",
    ...tracking("updateStrategy.*"),
  ),
  mapped("tracking.priorityClassName", "pod.priorityClassName"),
  mapped("tracking.topologySpreadConstraints[].*", "pod.topologySpreadConstraints"),
  mapped("tracking.schedulerName", "pod.schedulerName"),
  ...notNeeded(
    "the operator sets a period in which running requests can complete",
    ...tracking("terminationGracePeriodSeconds"),
  ),
  mapped("tracking.extraEnvVars[].*", "server.env"),
  mapped("tracking.extraEnvVarsCM", "server.envFrom"),
  mapped("tracking.extraEnvVarsSecret", "server.envFrom"),
  ...notNeeded("the operator has its own init containers", ...tracking("enableDefaultInitContainers")),
  ...serviceRows("tracking.service"),
  ...unsupported(
    "the cluster chooses addresses: an annotation of your load balancer can set one",
    ...tracking("service.clusterIP", "service.loadBalancerIP"),
  ),
  ...unsupported("the Services have the ports of the server only", ...tracking("service.extraPorts[].*")),
  ...unsupported("the operator sets the labels of the Services", ...tracking("service.labels.*")),
  changed("tracking.service.ports.*", "service.port", servicePort),
  changed("tracking.service.nodePorts.*", "service.port", "of a Service of type NodePort"),
  mapped("tracking.service.loadBalancerSourceRanges[]", "service.loadBalancerSourceRanges"),
  changed("tracking.service.externalTrafficPolicy", "service.externalTrafficPolicy", "not of a ClusterIP"),
  ...notNeeded(
    "any pod can answer any request",
    ...tracking("service.sessionAffinity", "service.sessionAffinityConfig.*"),
  ),
  mapped("tracking.ingress.enabled", "exposure.ingress"),
  ...notNeeded("the type is Prefix", ...tracking("ingress.pathType")),
  mapped("tracking.ingress.hostname", "exposure.ingress.hosts"),
  mapped("tracking.ingress.ingressClassName", "exposure.ingress.className"),
  mapped("tracking.ingress.path", "exposure.externalURL", "a path other than / is a prefix"),
  mapped("tracking.ingress.annotations.*", "exposure.ingress.annotations"),
  mapped("tracking.ingress.tls", "exposure.ingress.tls", "the Secret is <hostname>-tls, as in the chart"),
  ...unsupported("use cert-manager", ...tracking("ingress.selfSigned")),
  mapped("tracking.ingress.extraHosts[].name", "exposure.ingress.hosts"),
  ...notNeeded(
    "all hosts have the path of exposure.externalURL",
    ...tracking("ingress.extraHosts[].path", "ingress.extraHosts[].pathType"),
  ),
  ...unsupported(
    "the Ingress has only the paths of MLflow",
    ...tracking("ingress.extraPaths[].*", "ingress.extraRules[].*"),
  ),
  mapped("tracking.ingress.extraTls[].*", "exposure.ingress.tls"),
  ...unsupported("create the TLS Secret yourself, or use cert-manager", ...tracking("ingress.secrets[].*")),
  mapped("tracking.httproute.enabled", "exposure.httpRoute"),
  mapped("tracking.httproute.parentRefs[].*", "exposure.httpRoute.parentRefs"),
  mapped("tracking.httproute.hostnames[]", "exposure.httpRoute.hostnames"),
  ...unsupported("the HTTPRoute has only the paths of MLflow", ...tracking("httproute.*")),
  mapped("tracking.networkPolicy.enabled", "networkPolicy.enabled"),
  mapped("tracking.networkPolicy.allowExternal", "networkPolicy.from"),
  changed(
    "tracking.networkPolicy.allowExternalEgress",
    "networkPolicy.egress",
    "false: egress is allowed only to DNS and the ports of the servers in the spec",
  ),
  ...unsupported("write networkPolicy.from", ...tracking("networkPolicy.extraIngress[].*")),
  ...unsupported("write networkPolicy.egress.ports", ...tracking("networkPolicy.extraEgress[].*")),
  mapped("tracking.networkPolicy.ingressNSMatchLabels.*", "networkPolicy.from"),
  mapped("tracking.networkPolicy.ingressNSPodMatchLabels.*", "networkPolicy.from"),
  mapped("tracking.persistence.enabled", "artifactStore.persistentVolume"),
  mapped("tracking.persistence.storageClass", "artifactStore.persistentVolume.storageClassName"),
  mapped("tracking.persistence.accessModes[]", "artifactStore.persistentVolume.accessModes"),
  mapped("tracking.persistence.size", "artifactStore.persistentVolume.size"),
  ...notNeeded("the operator sets the mount path", ...tracking("persistence.mountPath", "persistence.subPath")),
  ...unsupported(
    "the operator creates the claim itself: copy the data to it",
    ...tracking("persistence.existingClaim", "persistence.selector.*", "persistence.dataSource.*"),
  ),
  ...unsupported(
    "labels and annotations of the claim cannot be set",
    ...tracking("persistence.labels.*", "persistence.annotations.*"),
  ),
  ...notNeeded("each server has its own ServiceAccount", ...tracking("serviceAccount.create", "serviceAccount.name")),
  mapped("tracking.serviceAccount.annotations.*", "serviceAccount.annotations"),
  ...notNeeded("monitoring enables the metrics", ...tracking("metrics.enabled")),
  ...serviceMonitorRows("tracking.metrics.serviceMonitor", { timeout: "scrapeTimeout", path: "path" }),
  ...unsupported("the Service has no port for metrics", ...tracking("metrics.*")),
  ...unsupported(noSubchart, "postgresql.*", "minio.*"),
  changed("postgresql.auth.username", "backendStore.postgresql.credentialsSecretRef", toSecret),
  changed("postgresql.auth.password", "backendStore.postgresql.credentialsSecretRef", toSecret),
  changed(
    "postgresql.auth.existingSecret",
    "backendStore.postgresql.credentialsSecretRef",
    "one Secret has the user name and the password",
  ),
  mapped("postgresql.auth.database", "backendStore.postgresql.database"),
  mapped("postgresql.primary.service.ports.postgresql", "backendStore.postgresql.port"),
  changed(
    "externalDatabase.dialectDriver",
    "backendStore",
    "postgresql and mysql by fields, others by backendStore.uriSecretRef",
  ),
  mapped("externalDatabase.host", "backendStore.postgresql.host backendStore.mysql.host"),
  mapped("externalDatabase.port", "backendStore.postgresql.port backendStore.mysql.port"),
  mapped("externalDatabase.database", "backendStore.postgresql.database backendStore.mysql.database"),
  mapped("externalDatabase.authDatabase", "authentication.basic.database.postgresql.database"),
  changed("externalDatabase.user", "backendStore.postgresql.credentialsSecretRef", toSecret),
  changed("externalDatabase.password", "backendStore.postgresql.credentialsSecretRef", toSecret),
  changed(
    "externalDatabase.existingSecret",
    "backendStore.postgresql.credentialsSecretRef",
    "one Secret has the user name and the password",
  ),
  changed(
    "externalDatabase.existingSecretPasswordKey",
    "backendStore.postgresql.credentialsSecretRef",
    "one Secret has the user name and the password",
  ),
  mapped("externalS3.host", "artifactStore.s3.endpointURL", "left out for AWS"),
  mapped("externalS3.port", "artifactStore.s3.endpointURL"),
  mapped("externalS3.protocol", "artifactStore.s3.endpointURL"),
  mapped("externalS3.bucket", "artifactStore.s3.bucket"),
  ...notNeeded("without credentials the pods use their ServiceAccount", "externalS3.useCredentialsInSecret"),
  changed("externalS3.accessKeyID", "artifactStore.s3.credentialsSecretRef", toSecret),
  changed("externalS3.accessKeySecret", "artifactStore.s3.credentialsSecretRef", toSecret),
  mapped("externalS3.existingSecret", "artifactStore.s3.credentialsSecretRef.name"),
  mapped("externalS3.existingSecretAccessKeyIDKey", "artifactStore.s3.credentialsSecretRef.accessKeyIDKey"),
  mapped("externalS3.existingSecretKeySecretKey", "artifactStore.s3.credentialsSecretRef.secretAccessKeyKey"),
  mapped("externalS3.serveArtifacts", "artifactStore.access"),
  mapped("externalGCS.bucket", "artifactStore.gcs.bucket"),
  changed("externalGCS.googleCloudProject", "server.env", "the variable GOOGLE_CLOUD_PROJECT"),
  mapped("externalGCS.serveArtifacts", "artifactStore.access"),
  ...notNeeded("without credentials the pods use their ServiceAccount", "externalGCS.useCredentialsInSecret"),
  ...unsupported(
    "write the key file of a service account into a Secret, and reference it in artifactStore.gcs.credentialsSecretRef",
    "externalGCS.*",
  ),
  mapped("externalAzureBlob.storageAccount", "artifactStore.azureBlob.storageAccount"),
  mapped("externalAzureBlob.containerName", "artifactStore.azureBlob.container"),
  mapped("externalAzureBlob.serveArtifacts", "artifactStore.access"),
  ...notNeeded("without credentials the pods use their ServiceAccount", "externalAzureBlob.useCredentialsInSecret"),
  ...unsupported(
    "write the credentials into a Secret, and reference it in artifactStore.azureBlob.accessKeySecretRef or connectionStringSecretRef",
    "externalAzureBlob.*",
  ),
];

function convert(context: ConversionContext): void {
  const { values, draft } = context;
  setVersion(context, "image.tag");
  const pullSecrets = [...(values.list("global.imagePullSecrets") ?? []), ...(values.list("image.pullSecrets") ?? [])];
  const names = pullSecrets.map((each) => (isValues(each) ? String(each["name"]) : String(each)));
  setImage(context, names);
  if (values.flag("tracking.autoscaling.hpa.enabled"))
    setAutoscaling(context, "tracking.replicaCount", {
      minReplicas: values.number("tracking.autoscaling.hpa.minReplicas"),
      maxReplicas: values.number("tracking.autoscaling.hpa.maxReplicas"),
      targetCPUUtilization: values.number("tracking.autoscaling.hpa.targetCPU"),
    });
  else draft.set("replicas", values.number("tracking.replicaCount"));
  setDatabases(context);
  setArtifactStore(context);
  draft.set("serviceAccount.annotations", values.map("tracking.serviceAccount.annotations"));
  setServer(context);
  setPod(context, {
    commonLabels: "pod.labels",
    "tracking.resources": "pod.resources",
    "tracking.nodeSelector": "pod.nodeSelector",
    "tracking.tolerations": "pod.tolerations",
    "tracking.affinity": "pod.affinity",
    "tracking.priorityClassName": "pod.priorityClassName",
    "tracking.schedulerName": "pod.schedulerName",
    "tracking.hostAliases": "pod.hostAliases",
    "tracking.topologySpreadConstraints": "pod.topologySpreadConstraints",
    "tracking.podAnnotations": "pod.annotations",
  });
  const labels = { ...values.map("commonLabels"), ...values.map("tracking.podLabels") };
  if (Object.keys(labels).length > 0) draft.set("pod.labels", labels);
  setSpread(context);
  setExposure(context);
  setOutsideService(context);
  setNetworkPolicy(context);
  if (values.flag("tracking.metrics.enabled")) setMonitoring(context, "tracking.metrics.serviceMonitor");
  if (!values.flag("tracking.pdb.create", true)) draft.set("podDisruptionBudget.enabled", false);
}

interface Database {
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly database: string | undefined;
  readonly usersDatabase: string | undefined;
  readonly user: string;
  readonly password: string;
}

/** The sub-chart's database is on by default, as in the chart. */
function databaseOf({ values, release, report }: ConversionContext): Database {
  const secret = (key: string, name: string) =>
    values.text(key) === undefined ? name : `${name} of Secret/${values.text(key)}`;
  if (!values.flag("postgresql.enabled", true)) {
    const passwordKey = values.text("externalDatabase.existingSecretPasswordKey") ?? "db-password";
    const existing = values.text("externalDatabase.existingSecret");
    return {
      host: values.text("externalDatabase.host"),
      port: values.number("externalDatabase.port"),
      database: values.text("externalDatabase.database") ?? "mlflow",
      usersDatabase: values.text("externalDatabase.authDatabase") ?? "mlflow_auth",
      user: "externalDatabase.user (default: postgres)",
      password:
        existing === undefined ? "externalDatabase.password" : secret("externalDatabase.existingSecret", passwordKey),
    };
  }
  const host = `${release.name}-postgresql`;
  const note = `the operator does not run databases: run PostgreSQL in a separate release before you remove the chart; the manifest has its Service, ${host}`;
  report("postgresql.enabled", "unmapped", note);
  const database = values.text("postgresql.auth.database") ?? "bitnami_mlflow";
  return {
    host,
    port: values.number("postgresql.primary.service.ports.postgresql"),
    database,
    usersDatabase: `${database}_auth`,
    user: "postgresql.auth.username (default: bn_mlflow)",
    password:
      values.text("postgresql.auth.existingSecret") === undefined
        ? "postgresql.auth.password"
        : secret("postgresql.auth.existingSecret", "password"),
  };
}

function setDatabases(context: ConversionContext): void {
  const { values, draft, release } = context;
  const { host, port, database, usersDatabase, user, password } = databaseOf(context);
  const isExternal = !values.flag("postgresql.enabled", true);
  const dialect = isExternal ? (values.text("externalDatabase.dialectDriver") ?? "postgresql") : "postgresql";
  const isPostgresql = dialect.startsWith("postgresql");
  const kind = isPostgresql ? "postgresql" : /^(mysql|mariadb)/.test(dialect) ? "mysql" : undefined;
  if (isExternal && host === undefined) draft.set("backendStore.sqlite", {});
  else if (kind !== undefined) {
    const name = draft.toCreate(`${release.name}-database`, { username: user, password });
    setFields(draft, `backendStore.${kind}`, { host, port, database, credentialsSecretRef: { name } });
  } else {
    const place = `${host}${port === undefined ? "" : `:${port}`}/${database}`;
    context.report("externalDatabase", "changed", "part of the URI in a Secret");
    const uri = `${dialect}://<user>:<password>@${place}, with ${user} and ${password}, percent-encoded`;
    draft.set("backendStore.uriSecretRef", {
      name: draft.toCreate(`${release.name}-backend-store`, { uri }),
      key: "uri",
    });
  }
  if (!isPostgresql && values.flag("tracking.auth.enabled", true)) {
    const note = "MLflow stores users in PostgreSQL or SQLite only: add authentication.basic.database.postgresql";
    context.report("externalDatabase.authDatabase", "unmapped", note);
  }
  if (values.value("tracking.runUpgradeDB") !== undefined) {
    draft.set("backendStore.migration", values.flag("tracking.runUpgradeDB") ? "Automatic" : "Manual");
  }
  setAuthentication(context);
  if (!isPostgresql || host === undefined || !values.flag("tracking.auth.enabled", true)) return;
  const field = "authentication.basic.database.postgresql";
  setFields(draft, field, {
    host,
    port,
    database: usersDatabase,
    credentialsSecretRef: { name: `${release.name}-database` },
  });
}

function setFields(draft: ConversionContext["draft"], path: string, fields: Readonly<Record<string, unknown>>): void {
  for (const [field, value] of Object.entries(fields)) draft.set(`${path}.${field}`, value);
}

function setAuthentication({ values, draft, release }: ConversionContext): void {
  if (!values.flag("tracking.auth.enabled", true)) {
    draft.set("authentication.none", {});
    return;
  }
  draft.set("authentication.basic", {});
  const name = values.text("tracking.auth.existingSecret");
  const usernameKey = values.text("tracking.auth.existingSecretUserKey") ?? "admin-user";
  const passwordKey = values.text("tracking.auth.existingSecretPasswordKey") ?? "admin-password";
  if (name !== undefined) {
    draft.existing(name, [usernameKey, passwordKey]);
    draft.set("authentication.basic.adminCredentialsSecretRef", { name, usernameKey, passwordKey });
  } else if (values.text("tracking.auth.password") !== undefined) {
    const created = draft.toCreate(`${release.name}-admin-credentials`, {
      username: "tracking.auth.username (default: user)",
      password: "tracking.auth.password",
    });
    draft.set("authentication.basic.adminCredentialsSecretRef", { name: created });
  }
  draft.set("authentication.basic.defaultPermission", values.text("tracking.auth.extraOverrides.default_permission"));
}

/** The chart takes MinIO, then S3, then Google Cloud Storage, then Azure Blob Storage, and else a volume. */
function setArtifactStore(context: ConversionContext): void {
  const { values, draft, release } = context;
  const isMinio = values.flag("minio.enabled", true);
  const host = values.text("externalS3.host");
  if (!isMinio && host !== undefined) {
    const isAws = /(^|[.])amazonaws[.]com$/u.test(host);
    const protocol = values.text("externalS3.protocol") ?? "https";
    const port = values.number("externalS3.port");
    const isDefaultPort = port === undefined || port === (protocol === "https" ? 443 : 80);
    draft.set("artifactStore.s3.bucket", values.text("externalS3.bucket") ?? "mlflow");
    if (!isAws) draft.set("artifactStore.s3.endpointURL", `${protocol}://${host}${isDefaultPort ? "" : `:${port}`}`);
    draft.set("artifactStore.s3.region", isAws ? /^s3[.-]([a-z0-9-]+)[.]amazonaws/u.exec(host)?.[1] : undefined);
    setS3Credentials(context);
    for (const key of ["tracking.persistence", "global.storageClass", "global.defaultStorageClass"]) {
      context.report(key, "changed", "not needed: artifacts are in a bucket");
    }
    draft.set("artifactStore.access", values.flag("externalS3.serveArtifacts", true) ? "Proxied" : "Direct");
    return;
  }
  if (isMinio) {
    draft.set("artifactStore.s3", { bucket: values.text("minio.defaultBuckets")?.split(/[,; ]+/u)[0] ?? "mlflow" });
    draft.set("artifactStore.s3.endpointURL", `http://${release.name}-minio`);
    const secret = values.text("minio.auth.existingSecret");
    const reference = { accessKeyIDKey: "root-user", secretAccessKeyKey: "root-password" };
    const name = draft.existing(secret ?? `${release.name}-minio`, ["root-user", "root-password"]);
    draft.set("artifactStore.s3.credentialsSecretRef", { name, ...reference });
    const note = `the operator does not run object stores: run MinIO in a separate release before you remove the chart; the manifest has its Service, ${release.name}-minio`;
    context.report("minio.enabled", "unmapped", note);
  } else if (values.text("externalGCS.bucket") !== undefined) {
    draft.set("artifactStore.gcs.bucket", values.text("externalGCS.bucket"));
    draft.set("artifactStore.access", values.flag("externalGCS.serveArtifacts", true) ? "Proxied" : "Direct");
  } else if (values.text("externalAzureBlob.storageAccount") !== undefined) {
    draft.set("artifactStore.azureBlob", {
      storageAccount: values.text("externalAzureBlob.storageAccount"),
      container: values.text("externalAzureBlob.containerName"),
    });
    draft.set("artifactStore.access", values.flag("externalAzureBlob.serveArtifacts", true) ? "Proxied" : "Direct");
  } else setBitnamiVolume(context);
}

function setBitnamiVolume(context: ConversionContext): void {
  if (!context.values.flag("tracking.persistence.enabled", true)) {
    context.draft.set("artifactStore.persistentVolume", {});
    const note = "the chart deletes artifacts with the pod; the operator always keeps them on a volume";
    context.report("tracking.persistence.enabled", "changed", note);
    return;
  }
  setVolume(context, {
    size: "tracking.persistence.size",
    class: "tracking.persistence.storageClass",
    mode: "tracking.persistence.accessModes",
  });
  const { values, draft } = context;
  const storageClass = values.text("global.defaultStorageClass") ?? values.text("global.storageClass");
  if (storageClass !== undefined && values.text("tracking.persistence.storageClass") === undefined) {
    draft.set("artifactStore.persistentVolume.storageClassName", storageClass);
  }
}

function setS3Credentials({ values, draft, release }: ConversionContext): void {
  if (!values.flag("externalS3.useCredentialsInSecret", true)) return;
  const name = values.text("externalS3.existingSecret");
  const accessKeyIDKey = values.text("externalS3.existingSecretAccessKeyIDKey") ?? "root-user";
  const secretAccessKeyKey = values.text("externalS3.existingSecretKeySecretKey") ?? "root-password";
  if (name !== undefined) {
    draft.existing(name, [accessKeyIDKey, secretAccessKeyKey]);
    draft.set("artifactStore.s3.credentialsSecretRef", { name, accessKeyIDKey, secretAccessKeyKey });
  } else if (values.text("externalS3.accessKeyID") !== undefined) {
    const created = draft.toCreate(`${release.name}-s3`, {
      AWS_ACCESS_KEY_ID: "externalS3.accessKeyID",
      AWS_SECRET_ACCESS_KEY: "externalS3.accessKeySecret",
    });
    draft.set("artifactStore.s3.credentialsSecretRef", { name: created });
  }
}

function setServer(context: ConversionContext): void {
  const { values, draft, report } = context;
  (values.list("tracking.extraArgs") ?? []).forEach((argument, index) => {
    const key = `tracking.extraArgs[${index}]`;
    const [, name, value = ""] = /^--([a-z-]+)(?:[= ](.*))?$/u.exec(String(argument)) ?? [];
    if (name === "workers" && /^\d+$/u.test(value)) draft.set("server.workers", Number(value));
    else if (name === "allowed-hosts") setAllowedHosts(context, key, value.split(","));
    else if (name === "cors-allowed-origins") draft.set("server.corsAllowedOrigins", value.split(","));
    else
      report(
        key,
        "unmapped",
        "the operator sets the arguments of the server: see server.extraArgs for those that are allowed",
      );
  });
  const project = values.text("externalGCS.googleCloudProject");
  setEnvironment(context, [
    ...variablesOf(values.list("tracking.extraEnvVars"), "tracking.extraEnvVars"),
    ...(project === undefined
      ? []
      : [["GOOGLE_CLOUD_PROJECT", { value: project }, "externalGCS.googleCloudProject"] as const]),
  ]);
  const configMap = values.text("tracking.extraEnvVarsCM");
  const secret = values.text("tracking.extraEnvVarsSecret");
  const sources: Values[] = [];
  if (configMap !== undefined) sources.push({ configMapRef: { name: configMap } });
  if (secret !== undefined) sources.push({ secretRef: { name: draft.existing(secret, ["all keys"]) } });
  if (sources.length > 0) draft.set("server.envFrom", sources);
  if (!values.flag("tracking.tls.enabled")) return;
  const name = values.text("tracking.tls.certificatesSecret");
  if (name !== undefined)
    draft.set("server.tls.certificateSecretRef", { name: draft.existing(name, ["tls.crt", "tls.key"]) });
}

function setSpread({ values, draft, report }: ConversionContext): void {
  if (values.text("tracking.podAntiAffinityPreset") !== "hard" || values.map("tracking.affinity")) return;
  const given = values.list("tracking.topologySpreadConstraints") ?? [];
  const hard: Value = { maxSkew: 1, topologyKey: "kubernetes.io/hostname", whenUnsatisfiable: "DoNotSchedule" };
  draft.set("pod.topologySpreadConstraints", [...given, hard]);
  report("tracking.podAntiAffinityPreset", "changed", "pod.topologySpreadConstraints spreads the pods over nodes");
}

function setExposure(context: ConversionContext): void {
  const { values, draft } = context;
  if (values.flag("tracking.ingress.enabled")) {
    const hostname = values.text("tracking.ingress.hostname") ?? "mlflow.local";
    const extra = values.items("tracking.ingress.extraHosts").flatMap((item) => item.text("name") ?? []);
    const extraTls = (values.list("tracking.ingress.extraTls") ?? []).filter((item): item is Values => isValues(item));
    const own: Values[] = values.flag("tracking.ingress.tls")
      ? [{ secretName: `${hostname}-tls`, hosts: [hostname] }]
      : [];
    const keys = { annotations: "tracking.ingress.annotations", className: "tracking.ingress.ingressClassName" };
    setIngress(context, keys, [hostname, ...extra], [...own, ...extraTls], values.text("tracking.ingress.path"));
  }
  if (!values.flag("tracking.httproute.enabled")) return;
  draft.set("exposure.httpRoute.parentRefs", values.list("tracking.httproute.parentRefs"));
  draft.set("exposure.httpRoute.hostnames", values.list("tracking.httproute.hostnames"));
}

function setOutsideService(context: ConversionContext): void {
  const { values, draft } = context;
  const at = "tracking.service";
  const scheme = values.flag("tracking.tls.enabled") ? "https" : "http";
  const port = values.number(`${at}.ports.${scheme}`);
  setService(context, { at, port, nodePort: values.number(`${at}.nodePorts.${scheme}`) });
  const type = values.text(`${at}.type`);
  if (type !== "NodePort" && type !== "LoadBalancer") return;
  draft.set("service.externalTrafficPolicy", values.text(`${at}.externalTrafficPolicy`));
  const ranges = values.list(`${at}.loadBalancerSourceRanges`) ?? [];
  if (type === "LoadBalancer" && ranges.length > 0) draft.set("service.loadBalancerSourceRanges", ranges);
}

function setNetworkPolicy({ values, draft }: ConversionContext): void {
  if (!values.flag("tracking.networkPolicy.enabled", true)) {
    draft.set("networkPolicy.enabled", false);
    return;
  }
  if (!values.flag("tracking.networkPolicy.allowExternal", true)) {
    const namespaces = values.map("tracking.networkPolicy.ingressNSMatchLabels");
    const pods = values.map("tracking.networkPolicy.ingressNSPodMatchLabels");
    const own: Values = { podSelector: {} };
    const others: Values = {
      namespaceSelector: { matchLabels: namespaces ?? {} },
      ...(pods ? { podSelector: { matchLabels: pods } } : {}),
    };
    draft.set("networkPolicy.from", namespaces ? [own, others] : [own]);
  }
  if (!values.flag("tracking.networkPolicy.allowExternalEgress", true)) draft.set("networkPolicy.egress", {});
}

/** The chart `mlflow` of Bitnami. */
export const bitnami: Chart = {
  id: "bitnami",
  title: "Bitnami mlflow",
  rows,
  switches: [
    ["run", "run.enabled", true],
    ["minio", "minio.enabled", true],
    ["postgresql", "postgresql.enabled", true],
    ["volumePermissions", "volumePermissions.enabled", false],
    ["diagnosticMode", "diagnosticMode.enabled", false],
    ["tracking.auth", "tracking.auth.enabled", true],
    ["tracking.tls", "tracking.tls.enabled", false],
    ["tracking.ingress", "tracking.ingress.enabled", false],
    ["tracking.httproute", "tracking.httproute.enabled", false],
    ["tracking.networkPolicy", "tracking.networkPolicy.enabled", true],
    ["tracking.persistence", "tracking.persistence.enabled", true],
    ["tracking.metrics.serviceMonitor", "tracking.metrics.serviceMonitor.enabled", false],
    ["tracking.metrics", "tracking.metrics.enabled", false],
    ["tracking.autoscaling.hpa", "tracking.autoscaling.hpa.enabled", false],
    ["tracking.autoscaling.vpa", "tracking.autoscaling.vpa.enabled", false],
  ],
  convert,
};
