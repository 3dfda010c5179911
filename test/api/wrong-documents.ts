import { reservedPrefixes, reservedVariables } from "../../src/api/environment.ts";
import { changed, type Document, fullest, smallest, smallestInFull } from "./documents.ts";
import { wrongAccess } from "./wrong-access.ts";
import { wrongArtifactServers } from "./wrong-artifact-servers.ts";
import { wrongArtifactStores } from "./wrong-artifact-stores.ts";
import { wrongDatabases } from "./wrong-databases.ts";
import { type Wrong, wrong } from "./wrong-document.ts";
import { wrongLdapDocuments } from "./wrong-ldap-documents.ts";
import { wrongMeshes } from "./wrong-meshes.ts";
import { wrongNetworkPolicies } from "./wrong-network-policies.ts";
import { wrongOidcDocuments } from "./wrong-oidc-documents.ts";
import { wrongPodMetadata } from "./wrong-pod-metadata.ts";
import { wrongPods } from "./wrong-pods.ts";
import { wrongServices } from "./wrong-services.ts";
import { wrongWorkspaces } from "./wrong-workspaces.ts";

const small = wrong(smallest);
const full = wrong(fullest);
const onVolume = wrong(smallestInFull);

const environment = "spec.server.env[0].name";
const hosts = "spec.server.allowedHosts[0]";
const postgresql = "spec.backendStore.postgresql";

