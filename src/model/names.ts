import type { MlflowServer } from "../api/server.ts";
import { label } from "../kube/names.ts";
import type { Key, KubeObject } from "../kube/object.ts";
import type { WorkspaceRole } from "../kube/workspace-roles.ts";

/** Names of the objects in the namespace of a server, except Jobs and pods. */
const ownNames = {
  deployment: (server: string) => server,
  service: (server: string) => server,
  serviceAccount: (server: string) => server,
  networkPolicy: (server: string) => server,
  podDisruptionBudget: (server: string) => server,
  horizontalPodAutoscaler: (server: string) => server,
  garbageCollection: (server: string) => `${server}-gc`,
  ingress: (server: string) => server,
  httpRoute: (server: string) => server,
  volumeClaim: (server: string) => server,
  admin: (server: string) => `${server}-admin`,
  session: (server: string) => `${server}-session`,
  store: (server: string) => `${server}-store`,
  authConfig: (server: string) => `${server}-auth-config`,
  externalService: (server: string) => `${server}-external`,
  waypoint: (server: string) => `${server}-waypoint`,
  tracesPolicy: (server: string) => `${server}-trace-writers`,
  allowFromWaypoint: (server: string) => `${server}-allow-waypoint`,
  denyBypass: (server: string) => `${server}-waypoint-only`,
  sidecarPolicy: (server: string) => `${server}-sidecar`,
  /** All objects of the pods for artifacts. */
  artifactServer: (server: string) => `${server}-artifacts`,
  /** All objects of the listener for traces, except its policies. */
  listener: (server: string) => `${server}-traces`,
  allowWriters: (server: string) => `${server}-traces-allow-writers`,
  denyNonWriters: (server: string) => `${server}-traces-writers-only`,
} as const;

/** Names of Jobs, each with a hash of what it depends on. */
const jobNames = {
  migrationJob: (server: string, hash: string) => `${server}-migrate-${hash}`,
  preflightJob: (server: string, hash: string) => `${server}-preflight-${hash}`,
  backupJob: (server: string, hash: string) => `${server}-backup-${hash}`,
  restoreJob: (server: string, hash: string) => `${server}-restore-${hash}`,
  rotationJob: (server: string, hash: string) => `${server}-rotate-${hash}`,
} as const;

/** Names of the objects of a server. Names of servers have at most 40 characters. */
export const objectNames = {
  ...ownNames,
  ...jobNames,
  /** A ClusterRoleBinding has no namespace: neither part of the name contains a dot. */
  clusterRoleBinding: (namespace: string, server: string) => `${namespace}.${server}`,
  reviewerBinding: (namespace: string, server: string) => `${namespace}.${server}.reviewer`,
  /** A RoleBinding in a workspace. */
  roleBinding: (namespace: string, server: string, role: WorkspaceRole) =>
    `mlflow.${namespace}.${server}.${role === "TraceWriter" ? "trace-writer" : role.toLowerCase()}`,
  /** The ConfigMap for clients in a workspace. */
  client: "mlflow-client",
} as const;

/** Returns the name of the MlflowBackup before a change of the version, for one of the attempts to write it. */
export function upgradeBackupName(server: string, hash: string, attempt: number): string {
  return `${server}-upgrade-${hash}${attempt === 1 ? "" : `-${attempt}`}`;
}

/** The names of the objects of one server, except Jobs and those in a workspace. */
export type Names = Readonly<Record<keyof typeof ownNames | "clusterRoleBinding" | "reviewerBinding", string>>;

/** Returns the names of the objects of a server. */
export function namesOf(server: string, namespace: string): Names {
  return {
    deployment: objectNames.deployment(server),
    service: objectNames.service(server),
    serviceAccount: objectNames.serviceAccount(server),
    networkPolicy: objectNames.networkPolicy(server),
    podDisruptionBudget: objectNames.podDisruptionBudget(server),
    horizontalPodAutoscaler: objectNames.horizontalPodAutoscaler(server),
    garbageCollection: objectNames.garbageCollection(server),
    ingress: objectNames.ingress(server),
    httpRoute: objectNames.httpRoute(server),
    volumeClaim: objectNames.volumeClaim(server),
    admin: objectNames.admin(server),
    session: objectNames.session(server),
    store: objectNames.store(server),
    authConfig: objectNames.authConfig(server),
    externalService: objectNames.externalService(server),
    waypoint: objectNames.waypoint(server),
    tracesPolicy: objectNames.tracesPolicy(server),
    allowFromWaypoint: objectNames.allowFromWaypoint(server),
    denyBypass: objectNames.denyBypass(server),
    sidecarPolicy: objectNames.sidecarPolicy(server),
    artifactServer: objectNames.artifactServer(server),
    listener: objectNames.listener(server),
    allowWriters: objectNames.allowWriters(server),
    denyNonWriters: objectNames.denyNonWriters(server),
    clusterRoleBinding: objectNames.clusterRoleBinding(namespace, server),
    reviewerBinding: objectNames.reviewerBinding(namespace, server),
  };
}

