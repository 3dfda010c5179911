import { type Chart, type ConversionContext, changed, mapped, notNeeded, type Row, unsupported } from "./chart.ts";
import {
  namesIn,
  onlyCPU,
  serviceMonitorRows,
  setAllowedHosts,
  setAutoscaling,
  setAzureSecret,
  setEnvironment,
  setImage,
  setIngress,
  setMonitoring,
  setPod,
  setVersion,
  withoutLeading,
  withoutTrailing,
} from "./common.ts";
import { servicePort, serviceRows, setService } from "./service.ts";
import { isValues, type Values } from "./values.ts";

const podFields = {
  resources: "pod.resources",
  nodeSelector: "pod.nodeSelector",
  tolerations: "pod.tolerations",
  affinity: "pod.affinity",
  priorityClassName: "pod.priorityClassName",
  podAnnotations: "pod.annotations",
  extraPodLabels: "pod.labels",
};

const ownPods = "the operator runs the pods under Pod Security restricted, with its own user and group ids";
const ownProbes = "the operator sets probes that fit MLflow's start";
const ownMigration = "the Job of the migration and the checks use MLflow's image";
const noSubchart = "the operator does not run databases or object stores: run one and reference it";
const toSecret = "the manifest references a Secret that has it";
const ldapFunction = "mlflowstack.auth.ldap:authenticate_request_basic_auth";
const ownCode = "it would run your code in the pods of the server, which have its Secrets";

/** Rows of a database whose values have a field each. */
const databaseByFields = (chart: string, field: string, driver: string): Row[] => [
  mapped(`${chart}.enabled`, field),
  ...["host", "port", "database"].map((key) => mapped(`${chart}.${key}`, `${field}.${key}`)),
  ...["user", "password"].map((key) => changed(`${chart}.${key}`, `${field}.credentialsSecretRef`, toSecret)),
  ...notNeeded(`it is ${driver}`, `${chart}.driver`),
];

/** The field of the credentials of each kind of database. */
const credentialsKeys = (key: string) =>
  ["postgresql", "mysql", "mssql"].map((kind) => `backendStore.${kind}.credentialsSecretRef.${key}`).join(" ");

