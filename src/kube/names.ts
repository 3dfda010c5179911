/** Names, labels and annotations that the operator writes, shared by selectors and builders. */

export const group = "mlflow-operator.dev";

/** The field manager of server-side apply, and the value of `app.kubernetes.io/managed-by`. */
export const manager = "mlflow-operator";

export const label = {
  /** On all objects that the operator writes; the watches select by it. */
  managedBy: "app.kubernetes.io/managed-by",
  /** The name of the MlflowServer, in its namespace. */
  server: `${group}/server`,
  /** The same, on the objects that Istio creates for its waypoint: policies that select the server's pods must not apply to them. */
  waypoint: `${group}/waypoint`,
  /** On the pods of the operator, by the chart: they probe servers whose NetworkPolicy lists its clients. */
  operator: `${group}/operator`,
  /** The namespace of that MlflowServer, on objects outside it. */
  serverNamespace: `${group}/server-namespace`,
  /** On the ConfigMap for clients in a workspace: the name of the MlflowServer, which is in another namespace. */
  clientOf: `${group}/client-of`,
  /** On a Namespace, set by its administrators: the namespace whose servers can use it as a workspace. */
  workspaceOf: `${group}/workspace-of`,
  /** The component of a pod: `server`, `migration`, `preflight`, `traces`, `garbage-collection`, `backup`, `restore` or `rotation`. */
  component: "app.kubernetes.io/component",
  /** On an MlflowBackup: the MlflowBackupSchedule that it was created for. */
  backupSchedule: `${group}/backup-schedule`,
  application: "app.kubernetes.io/name",
  version: "app.kubernetes.io/version",
} as const;

export const annotation = {
  /** On all objects that the operator writes: a hash of the field paths of the manifest (no values), to detect fields that admission has dropped. */
  appliedFieldsHash: `${group}/applied-fields-hash`,
  /** On the pod template: keyed hash (HMAC) of all content that pods read at start; a change rolls them. */
  inputs: `${group}/inputs`,
  /** On an MlflowServer, by an administrator: the operator that manages it, in place of the one in its status. */
  operator: `${group}/operator`,
  /** On an MlflowServer, by an administrator: with "true" the operator applies nothing for it. */
  paused: `${group}/paused`,
  /** On an MlflowServer, by an administrator, and on its pod templates: a new value replaces the pods. */
  restart: `${group}/restart`,
  /** On an MlflowServer, by an administrator: credentials and keys that are rotated, each with a token that is new for each rotation. */
  rotate: `${group}/rotate`,
  /** On a generated Secret: the last rotation of each of its values (`model/rotation.ts`). */
  rotations: `${group}/rotations`,
  /** On an MlflowServer, by an administrator: the version, or the image, to which the server may be changed. */
  approveUpgrade: `${group}/approve-upgrade`,
  /** On an MlflowServer, by an administrator: names of generated Secrets that are lost and may be generated again. */
  replaceLostSecrets: `${group}/replace-lost-secrets`,
  /** On the Deployment: the completed migration Job before it was applied. Informational only. */
  migration: `${group}/migration`,
  /** On the Deployment: hashes of its pod templates and of their inputs (`resources/rendering.ts`). */
  rendering: `${group}/rendering`,
  /** On the Deployment: the operator upgrade that last changed its pods (`reconcile/upgrade-marker.ts`). */
  upgrade: `${group}/upgrade`,
  /** On a Deployment that is scaled to zero for a change of the version: the migration that follows. */
  stoppedFor: `${group}/stopped-for`,
  /** On the migration Job: a time that distinguishes it from earlier Jobs with the same name, as in `status.migration.attempt`. */
  attempt: `${group}/attempt`,
  /** On the migration Job: the identity of its databases, a hash. */
  database: `${group}/database`,
  /** On an MlflowServer, by an administrator: a new value confirms that the databases were restored, so the migration record is ignored. */
  restored: `${group}/database-restored`,
} as const;

/** On an MlflowServer with objects that have no owner reference: it is removed after those objects are deleted. */
export const finalizer = `${group}/release`;

/** The label selector of the operator's watches. */
export const managedSelector = `${label.managedBy}=${manager}`;

/** Longest name of an MlflowServer: with the longest suffix it must still be a DNS label (63). */
export const longestServerName = 40;

/** Longest name of an MlflowBackupSchedule: with the time of a backup it must still be a label value (63). */
export const longestScheduleName = 48;