/** Keys in the data of managed Secrets. Those of `session` are also required in `server.sessionSecretRef`. */
export const dataKeys = {
  username: "username",
  password: "password",
  flaskSecretKey: "flask-secret-key",
  kekPassphrase: "kek-passphrase",
  webhookKey: "webhook-key",
  cookieSecret: "cookie-secret",
  kekVersion: "kek-version",
  hashKey: "hash-key",
  acceptedFlaskSecretKey: "accepted-flask-secret-key",
  acceptedKekPassphrase: "accepted-kek-passphrase",
  acceptedKekVersion: "accepted-kek-version",
  acceptedWebhookKey: "accepted-webhook-key",
  nextPassword: "next-password",
  backendStoreUri: "backend-store-uri",
  readReplicaUri: "read-replica-uri",
  basicAuthIni: "basic_auth.ini",
  oidcUsersUri: "oidc-users-db-uri",
  access: "access.json",
  /** Keys of a Secret of type kubernetes.io/tls. */
  certificate: "tls.crt",
  privateKey: "tls.key",
} as const;

/** The port of MLflow in its container, and of the Service. */
export const port = 5000;

/** The port of the proxy in its container. */
export const proxyPort = 4180;

/** The ports of the metrics of MLflow's requests and of oauth2-proxy in their containers. The Service does not have them. */
export const metricsPort = 9090;
export const proxyMetricsPort = 44_180;

/** The port of the listener for traces and of its Service: the OTLP/HTTP port. */
export const tracesPort = 4318;

/** Returns the URL of the server for clients in the cluster. */
export function serviceUrl({ metadata, spec }: MlflowServer): string {
  const scheme = spec.server?.tls === undefined ? "http" : "https";
  return `${scheme}://${objectNames.service(metadata.name)}.${metadata.namespace}:${port}`;
}

/** Returns the URL for traces of workloads in the mesh, which need no credential, if the server has a listener. */
export function listenerUrl({ metadata }: MlflowServer): string {
  return `http://${objectNames.listener(metadata.name)}.${metadata.namespace}:${tracesPort}/v1/traces`;
}

/** A cache for the last server: lists are in the order of names. */
let latest: { readonly server: string; readonly names: ReadonlySet<string> } | undefined;

/** Whether the name of an object is one that the operator uses for this kind and server. */
export function isNameOf({ kind, metadata: { name } }: KubeObject, { namespace, name: server }: Key): boolean {
  switch (kind) {
    case "Pod":
      return true;
    case "Job":
      return Object.values(jobNames).some((nameOf) => name.startsWith(nameOf(server, "")));
    case "ClusterRoleBinding":
      return (
        name === objectNames.clusterRoleBinding(namespace, server) ||
        name === objectNames.reviewerBinding(namespace, server)
      );
    default:
      if (latest?.server !== server)
        latest = { server, names: new Set(Object.values(ownNames).map((nameOf) => nameOf(server))) };
      return latest.names.has(name);
  }
}

/** Whether an object is a Job of an MlflowBackup of this server, or a pod of such a Job. They belong to the MlflowBackup. */
export function isOfBackup({ kind, metadata: { name } }: KubeObject, server: string): boolean {
  return (kind === "Job" || kind === "Pod") && name.startsWith(objectNames.backupJob(server, ""));
}

/** Whether an object is the ConfigMap for clients in a workspace, by its name and label. */
export function isClientConfigMap({ kind, metadata: { name, labels } }: KubeObject): boolean {
  return kind === "ConfigMap" && name === objectNames.client && labels?.[label.clientOf] !== undefined;
}