const rows: readonly Row[] = [
  mapped("replicaCount", "replicas"),
  changed("image.tag", "version", "the version that the tag names"),
  ...notNeeded(
    "the operator has its own images with MLflow's extras: set image.repository for a mirror",
    "image.repository",
  ),
  ...notNeeded("set image.digest of an image of the operator", "image.digest"),
  mapped("image.pullPolicy", "image.pullPolicy"),
  changed(
    "imagePullSecrets[].name",
    "image.pullSecrets",
    "for the operator's own image they are needed with a mirror only",
  ),
  ...notNeeded(ownMigration, "initImages.*"),
  ...notNeeded("the operator chooses the strategy: it never runs two pods on one ReadWriteOnce volume", "strategy.*"),
  ...notNeeded("for sub-charts only", "global.*"),
  ...notNeeded("the name of the MlflowServer names the objects", "nameOverride", "fullnameOverride"),
  ...notNeeded("the operator decides it", "revisionHistoryLimit", "deploymentAnnotations.*"),
  mapped("serviceAccount.annotations.*", "serviceAccount.annotations"),
  ...notNeeded("each server has its own ServiceAccount", "serviceAccount.create", "serviceAccount.name"),
  ...notNeeded("only authentication that needs it mounts a token", "serviceAccount.automount"),
  mapped("podAnnotations.*", "pod.annotations"),
  mapped("extraPodLabels.*", "pod.labels"),
  ...notNeeded(ownPods, "podSecurityContext.*", "securityContext.*"),
  ...notNeeded("the Service has the name of the MlflowServer and port 5000", "service.name", "service.enabled"),
  ...notNeeded(
    "the operator sets the port in the pod",
    "service.containerPort",
    "service.containerPortName",
    "serverHost",
  ),
  ...serviceRows(),
  changed("service.port", "service.port", servicePort),
  mapped("log.level", "server.logLevel"),
  ...notNeeded("logs are always on", "log.enabled"),
  ...notNeeded("the operator turns MLflow's telemetry off", "telemetry.enabled"),
  mapped("backendStore.databaseMigration", "backendStore.migration"),
  mapped(
    "backendStore.databaseConnectionCheck",
    "backendStore.connectionCheck",
    "always on with an automatic migration",
  ),
  ...notNeeded("the SQLite file is on a volume of the server", "backendStore.defaultSqlitePath"),
  ...databaseByFields("backendStore.postgres", "backendStore.postgresql", "psycopg2"),
  ...databaseByFields("backendStore.mysql", "backendStore.mysql", "PyMySQL"),
  ...databaseByFields("backendStore.mssql", "backendStore.mssql", "pymssql"),
  changed("backendStore.mssql.connectionUrl", "backendStore.uriSecretRef", toSecret),
  mapped("backendStore.mssql.existingConnectionUrlSecret.name", "backendStore.uriSecretRef.name"),
  mapped("backendStore.mssql.existingConnectionUrlSecret.key", "backendStore.uriSecretRef.key"),
  mapped("backendStore.existingDatabaseSecret.name", credentialsKeys("name")),
  mapped("backendStore.existingDatabaseSecret.usernameKey", credentialsKeys("usernameKey")),
  mapped("backendStore.existingDatabaseSecret.passwordKey", credentialsKeys("passwordKey")),
  ...unsupported(noSubchart, "postgresql.*", "mysql.*", "minio.*"),
  mapped("artifactRoot.proxiedArtifactStorage", "artifactStore.access"),
  ...notNeeded(
    "artifacts are on a volume of the server",
    "artifactRoot.defaultArtifactRoot",
    "artifactRoot.defaultArtifactsDestination",
  ),
  mapped("artifactRoot.azureBlob.enabled", "artifactStore.azureBlob"),
  mapped("artifactRoot.azureBlob.storageAccount", "artifactStore.azureBlob.storageAccount"),
  mapped("artifactRoot.azureBlob.container", "artifactStore.azureBlob.container"),
  mapped("artifactRoot.azureBlob.path", "artifactStore.azureBlob.prefix"),
  changed("artifactRoot.azureBlob.connectionString", "artifactStore.azureBlob.connectionStringSecretRef", toSecret),
  changed("artifactRoot.azureBlob.accessKey", "artifactStore.azureBlob.accessKeySecretRef", toSecret),
  mapped("artifactRoot.gcs.enabled", "artifactStore.gcs"),
  mapped("artifactRoot.gcs.bucket", "artifactStore.gcs.bucket"),
  mapped("artifactRoot.gcs.path", "artifactStore.gcs.prefix"),
  mapped("artifactRoot.s3.enabled", "artifactStore.s3"),
  mapped("artifactRoot.s3.bucket", "artifactStore.s3.bucket"),
  mapped("artifactRoot.s3.path", "artifactStore.s3.prefix"),
  changed("artifactRoot.s3.awsAccessKeyId", "artifactStore.s3.credentialsSecretRef", toSecret),
  changed("artifactRoot.s3.awsSecretAccessKey", "artifactStore.s3.credentialsSecretRef", toSecret),
  mapped("artifactRoot.s3.existingSecret.name", "artifactStore.s3.credentialsSecretRef.name"),
  mapped("artifactRoot.s3.existingSecret.keyOfAccessKeyId", "artifactStore.s3.credentialsSecretRef.accessKeyIDKey"),
  mapped(
    "artifactRoot.s3.existingSecret.keyOfSecretAccessKey",
    "artifactStore.s3.credentialsSecretRef.secretAccessKeyKey",
  ),
  ...notNeeded(
    "the operator generates it, so users must sign in again once; or write server.sessionSecretRef",
    "flaskServerSecretKey",
    "flaskServerSecret.*",
  ),
  mapped("auth.enabled", "authentication.basic"),
  ...unsupported(
    "MLflow cannot create the tables of its users in MySQL: write authentication.basic.database.postgresql",
    "auth.mysql.*",
  ),
  changed("auth.adminUsername", "authentication.basic.adminCredentialsSecretRef", toSecret),
  changed(
    "auth.adminPassword",
    "authentication.basic.adminCredentialsSecretRef",
    `${toSecret}; it must have 12 characters or more`,
  ),
  mapped("auth.existingAdminSecret.name", "authentication.basic.adminCredentialsSecretRef.name"),
  mapped("auth.existingAdminSecret.usernameKey", "authentication.basic.adminCredentialsSecretRef.usernameKey"),
  mapped("auth.existingAdminSecret.passwordKey", "authentication.basic.adminCredentialsSecretRef.passwordKey"),
  mapped("auth.defaultPermission", "authentication.basic.defaultPermission"),
  ...notNeeded("the operator writes the configuration", "auth.appName", "auth.configPath", "auth.configFile"),
  ...notNeeded(
    "users are kept with the runs, unless authentication.basic.database is set",
    "auth.sqliteFile",
    "auth.sqliteFullPath",
  ),
  ...unsupported(ownCode, "auth.authorizationFunction"),
  mapped("auth.postgres.enabled", "authentication.basic.database.postgresql"),
  mapped("auth.postgres.host", "authentication.basic.database.postgresql.host"),
  mapped("auth.postgres.port", "authentication.basic.database.postgresql.port"),
  mapped("auth.postgres.database", "authentication.basic.database.postgresql.database"),
  changed("auth.postgres.user", "authentication.basic.database.postgresql.credentialsSecretRef", toSecret),
  changed("auth.postgres.password", "authentication.basic.database.postgresql.credentialsSecretRef", toSecret),
  ...notNeeded("it is psycopg2", "auth.postgres.driver"),
  mapped("auth.postgres.existingSecret.name", "authentication.basic.database.postgresql.credentialsSecretRef.name"),
  mapped(
    "auth.postgres.existingSecret.usernameKey",
    "authentication.basic.database.postgresql.credentialsSecretRef.usernameKey",
  ),
  mapped(
    "auth.postgres.existingSecret.passwordKey",
    "authentication.basic.database.postgresql.credentialsSecretRef.passwordKey",
  ),
  changed(
    "ldapAuth.enabled",
    "authentication.ldap",
    "the chart keeps users and permissions in a file of the pod: copy them before you stop the release (docs/migrating-from-helm.md)",
  ),
  mapped("ldapAuth.uri", "authentication.ldap.url"),
  mapped("ldapAuth.tlsVerification", "authentication.ldap.tlsVerification"),
  mapped("ldapAuth.lookupBind", "authentication.ldap.userBind"),
  mapped("ldapAuth.groupAttribute", "authentication.ldap.groups.attribute"),
  ...notNeeded("only the attribute decides", "ldapAuth.groupAttributeKey"),
  mapped("ldapAuth.searchBaseDistinguishedName", "authentication.ldap.groups.searchBase"),
  mapped("ldapAuth.searchFilter", "authentication.ldap.groups.filter"),
  mapped("ldapAuth.adminGroupDistinguishedName", "authentication.ldap.groups.admin"),
  mapped("ldapAuth.userGroupDistinguishedName", "authentication.ldap.groups.user"),
  mapped("ldapAuth.encodedTrustedCACertificate", "authentication.ldap.ca.certificates", "decoded"),
  mapped("ldapAuth.externalSecretForTrustedCACertificate", "authentication.ldap.ca.secretRef.name"),
  mapped("autoscaling.enabled", "autoscaling"),
  mapped("autoscaling.minReplicas", "autoscaling.minReplicas"),
  mapped("autoscaling.maxReplicas", "autoscaling.maxReplicas"),
  changed("autoscaling.metrics[].*", "autoscaling.targetCPUUtilization", "only the usage of MLflow's container"),
  ...unsupported("the operator sets the behavior of the HorizontalPodAutoscaler", "autoscaling.behavior.*"),
  mapped("extraArgs.workers", "server.workers"),
  ...unsupported(
    "the operator sets the arguments of the server: see server.extraArgs for those that are allowed",
    "extraArgs.*",
  ),
  ...unsupported("the operator sets the arguments of the server", "extraFlags[]"),
  mapped("extraEnvVars.*", "server.env"),
  mapped("extraSecretNamesForEnvFrom[]", "server.envFrom"),
  mapped("ingress.enabled", "exposure.ingress"),
  mapped("ingress.className", "exposure.ingress.className"),
  mapped("ingress.annotations.*", "exposure.ingress.annotations"),
  mapped("ingress.hosts[].host", "exposure.ingress.hosts"),
  mapped("ingress.hosts[].paths[].path", "exposure.externalURL", "a path other than / is a prefix"),
  ...notNeeded("the type is Prefix", "ingress.hosts[].paths[].pathType"),
  mapped("ingress.tls[].secretName", "exposure.ingress.tls"),
  mapped("ingress.tls[].hosts[]", "exposure.ingress.tls"),
  mapped("corsAllowedOrigins[]", "server.corsAllowedOrigins"),
  mapped("serverAllowedHosts[]", "server.allowedHosts"),
  mapped("resources.*", "pod.resources"),
  ...serviceMonitorRows("serviceMonitor", { timeout: "timeout", path: "telemetryPath" }),
  mapped("nodeSelector.*", "pod.nodeSelector"),
  mapped("tolerations[].*", "pod.tolerations"),
  mapped("affinity.*", "pod.affinity"),
  mapped("priorityClassName", "pod.priorityClassName"),
  ...unsupported("apply these objects yourself", "extraDeploy[].*"),
  ...unsupported(ownCode, "initContainers[].*", "extraContainers[].*", "extraVolumes[].*", "extraVolumeMounts[].*"),
  ...notNeeded(ownProbes, "livenessProbe.*", "readinessProbe.*"),
  mapped("oauth2Proxy.enabled", "authentication.oauth2Proxy"),
  ...notNeeded("you create the Secret", "oauth2Proxy.createSecret"),
  mapped("oauth2Proxy.existingSecret.name", "authentication.oauth2Proxy.clientSecretRef.name"),
  ...unsupported(
    "write the client id into authentication.oauth2Proxy.clientID; it is not a secret",
    "oauth2Proxy.existingSecret.clientIDKey",
  ),
  mapped("oauth2Proxy.existingSecret.clientSecretKey", "authentication.oauth2Proxy.clientSecretRef.key"),
  ...notNeeded(
    "the operator generates the cookie secret; users must sign in again once",
    "oauth2Proxy.existingSecret.cookieSecretKey",
    "oauth2Proxy.cookieSecret",
  ),
  ...notNeeded(
    "the operator has an image of oauth2-proxy: set authentication.oauth2Proxy.image for another",
    "oauth2Proxy.image.*",
  ),
  ...notNeeded("the operator chooses the port", "oauth2Proxy.listenPort"),
  ...notNeeded("any OpenID Connect issuer works", "oauth2Proxy.provider.name"),
  mapped("oauth2Proxy.provider.issuerURL", "authentication.oauth2Proxy.issuerURL"),
  mapped("oauth2Proxy.provider.clientID", "authentication.oauth2Proxy.clientID"),
  changed("oauth2Proxy.provider.clientSecret", "authentication.oauth2Proxy.clientSecretRef", toSecret),
  ...notNeeded("it follows from exposure", "oauth2Proxy.provider.redirectURL"),
  ...unsupported("see authentication.oauth2Proxy.extraArgs for those that are allowed", "oauth2Proxy.extraArgs[]"),
  ...unsupported("the operator configures oauth2-proxy only by fields", "oauth2Proxy.extraEnv.*"),
  mapped("oauth2Proxy.resources.*", "authentication.oauth2Proxy.resources"),
  mapped("oidcAuth.enabled", "authentication.oidc"),
  mapped("oidcAuth.discoveryUrl", "authentication.oidc.discoveryURL"),
  mapped("oidcAuth.clientId", "authentication.oidc.clientID"),
  changed("oidcAuth.clientSecret", "authentication.oidc.clientSecretRef", toSecret),
  mapped("oidcAuth.existingSecret.name", "authentication.oidc.clientSecretRef.name"),
  mapped("oidcAuth.existingSecret.clientSecretKey", "authentication.oidc.clientSecretRef.key"),
  changed("oidcAuth.redirectUri", "authentication.oidc.redirectURL", "left out if it follows from exposure"),
  mapped("oidcAuth.scope", "authentication.oidc.scopes"),
  mapped("oidcAuth.audience", "authentication.oidc.audience"),
  ...unsupported("the plugin sets the label of the login button", "oidcAuth.providerDisplayName"),
  mapped("oidcAuth.groupsAttribute", "authentication.oidc.groupsClaim"),
  mapped("oidcAuth.groupName[]", "authentication.oidc.userGroup"),
  mapped("oidcAuth.adminGroupName[]", "authentication.oidc.adminGroup"),
  mapped("oidcAuth.defaultPermission", "authentication.oidc.defaultPermission"),
  ...notNeeded(
    "cookies are secure if the URL is https",
    "oidcAuth.sessionCookieSecure",
    "oidcAuth.sessionCookieSamesite",
  ),
  ...notNeeded("sessions are in the database", "oidcAuth.cache.*"),
  ...unsupported("name the database by fields: authentication.oidc.database.postgresql", "oidcAuth.database.uri"),
  mapped("oidcAuth.database.postgres.enabled", "authentication.oidc.database.postgresql"),
  mapped("oidcAuth.database.postgres.host", "authentication.oidc.database.postgresql.host"),
  mapped("oidcAuth.database.postgres.port", "authentication.oidc.database.postgresql.port"),
  mapped("oidcAuth.database.postgres.database", "authentication.oidc.database.postgresql.database"),
  ...notNeeded("it is psycopg2", "oidcAuth.database.postgres.driver"),
  changed("oidcAuth.database.postgres.user", "authentication.oidc.database.postgresql.credentialsSecretRef", toSecret),
  changed(
    "oidcAuth.database.postgres.password",
    "authentication.oidc.database.postgresql.credentialsSecretRef",
    toSecret,
  ),
  mapped(
    "oidcAuth.database.postgres.existingSecret.name",
    "authentication.oidc.database.postgresql.credentialsSecretRef.name",
  ),
  mapped(
    "oidcAuth.database.postgres.existingSecret.usernameKey",
    "authentication.oidc.database.postgresql.credentialsSecretRef.usernameKey",
  ),
  mapped(
    "oidcAuth.database.postgres.existingSecret.passwordKey",
    "authentication.oidc.database.postgresql.credentialsSecretRef.passwordKey",
  ),
  ...notNeeded("MLflow accepts connections only from the sidecar or the Service", "oidcAuth.trustedProxies[]"),
];