/** Wrong on creation. */
export const wrongDocuments: readonly Wrong[] = [
  ...wrongDatabases,
  ...wrongLdapDocuments,
  ...wrongOidcDocuments,
  ...wrongAccess,
  ...wrongWorkspaces,
  ...wrongNetworkPolicies,
  ...wrongServices,
  ...wrongArtifactStores,
  ...wrongArtifactServers,
  ...wrongMeshes,
  ...wrongPodMetadata,
  ...wrongPods,
  small("no spec", { spec: undefined }, "spec", "write spec with version"),
  small("no store", { "spec.backendStore": undefined }, "spec.backendStore", "write sqlite: {}"),
  small(
    "an empty store",
    { "spec.backendStore": {} },
    "spec.backendStore",
    "exactly one of sqlite, postgresql, mysql, mssql, uriSecretRef",
  ),
  small("a store that is null", { "spec.backendStore.sqlite": null }, "spec.backendStore", "exactly one of"),
  full("two stores", { "spec.backendStore.sqlite": {} }, "spec.backendStore", "exactly one of"),
  small("no artifact store", { "spec.artifactStore": undefined }, "spec.artifactStore", "write persistentVolume: {}"),
  small(
    "an empty artifact store",
    { "spec.artifactStore": {} },
    "spec.artifactStore",
    "exactly one of persistentVolume, s3, gcs, azureBlob",
  ),
  full(
    "two artifact stores",
    { "spec.artifactStore.persistentVolume": {}, "spec.artifactStore.access": undefined, "spec.replicas": 1 },
    "spec.artifactStore",
    "exactly one of",
  ),
  small("no authentication", { "spec.authentication": undefined }, "spec.authentication", "write basic: {}"),
  small(
    "an empty authentication",
    { "spec.authentication": {} },
    "spec.authentication",
    "exactly one of basic, ldap, oidc, kubernetes, oauth2Proxy, none",
  ),
  small(
    "two authentications",
    { "spec.authentication.none": {} },
    "spec.authentication",
    "exactly one of basic, ldap, oidc, kubernetes, oauth2Proxy, none",
  ),
  small(
    "replicas on sqlite",
    { "spec.replicas": 2 },
    "spec.replicas",
    "use backendStore.postgresql or mysql, or replicas: 1",
  ),
  onVolume(
    "replicas on a ReadWriteOnce volume",
    { "spec.replicas": 2, "spec.artifactStore.persistentVolume": {} },
    "spec.replicas",
    "accessModes: [ReadWriteMany]",
  ),
  onVolume(
    "replicas on a ReadWriteOncePod volume",
    { "spec.replicas": 2, "spec.artifactStore.persistentVolume.accessModes": ["ReadWriteOncePod"] },
    "spec.replicas",
    "accessModes: [ReadWriteMany]",
  ),
  full(
    "background jobs in several pods",
    { "spec.server.jobExecution": true },
    "spec.replicas",
    "use replicas: 1, or leave out server.jobExecution",
  ),
  small(
    "autoscaling on sqlite",
    { "spec.autoscaling": { maxReplicas: 2 } },
    "spec.autoscaling",
    "use backendStore.postgresql or mysql, and a bucket",
  ),
  onVolume(
    "autoscaling on a ReadWriteOnce volume",
    { "spec.autoscaling": { maxReplicas: 2 }, "spec.artifactStore.persistentVolume": {} },
    "spec.autoscaling",
    "a bucket or accessModes: [ReadWriteMany]",
  ),
  full(
    "autoscaling of background jobs",
    { "spec.server.jobExecution": true, "spec.replicas": 1 },
    "spec.autoscaling",
    "no server.jobExecution",
  ),
  full(
    "autoscaling without a maximum",
    { "spec.autoscaling": { minReplicas: 2 } },
    "spec.autoscaling.maxReplicas",
    "Required value",
  ),
  full(
    "autoscaling to zero",
    { "spec.autoscaling.minReplicas": 0 },
    "spec.autoscaling.minReplicas",
    "greater than or equal to 1",
  ),
  full(
    "a minimum above the maximum",
    { "spec.autoscaling": { minReplicas: 3, maxReplicas: 2 } },
    "spec.autoscaling.minReplicas",
    "lower it, or raise maxReplicas",
  ),
  small("monitoring by nothing", { "spec.monitoring": {} }, "spec.monitoring.namespace", "Required value"),
  small(
    "monitoring from several namespaces",
    { "spec.monitoring": { namespace: "monitoring,team-a" } },
    "spec.monitoring.namespace",
    "must be the name of one namespace, such as monitoring",
  ),
  small(
    "a garbage collection without a schedule",
    { "spec.garbageCollection": {} },
    "spec.garbageCollection.schedule",
    "Required value",
  ),
  small(
    "a schedule of four fields",
    { "spec.garbageCollection": { schedule: "0 3 * *" } },
    "spec.garbageCollection.schedule",
    "must be a cron schedule such as 0 3 * * *",
  ),
  small(
    "an empty age of garbage",
    { "spec.garbageCollection": { schedule: "@daily", olderThan: "" } },
    "spec.garbageCollection.olderThan",
    "must be a time such as 168h or 90m",
  ),
  small(
    "an age of garbage in days",
    { "spec.garbageCollection": { schedule: "@daily", olderThan: "30d" } },
    "spec.garbageCollection.olderThan",
    "must be a time such as 168h or 90m",
  ),
  small("replicas below zero", { "spec.replicas": -1 }, "spec.replicas", "greater than or equal to 0"),
  small("too many replicas", { "spec.replicas": 101 }, "spec.replicas", "less than or equal to 100"),
  small("replicas as text", { "spec.replicas": "2" }, "spec.replicas", "must be of type integer"),
  small("half a replica", { "spec.replicas": 0.5 }, "spec.replicas", "must be of type integer"),
  small("no version", { "spec.version": undefined }, "spec.version", 'such as version: "3.17.2"'),
  ...Object.entries({
    "9.9.9": "write one of 3.17.2, 3.17.1",
    "3.17.3": "write one of 3.17.2, 3.17.1",
    "3.18.0":
      "does not start with mlflow-kubernetes-plugins 2.1.0, the newest, which has no rules for some of its routes: write 3.17.2",
    "3.16.0": "the UI under basic authentication: write 3.16.1",
    "3.5.1": "MLflow 3.5.1 has a publicly known default password (CVE-2026-2635): write 3.16.1",
    "2.22.0": "write 3.16.1",
    v3: "write one of",
  }).map(([version, says]) => small(`version ${version}`, { "spec.version": version }, "spec.version", says)),
  small("a version as a number", { "spec.version": 3.17 }, "spec.version", "must be of type string"),
  small("a long name", { "metadata.name": "m".repeat(41) }, "metadata.name", "at most 40 characters"),
  small("a name that begins with a digit", { "metadata.name": "1mlflow" }, "metadata.name", "begins with a letter"),
  small("a name with a dot", { "metadata.name": "mlflow.a" }, "metadata.name", "only a-z, 0-9 and -"),
  small("an unknown field", { "spec.replica": 1 }, "", 'unknown field "spec.replica"'),
  small("a field called constructor", { "spec.constructor": {} }, "", 'unknown field "spec.constructor"'),
  small(
    "an unknown field below",
    { "spec.artifactStore.persistentVolume.sise": "1Gi" },
    "",
    'unknown field "spec.artifactStore.persistentVolume.sise"',
  ),
  small(
    "an unknown field in a list",
    { "spec.server": { env: [{ name: "A", valeu: "b" }] } },
    "",
    'unknown field "spec.server.env[0].valeu"',
  ),
  small(
    "a size of the SQLite file next to an artifact volume",
    { "spec.backendStore.sqlite.size": "1Gi" },
    "spec.backendStore.sqlite",
    "leave sqlite: {}",
  ),
  small(
    "Direct access to a volume",
    { "spec.artifactStore.access": "Direct" },
    "spec.artifactStore",
    "access: Direct needs a bucket",
  ),
  small(
    "connectionCheck without a bucket",
    { "spec.artifactStore.connectionCheck": false },
    "spec.artifactStore",
    "connectionCheck checks a bucket",
  ),
  small(
    "no connection check with an automatic migration",
    { "spec.backendStore.connectionCheck": false },
    "spec.backendStore",
    "needs migration: Manual",
  ),
  small(
    "access modes that are unknown",
    { "spec.artifactStore.persistentVolume.accessModes": ["ReadOnlyMany"] },
    "spec.artifactStore.persistentVolume.accessModes[0]",
    "supported values",
  ),
  small(
    "two access modes",
    { "spec.artifactStore.persistentVolume.accessModes": ["ReadWriteOnce", "ReadWriteMany"] },
    "spec.artifactStore.persistentVolume.accessModes",
    "at most 1 item",
  ),
  ...["", "0", "-1Gi", "10 Gi", "10gb", "500m", "1e3", "Gi", "10Gi\n"].map((size) =>
    small(
      `a volume of ${JSON.stringify(size)}`,
      { "spec.artifactStore.persistentVolume.size": size },
      "spec.artifactStore.persistentVolume.size",
      "such as 500Mi or 10Gi",
    ),
  ),
  small(
    "an upload size of 0",
    { "spec.artifactStore.maxUploadSize": "0.0Gi" },
    "spec.artifactStore.maxUploadSize",
    "above zero",
  ),
  ...["half", "1 Gi", "+1", "1e3"].map((amount) =>
    small(
      `memory of ${amount}`,
      { "spec.pod": { resources: { requests: { memory: amount } } } },
      "spec.pod.resources.requests.memory",
      "should match",
    ),
  ),
  small(
    "a request above its limit",
    { "spec.pod": { resources: { requests: { cpu: "2" }, limits: { cpu: "1500m" } } } },
    "spec.pod.resources",
    "lower requests or raise limits",
  ),
  small(
    "a request above its limit, with one of them a number",
    { "spec.pod": { resources: { requests: { cpu: 2 }, limits: { cpu: "1500m" } } } },
    "spec.pod.resources",
    "lower requests or raise limits",
  ),
  small(
    "a request above its limit, for init containers",
    { "spec.pod": { setupResources: { requests: { memory: "2Gi" }, limits: { memory: "1Gi" } } } },
    "spec.pod.setupResources",
    "lower requests or raise limits",
  ),
  small(
    "a negative number",
    { "spec.pod": { resources: { limits: { cpu: -1 } } } },
    "spec.pod.resources.limits.cpu",
    "should be greater than or equal to 0",
  ),
  small(
    "half a CPU as a number, which a CRD cannot allow in addition to strings",
    { "spec.pod": { resources: { requests: { cpu: 0.5 } } } },
    "spec.pod.resources.requests.cpu",
    "must be of type",
  ),
  full(
    "a value with valueFrom",
    { "spec.server.env[1].value": "x" },
    "spec.server.env[1]",
    "set value or valueFrom, not both",
  ),
  full(
    "a variable without a source",
    { "spec.server.env[1].valueFrom": {} },
    "spec.server.env[1].valueFrom",
    "exactly one of secretKeyRef, configMapKeyRef, fieldRef",
  ),
  full(
    "a variable with two sources",
    { "spec.server.env[1].valueFrom.fieldRef": { fieldPath: "metadata.name" } },
    "spec.server.env[1].valueFrom",
    "exactly one of",
  ),
  full("a variable twice", { "spec.server.env[1].name": "A" }, "spec.server.env[1]", "Duplicate value"),
  full("an invalid variable name", { "spec.server.env[0].name": "1A" }, environment, "must be a variable name"),
  full("NUL in a variable", { "spec.server.env[0].value": "a\0b" }, "spec.server.env[0].value", "NUL"),
  full(
    "an unknown field of the pod",
    { "spec.server.env[3].valueFrom.fieldRef.fieldPath": "spec.nodeSelector" },
    "spec.server.env[3].valueFrom.fieldRef.fieldPath",
    "fieldPath is metadata.name",
  ),
  full(
    "envFrom without a source",
    { "spec.server.envFrom[0].secretRef": undefined },
    "spec.server.envFrom[0]",
    "exactly one of secretRef, configMapRef",
  ),
  full(
    "envFrom with two sources",
    { "spec.server.envFrom[0].configMapRef": { name: "c" } },
    "spec.server.envFrom[0]",
    "exactly one of secretRef, configMapRef",
  ),
  ...Object.entries(reservedVariables).map(([name, { instead }]) =>
    full(`the variable ${name}`, { [environment]: name }, environment, `${name} cannot be set here: ${instead}`),
  ),
  ...Object.entries(reservedPrefixes).map(([prefix, { instead }]) =>
    full(`the variables ${prefix}*`, { [environment]: `${prefix}ANYTHING` }, environment, instead),
  ),
  ...[
    "--dev",
    "--app-name=x",
    "--secrets-cache-ttl=9",
    "--secrets-cache-ttl=301",
    "--secrets-cache-max-size=0",
    "--secrets-cache-max-size=10001",
    "--secrets-cache-ttl 60",
    "--x-frame-options=NONE --dev",
    "--host=0.0.0.0",
    "-h",
  ].map((argument) =>
    full(
      `the argument ${argument}`,
      { "spec.server.extraArgs[0]": argument },
      "spec.server.extraArgs[0]",
      "allowed are --secrets-cache-ttl",
    ),
  ),
  full("a wrong value of aiGateway", { "spec.server.aiGateway": "On" }, "spec.server.aiGateway", "Enabled"),
  full(
    "a body size of 0",
    { "spec.server.maxRequestBodySize": "0" },
    "spec.server.maxRequestBodySize",
    "a size above zero",
  ),
  ...[
    "s3://",
    "s3://B/x",
    "s3://bucket/",
    "s3://bucket//x",
    "s3://bucket/../x",
    "s3://bucket/./x",
    "s3://bucket/a%2fb",
    "s3://bucket/x?y",
    "s3://bucket/x#y",
    "s3://bucket/a\\b",
    "s3://u:p@bucket/x",
    "S3://bucket/x",
    "GS://bucket/x",
    "/mlflow",
    "mlflow-artifacts:/x",
  ].map((location) =>
    full(
      `the location ${location}`,
      { "spec.artifactStore.additionalLocations[0]": location },
      "spec.artifactStore.additionalLocations[0]",
      location.includes("@") ? "password or @" : "such as s3://former-bucket/mlflow",
    ),
  ),
  ...["*", "*:*", "https://mlflow.example.com", "mlflow.example.com/ui", "a,b", "a b", "fd00::1", ""].map((host) =>
    full(`the host ${JSON.stringify(host)}`, { [hosts]: host }, hosts, "no scheme, no path"),
  ),
  ...[
    "*",
    "mlflow.example.com",
    "https://mlflow.example.com/",
    "https://*.example.com",
    "ftp://example.com",
    "https://a,https://b",
  ].map((origin) =>
    full(
      `the origin ${origin}`,
      { "spec.server.corsAllowedOrigins[0]": origin },
      "spec.server.corsAllowedOrigins[0]",
      "scheme, host and port only",
    ),
  ),
  ...["labels", "annotations"].flatMap((place) =>
    [
      "istio.io/dataplane-mode",
      "ambient.istio.io/redirection",
      "sidecar.istio.io/inject",
      "service.istio.io/canonical-name",
      "mlflow-operator.dev/server",
      "x.mlflow-operator.dev/y",
      "app.kubernetes.io/name",
      "app.kubernetes.io/managed-by",
      "app.kubernetes.io/component",
      "app.kubernetes.io/version",
    ].map((key) =>
      wrong(withKey(smallest, place, key))(
        `${key} among the pod's ${place}`,
        {},
        `spec.pod.${place}`,
        "use other keys",
      ),
    ),
  ),
  wrong(withKey(smallest, "labels", "two words"))(
    "a label key with a space",
    {},
    "spec.pod.labels",
    "keys must be label keys",
  ),
  small(
    "a label value with a space",
    { "spec.pod": { labels: { team: "two words" } } },
    "spec.pod.labels[team]",
    "must be a label value",
  ),
  small(
    "a label value that is too long",
    { "spec.pod": { labels: { team: "x".repeat(64) } } },
    "spec.pod.labels.team",
    "may not be more than 63",
  ),
  small(
    "too many labels",
    { "spec.pod": { labels: Object.fromEntries(Array.from({ length: 33 }, (_, index) => [`l${index}`, ""])) } },
    "spec.pod.labels",
    "at most 32 items",
  ),
  ...[
    "db.example.com:5432",
    "postgresql://db.example.com",
    "user@db",
    "[fd00::1]",
    "db/mlflow",
    "a,b",
    "-db",
    "/var/run/postgresql",
    "",
  ].map((host) =>
    full(
      `the database host ${JSON.stringify(host)}`,
      { [`${postgresql}.host`]: host },
      `${postgresql}.host`,
      host.includes("@") ? "password or @" : "name or an address only",
    ),
  ),
  full("a port of 0", { [`${postgresql}.port`]: 0 }, `${postgresql}.port`, "greater than or equal to 1"),
  full("no database", { [`${postgresql}.database`]: undefined }, postgresql, "set database or"),
  full(
    "no credentials",
    { [`${postgresql}.credentialsSecretRef`]: undefined },
    `${postgresql}.credentialsSecretRef`,
    "Required value",
  ),
  ...["disable", "allow", "prefer", "require"].map((mode) =>
    full(
      `ca with sslMode ${mode}`,
      { [`${postgresql}.sslMode`]: mode },
      postgresql,
      "set one of these, or leave out ca",
    ),
  ),
  full(
    "ca with sslMode require on the database of users",
    { "spec.authentication.basic.database.postgresql.sslMode": "require" },
    "spec.authentication.basic.database.postgresql",
    "set one of these, or leave out ca",
  ),
  ...["11m", "601s", "1h", "0", "0m", "1d", "60"].map((time) =>
    full(
      `password checks that are cached for ${time}`,
      { "spec.authentication.basic.passwordCacheTTL": time },
      "spec.authentication.basic.passwordCacheTTL",
      "from 1s to 10m",
    ),
  ),
  full(
    "a CA bundle with two sources",
    { [`${postgresql}.ca.configMapRef`]: { name: "c" } },
    `${postgresql}.ca`,
    "exactly one of secretRef, configMapRef",
  ),
  full(
    "a CA bundle without a source",
    { [`${postgresql}.ca`]: {} },
    `${postgresql}.ca`,
    "exactly one of secretRef, configMapRef",
  ),
  ...["s3://models", "models/a", "Models", "models_a", "-models", "x"].map((bucket) =>
    full(
      `the bucket ${bucket}`,
      { "spec.artifactStore.s3.bucket": bucket },
      "spec.artifactStore.s3.bucket",
      "without s3://",
    ),
  ),
  ...["/a", "a/", "a//b", "a/../b", "..", "a?b", "a#b", "a\\b"].map((prefix) =>
    full(
      `the prefix ${prefix}`,
      { "spec.artifactStore.s3.prefix": prefix },
      "spec.artifactStore.s3.prefix",
      "prefix is a path",
    ),
  ),
  ...[
    "minio:9000",
    "ftp://minio",
    "https://user:pass@minio",
    "https://minio?x=1",
    "https://minio/a#b",
    "https://",
    "https://minio/a b",
    "https://minio:65536",
    "https://minio.1",
  ].map((url) =>
    full(
      `the endpoint ${url}`,
      { "spec.artifactStore.s3.endpointURL": url },
      "spec.artifactStore.s3.endpointURL",
      url.includes("@") ? "password or @" : "http or https URL",
    ),
  ),
  ...["Admin", "admin_secret", "-admin", "admin.", ""].map((name) =>
    full(
      `the Secret name ${JSON.stringify(name)}`,
      { "spec.authentication.basic.adminCredentialsSecretRef.name": name },
      "spec.authentication.basic.adminCredentialsSecretRef.name",
      "must be a name",
    ),
  ),
  full(
    "a Secret key with a slash",
    { [`${postgresql}.credentialsSecretRef.usernameKey`]: "a/b" },
    `${postgresql}.credentialsSecretRef.usernameKey`,
    "must be a data key",
  ),
  ...[
    "mlflow:3.17.2",
    "registry.example.com/mlflow:3.17.2",
    "mlflow@sha256:0",
    "https://registry/mlflow",
    "Mlflow",
    "a//b",
  ].map((repository) =>
    full(
      `the repository ${repository}`,
      { "spec.image.repository": repository },
      "spec.image.repository",
      "without tag (use tag)",
    ),
  ),
  full("a tag with a digest", { "spec.image.tag": "3.17.2@sha256:0" }, "spec.image.tag", "a digest belongs in digest"),
  small("a restore without a backup", { "spec.restore": {} }, "spec.restore.backupRef", "restore.backupRef: {name:"),
  small(
    "a location as the name of a backup",
    { "spec.restore": { backupRef: { name: "s3://backups/nightly" } } },
    "spec.restore.backupRef.name",
    "must be a name",
  ),
  small(
    "another difference to accept",
    { "spec.restore": { backupRef: { name: "nightly" }, accept: ["OldKeys"] } },
    "spec.restore.accept[0]",
    "NewKeys",
  ),
  full("half a digest", { "spec.image.digest": "sha256:00" }, "spec.image.digest", "64 hexadecimal digits"),
];

function withKey(document: Document, place: string, key: string): Document {
  return changed(document, { "spec.pod": { [place]: { [key]: "x" } } });
}
