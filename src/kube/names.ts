/** Names, labels and annotations that we write: one place, so that selectors and builders agree. */

export const group = "mlflow-operator.dev";

/** The field manager of server-side apply, and the value of `app.kubernetes.io/managed-by`. */
export const manager = "mlflow-operator";

export const label = {
  /** Carried by all that we write; the watches select by it. */
  managedBy: "app.kubernetes.io/managed-by",
  /** The name of the MlflowServer, in its namespace. */
  server: `${group}/server`,
  /** The same, on what Istio makes of its waypoint: policies that select the server's pods must not hold for that. */
  waypoint: `${group}/waypoint`,
  /** The namespace of that MlflowServer, on what we write outside of it. */
  serverNamespace: `${group}/server-namespace`,
  /** On the ConfigMap for clients in a workspace: the name of the MlflowServer, which is in another namespace. */
  clientOf: `${group}/client-of`,
  /** On a Namespace, by its administrators: the namespace whose servers may have it as a workspace. */
  workspaceOf: `${group}/workspace-of`,
  /** Which part of a server a pod is: `server` or `migration`. */
  component: "app.kubernetes.io/component",
  application: "app.kubernetes.io/name",
  version: "app.kubernetes.io/version",
} as const;

export const annotation = {
  /** On what we write: a hash of the field paths of the manifest (no values), so that a dropped field is noticed. */
  appliedFieldsHash: `${group}/applied-fields-hash`,
  /** On the pod template: keyed hash (HMAC) of all that pods read at start; a change rolls them. */
  inputs: `${group}/inputs`,
  /** On an MlflowServer, by an administrator: the operator that manages it, in place of the one in its status. */
  operator: `${group}/operator`,
  /** On an MlflowServer, by an administrator: "true" has the operator write nothing for it. */
  paused: `${group}/paused`,
  /** On an MlflowServer, by an administrator: names of generated Secrets that are lost and may be generated again. */
  replaceLostSecrets: `${group}/replace-lost-secrets`,
  /** On the Deployment: the migration Job after whose success it was written. No decision depends on it. */
  migration: `${group}/migration`,
  /** On the migration Job: the time that tells it from earlier Jobs of its name, as in `status.migration.attempt`. */
  attempt: `${group}/attempt`,
  /** On the migration Job: the identity of its databases, a hash. */
  database: `${group}/database`,
  /** On an MlflowServer, by a person: any new value says that the databases were restored, so what was known of them is void. */
  restored: `${group}/database-restored`,
} as const;

/** On an MlflowServer that has left something where no owner reference reaches: it goes when that is gone. */
export const finalizer = `${group}/release`;

/** The label selector of our watches. */
export const managedSelector = `${label.managedBy}=${manager}`;

/** Longest name of an MlflowServer: with our longest suffix a name must still fit a DNS label (63). */
export const longestServerName = 40;