function convert(context: ConversionContext): void {
  const { values, draft } = context;
  setVersion(context, "image.tag");
  setImage(context, namesIn(context, "imagePullSecrets"));
  setReplicas(context);
  setBackendStore(context);
  setArtifactStore(context);
  setAuthentication(context);
  draft.set("serviceAccount.annotations", values.map("serviceAccount.annotations"));
  draft.set("server.logLevel", values.text("log.level")?.toUpperCase());
  draft.set("server.workers", values.number("extraArgs.workers"));
  draft.set("server.corsAllowedOrigins", values.list("corsAllowedOrigins"));
  setAllowedHosts(context, "serverAllowedHosts", values.list("serverAllowedHosts")?.map(String));
  setPod(context, podFields);
  setEnvironment(
    context,
    Object.entries(values.map("extraEnvVars") ?? {}).map(([name, value]) => [
      name,
      isValues(value) ? value : { value: String(value) },
      `extraEnvVars.${name}`,
    ]),
  );
  const sources = values.list("extraSecretNamesForEnvFrom")?.map(String);
  draft.set(
    "server.envFrom",
    sources?.map((name) => ({ secretRef: { name: draft.existing(name, ["all keys"]) } })),
  );
  setExposure(context);
  setService(context, { port: values.number("service.port") });
  setMonitoring(context, "serviceMonitor");
}

/** As the chart: a HorizontalPodAutoscaler only with a database server and a bucket. */
function setReplicas(context: ConversionContext): void {
  const { values, draft, report } = context;
  const isEnabled = (keys: readonly string[]) => keys.some((key) => values.flag(`${key}.enabled`));
  const isShared =
    isEnabled(["postgres", "mysql", "mssql"].map((kind) => `backendStore.${kind}`)) &&
    isEnabled(["azureBlob", "s3", "gcs"].map((kind) => `artifactRoot.${kind}`)) &&
    (!values.flag("auth.enabled") || values.flag("auth.postgres.enabled"));
  const isScaled = values.flag("autoscaling.enabled");
  if (!isScaled || !isShared) draft.set("replicas", values.number("replicaCount"));
  if (!isScaled) return;
  if (!isShared) {
    report("autoscaling", "changed", "the chart has no HorizontalPodAutoscaler without a database server and a bucket");
    return;
  }
  let target: number | undefined;
  for (const [index, metric] of values.items("autoscaling.metrics").entries()) {
    const kind = metric.text("type") === "ContainerResource" ? "containerResource" : "resource";
    if (metric.text(`${kind}.name`) === "cpu") target ??= metric.number(`${kind}.target.averageUtilization`);
    else report(`autoscaling.metrics[${index}]`, "unmapped", onlyCPU);
  }
  setAutoscaling(context, "replicaCount", {
    minReplicas: values.number("autoscaling.minReplicas"),
    maxReplicas: values.number("autoscaling.maxReplicas") ?? 5,
    targetCPUUtilization: target,
  });
}

function setBackendStore({ values, draft, release }: ConversionContext): void {
  const server = [
    ["postgres", "postgresql"],
    ["mysql", "mysql"],
    ["mssql", "mssql"],
  ].find(([key]) => values.flag(`backendStore.${key}.enabled`));
  const url = server?.[0] === "mssql" ? mssqlUrl({ values, draft, release }) : undefined;
  if (url !== undefined) draft.set("backendStore.uriSecretRef", url);
  else if (server !== undefined) {
    setDatabaseServer(
      `backendStore.${server[0]}`,
      `backendStore.${server[1]}`,
      { values, draft, release },
      "database",
      {
        name: values.text("backendStore.existingDatabaseSecret.name"),
        usernameKey: values.text("backendStore.existingDatabaseSecret.usernameKey"),
        passwordKey: values.text("backendStore.existingDatabaseSecret.passwordKey"),
      },
    );
  } else draft.set("backendStore.sqlite", {});
  const migrates =
    values.flag("backendStore.databaseMigration") || !("uriSecretRef" in Object(draft.spec["backendStore"]));
  if (!values.flag("backendStore.databaseMigration") && values.value("backendStore.databaseMigration") !== undefined) {
    draft.set("backendStore.migration", "Manual");
    if (values.value("backendStore.databaseConnectionCheck") === false)
      draft.set("backendStore.connectionCheck", false);
  } else if (migrates) draft.set("backendStore.migration", "Automatic");
}

/** The Secret with the complete URL of SQL Server, if the values have one. */
function mssqlUrl({ values, draft, release }: Pick<ConversionContext, "values" | "draft" | "release">) {
  const name = values.text("backendStore.mssql.existingConnectionUrlSecret.name");
  const key = values.text("backendStore.mssql.existingConnectionUrlSecret.key") ?? "connectionUrl";
  if (name !== undefined) return { name: draft.existing(name, [key]), key };
  const uri = "backendStore.mssql.connectionUrl";
  if (values.text(uri) === undefined) return undefined;
  return { name: draft.toCreate(`${release.name}-backend-store`, { uri }), key: "uri" };
}

/** A database on a server with its credentials: those of a Secret that exists, or of one to create. */
export function setDatabaseServer(
  key: string,
  field: string,
  { values, draft, release }: Pick<ConversionContext, "values" | "draft" | "release">,
  purpose: string,
  existing: {
    readonly name?: string | undefined;
    readonly usernameKey?: string | undefined;
    readonly passwordKey?: string | undefined;
  },
): void {
  draft.set(`${field}.host`, values.text(`${key}.host`));
  draft.set(`${field}.port`, values.number(`${key}.port`));
  draft.set(`${field}.database`, values.text(`${key}.database`));
  if (existing.name === undefined) for (const part of ["user", "password"]) values.text(`${key}.${part}`);
  const { name, usernameKey = "username", passwordKey = "password" } = existing;
  const reference =
    name === undefined
      ? { name: draft.toCreate(`${release.name}-${purpose}`, { username: `${key}.user`, password: `${key}.password` }) }
      : { name: draft.existing(name, [usernameKey, passwordKey]), usernameKey, passwordKey };
  draft.set(`${field}.credentialsSecretRef`, reference);
}

/** The chart takes Azure Blob Storage, then S3, then Google Cloud Storage, and else a volume. */
function setArtifactStore(context: ConversionContext): void {
  const { values, draft } = context;
  const stores = { azureBlob: setAzureBlob, s3: setS3, gcs: setGcs };
  const chosen = Object.entries(stores).find(([key]) => values.flag(`artifactRoot.${key}.enabled`));
  if (chosen === undefined) {
    draft.set("artifactStore.persistentVolume", {});
    return;
  }
  chosen[1](context);
  draft.set("artifactStore.access", values.flag("artifactRoot.proxiedArtifactStorage") ? "Proxied" : "Direct");
}

const prefixOf = (path: string | undefined) => path && withoutTrailing(withoutLeading(path, "/"), "/");

function setGcs({ values, draft }: ConversionContext): void {
  draft.set("artifactStore.gcs.bucket", values.text("artifactRoot.gcs.bucket"));
  draft.set("artifactStore.gcs.prefix", prefixOf(values.text("artifactRoot.gcs.path")));
}

/** MLflow takes the connection string if there are both. */
function setAzureBlob(context: ConversionContext): void {
  const { values, draft } = context;
  draft.set("artifactStore.azureBlob.storageAccount", values.text("artifactRoot.azureBlob.storageAccount"));
  draft.set("artifactStore.azureBlob.container", values.text("artifactRoot.azureBlob.container"));
  draft.set("artifactStore.azureBlob.prefix", prefixOf(values.text("artifactRoot.azureBlob.path")));
  if (values.text("artifactRoot.azureBlob.connectionString") !== undefined)
    setAzureSecret(context, "connection-string", "artifactRoot.azureBlob.connectionString");
  else if (values.text("artifactRoot.azureBlob.accessKey") !== undefined)
    setAzureSecret(context, "access-key", "artifactRoot.azureBlob.accessKey");
}

function setS3({ values, draft, release }: ConversionContext): void {
  draft.set("artifactStore.s3.bucket", values.text("artifactRoot.s3.bucket"));
  draft.set("artifactStore.s3.prefix", prefixOf(values.text("artifactRoot.s3.path")));
  const secret = values.text("artifactRoot.s3.existingSecret.name");
  const accessKeyIDKey = values.text("artifactRoot.s3.existingSecret.keyOfAccessKeyId") ?? "AWS_ACCESS_KEY_ID";
  const secretAccessKeyKey =
    values.text("artifactRoot.s3.existingSecret.keyOfSecretAccessKey") ?? "AWS_SECRET_ACCESS_KEY";
  if (secret !== undefined) {
    draft.existing(secret, [accessKeyIDKey, secretAccessKeyKey]);
    draft.set("artifactStore.s3.credentialsSecretRef", { name: secret, accessKeyIDKey, secretAccessKeyKey });
  } else if (values.text("artifactRoot.s3.awsAccessKeyId") ?? values.text("artifactRoot.s3.awsSecretAccessKey")) {
    const name = draft.toCreate(`${release.name}-s3`, {
      AWS_ACCESS_KEY_ID: "artifactRoot.s3.awsAccessKeyId",
      AWS_SECRET_ACCESS_KEY: "artifactRoot.s3.awsSecretAccessKey",
    });
    draft.set("artifactStore.s3.credentialsSecretRef", { name });
  }
}

/** The entry point comes first: a proxy, then OpenID Connect, then users with passwords or of the directory. */
function setAuthentication(context: ConversionContext): void {
  const { values, draft, report } = context;
  const methods = [
    ["oauth2Proxy", setOAuth2Proxy],
    ["oidcAuth", setOidc],
    ...(hasLdapFunction(context)
      ? ([["ldapAuth", setLdap]] as const)
      : ([
          ["auth", setBasic],
          ["ldapAuth", setLdap],
        ] as const)),
  ] as const;
  const [first, ...others] = methods.filter(([key]) => values.flag(`${key}.enabled`));
  if (!first) {
    draft.set("authentication.none", {});
    return;
  }
  first[1](context);
  for (const [key] of others) {
    report(key, "unmapped", `a server has one authentication method, and ${first[0]} is its entry point`);
  }
}

/** Whether the values for users with passwords name the function for LDAP: older versions of the chart use the configuration of these users then. */
function hasLdapFunction({ values, report }: ConversionContext): boolean {
  const isNamed = values.flag("auth.enabled") && values.text("auth.authorizationFunction") === ldapFunction;
  if (!isNamed || !values.flag("ldapAuth.enabled")) return false;
  report("auth.authorizationFunction", "changed", "authentication.ldap has the operator's function for LDAP");
  report("ldapAuth.enabled", "mapped", "");
  return true;
}

function setBasic(context: ConversionContext): void {
  const { values, draft, release } = context;
  draft.set("authentication.basic", {});
  const name = values.text("auth.existingAdminSecret.name");
  const usernameKey = values.text("auth.existingAdminSecret.usernameKey") ?? "username";
  const passwordKey = values.text("auth.existingAdminSecret.passwordKey") ?? "password";
  if (name !== undefined) {
    draft.existing(name, [usernameKey, passwordKey]);
    draft.set("authentication.basic.adminCredentialsSecretRef", { name, usernameKey, passwordKey });
  } else if (values.text("auth.adminPassword") !== undefined) {
    const created = draft.toCreate(`${release.name}-admin-credentials`, {
      username: "auth.adminUsername",
      password: "auth.adminPassword",
    });
    draft.set("authentication.basic.adminCredentialsSecretRef", { name: created });
  }
  draft.set("authentication.basic.defaultPermission", values.text("auth.defaultPermission"));
  setUserDatabase(context, "auth.postgres", "authentication.basic.database.postgresql");
}

function setUserDatabase(context: ConversionContext, key: string, field: string): void {
  const { values } = context;
  if (!values.flag(`${key}.enabled`)) return;
  setDatabaseServer(key, field, context, "users-database", {
    name: values.text(`${key}.existingSecret.name`),
    usernameKey: values.text(`${key}.existingSecret.usernameKey`),
    passwordKey: values.text(`${key}.existingSecret.passwordKey`),
  });
}

function setLdap(context: ConversionContext): void {
  const { values, draft } = context;
  const verification = { required: "Required", optional: "Optional", none: "None" } as const;
  const set = (field: string, value: unknown) => draft.set(`authentication.ldap.${field}`, value);
  set("url", values.text("ldapAuth.uri"));
  const level = values.text("ldapAuth.tlsVerification") ?? "required";
  set("tlsVerification", verification[level as keyof typeof verification] ?? level);
  set("userBind", values.text("ldapAuth.lookupBind"));
  set("groups.searchBase", values.text("ldapAuth.searchBaseDistinguishedName"));
  set("groups.filter", values.text("ldapAuth.searchFilter") ?? "(&(objectclass=groupOfUniqueNames)(uniquemember=%s))");
  set("groups.attribute", values.text("ldapAuth.groupAttribute") ?? "dn");
  set("groups.admin", values.text("ldapAuth.adminGroupDistinguishedName"));
  set("groups.user", values.text("ldapAuth.userGroupDistinguishedName"));
  const encoded = values.text("ldapAuth.encodedTrustedCACertificate");
  const external = values.text("ldapAuth.externalSecretForTrustedCACertificate");
  if (external !== undefined) set("ca.secretRef", { name: draft.existing(external, ["ca.crt"]) });
  else if (encoded !== undefined) set("ca.certificates", Buffer.from(encoded, "base64").toString("utf8"));
  // Without them the chart has a file, and the permission READ, which is the operator's default.
  if (!values.flag("auth.enabled")) return;
  set("defaultPermission", values.text("auth.defaultPermission"));
  setUserDatabase(context, "auth.postgres", "authentication.ldap.database.postgresql");
}

function setOAuth2Proxy({ values, draft, release, report }: ConversionContext): void {
  const set = (field: string, value: unknown) => draft.set(`authentication.oauth2Proxy.${field}`, value);
  set("issuerURL", values.text("oauth2Proxy.provider.issuerURL"));
  set("clientID", values.text("oauth2Proxy.provider.clientID"));
  const name = values.text("oauth2Proxy.existingSecret.name");
  const key = values.text("oauth2Proxy.existingSecret.clientSecretKey") ?? "client-secret";
  if (name !== undefined) set("clientSecretRef", { name: draft.existing(name, [key]), key });
  else if (values.text("oauth2Proxy.provider.clientSecret") !== undefined) {
    const created = draft.toCreate(`${release.name}-oauth2-proxy-client`, {
      "client-secret": "oauth2Proxy.provider.clientSecret",
    });
    set("clientSecretRef", { name: created, key: "client-secret" });
  }
  set("authorization.allAuthenticatedUsers", {});
  set("resources", values.map("oauth2Proxy.resources"));
  (values.list("oauth2Proxy.extraArgs") ?? []).forEach((argument, index) => {
    if (!/^--cookie-(secure=true|samesite=lax)$/u.test(String(argument))) return;
    report(`oauth2Proxy.extraArgs[${index}]`, "changed", "the operator sets it");
  });
}

function setOidc(context: ConversionContext): void {
  const { values, draft, release, report } = context;
  const set = (field: string, value: unknown) => draft.set(`authentication.oidc.${field}`, value);
  set("discoveryURL", values.text("oidcAuth.discoveryUrl"));
  set("clientID", values.text("oidcAuth.clientId"));
  const name = values.text("oidcAuth.existingSecret.name");
  const key = values.text("oidcAuth.existingSecret.clientSecretKey") ?? "OIDC_CLIENT_SECRET";
  if (name !== undefined) set("clientSecretRef", { name: draft.existing(name, [key]), key });
  else {
    const created = draft.toCreate(`${release.name}-oidc-client`, { "client-secret": "oidcAuth.clientSecret" });
    set("clientSecretRef", { name: created, key: "client-secret" });
  }
  if (!values.flag("ingress.enabled")) set("redirectURL", values.text("oidcAuth.redirectUri"));
  set("scopes", values.text("oidcAuth.scope")?.split(/[\s,]+/u));
  set("audience", values.text("oidcAuth.audience"));
  set("groupsClaim", values.text("oidcAuth.groupsAttribute"));
  for (const [value, field, fallback] of [
    ["oidcAuth.groupName", "userGroup", "mlflow"],
    ["oidcAuth.adminGroupName", "adminGroup", "mlflow-admin"],
  ] as const) {
    const [group = fallback, ...more] = (values.list(value) ?? []).map(String);
    set(field, group);
    if (more.length > 0)
      report(
        value,
        "unmapped",
        `one group can be named, so ${field} is "${group}": add the members of the others to it`,
      );
  }
  set("defaultPermission", values.text("oidcAuth.defaultPermission") ?? "MANAGE");
  setUserDatabase(context, "oidcAuth.database.postgres", "authentication.oidc.database.postgresql");
}

function setExposure(context: ConversionContext): void {
  const { values } = context;
  if (!values.flag("ingress.enabled")) return;
  const entries = values.items("ingress.hosts");
  const hosts = entries.flatMap((entry) => entry.text("host") ?? []);
  const path = entries[0]?.items("paths")[0]?.text("path");
  const tls = (values.list("ingress.tls") ?? []).filter((item): item is Values => isValues(item));
  setIngress(context, { annotations: "ingress.annotations", className: "ingress.className" }, hosts, tls, path);
}

/** The chart `mlflow` of community-charts. */
export const community: Chart = {
  id: "community",
  title: "community-charts mlflow",
  rows,
  switches: [
    ["backendStore.postgres", "backendStore.postgres.enabled", false],
    ["backendStore.mysql", "backendStore.mysql.enabled", false],
    ["backendStore.mssql", "backendStore.mssql.enabled", false],
    ["postgresql", "postgresql.enabled", false],
    ["mysql", "mysql.enabled", false],
    ["minio", "minio.enabled", false],
    ["artifactRoot.s3", "artifactRoot.s3.enabled", false],
    ["artifactRoot.gcs", "artifactRoot.gcs.enabled", false],
    ["artifactRoot.azureBlob", "artifactRoot.azureBlob.enabled", false],
    ["auth.postgres", "auth.postgres.enabled", false],
    ["auth", "auth.enabled", false],
    ["ldapAuth", "ldapAuth.enabled", false],
    ["oidcAuth.database.postgres", "oidcAuth.database.postgres.enabled", false],
    ["oidcAuth.cache", "oidcAuth.cache.enabled", false],
    ["oidcAuth", "oidcAuth.enabled", false],
    ["oauth2Proxy", "oauth2Proxy.enabled", false],
    ["autoscaling", "autoscaling.enabled", false],
    ["serviceMonitor", "serviceMonitor.enabled", false],
    ["ingress", "ingress.enabled", false],
    ["log", "log.enabled", true],
  ],
  convert,
};
