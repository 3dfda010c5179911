/** Reasons of conditions and events: stable, so that alerts and scripts can depend on them. */

export interface ReasonRow {
  /** What has happened. */
  readonly meaning: string;
  /** What a user can do; empty where no action is required. */
  readonly remedy: string;
  /** Another controller may soon resolve it: while a generation is new it is reported as `Reconciling`, and only then as `Stalled`. */
  readonly isAwaited?: true;
}

/** Reasons of several conditions, or of a condition and an Event. Those of one condition alone are in its file (`reconcile/conditions`). */
export const reasons = {
  Ready: { meaning: "All pods of this generation are ready.", remedy: "" },
  Hibernated: {
    meaning: "No pods run, because of `hibernate: true` or `replicas: 0`.",
    remedy: "Set `hibernate: false` to start pods.",
  },
  Pending: {
    meaning: "The operator has not reported on the object yet.",
    remedy: "Check that the operator runs and watches the namespace.",
  },
  Progressing: { meaning: "The operator has applied objects, or pods are starting or being replaced.", remedy: "" },
  NotReconciling: { meaning: "Nothing is in progress.", remedy: "" },
  NotStalled: { meaning: "No action required.", remedy: "" },
  NotChecked: {
    meaning: "The database, a workspace or the endpoints have not been checked yet, or cannot be checked.",
    remedy: "See the message, and that of `Ready`.",
  },
  MigrationComplete: { meaning: "The database has the schema of this version.", remedy: "" },
  MigrationDisabled: { meaning: "The spec turns the migration off, so the database is used as it is.", remedy: "" },
  MigrationPending: {
    meaning: "The migration waits for an earlier migration to end, or for the artifact store.",
    remedy: "See the message of `Ready`.",
  },
  MigrationRunning: { meaning: "A Job migrates the database to the schema of this version.", remedy: "" },
  MigrationOverdue: {
    meaning: "A migration has been running for more than an hour. It is not stopped.",
    remedy:
      "Read its log. A large database takes long; docs/operations.md describes how to find sessions that hold locks and nodes that are lost.",
  },
  MigrationFailed: {
    meaning: "The migration failed for an unknown reason.",
    remedy: "Read the log of the Job. The operator retries.",
  },
  MigrationBusy: {
    meaning: "Another process holds the lock of the migration.",
    remedy: "Wait, or stop the other process that migrates this database.",
  },
  ManualMigrationNeeded: {
    meaning: "With `migration: Manual`: the database does not have the schema of this version.",
    remedy: "Run `mlflow db upgrade` with the image of this version, or set `migration: Automatic`.",
  },
  ConfigurationInvalid: {
    meaning: "The settings of the migration are invalid.",
    remedy: "Read the message.",
  },
  UnsupportedImage: {
    meaning:
      "The image does not contain the authentication extra of MLflow, or has another version than `spec.version`.",
    remedy: "Use the project's image, or one with `mlflow[auth]` of this version and the database drivers.",
  },
  DriverMissing: {
    meaning: "The image does not contain the database driver.",
    remedy: "Use the project's image, or add the driver to your image.",
  },
  DatabaseUnreachable: {
    meaning: "The database is unreachable.",
    remedy: "Check host and port, DNS, network policies and firewalls.",
    isAwaited: true,
  },
  DatabaseRejected: {
    meaning: "The database rejects connections.",
    remedy: "Check its access rules, connection limit and whether it offers TLS.",
  },
  DatabaseAuthenticationFailed: {
    meaning: "The database rejects the user or the password.",
    remedy: "Correct the Secret.",
  },
  DatabaseNotFound: { meaning: "The server has no database of this name.", remedy: "Create the database." },
  DatabasePermissionDenied: {
    meaning: "The user has no permission to create or change tables.",
    remedy: "Grant the privileges on the database and its schema.",
  },
  UnsupportedCharacterSet: {
    meaning: "The MySQL database has another character set than utf8mb4, so MLflow cannot store all names in it.",
    remedy: "Set the character set of the database, and of existing tables, to utf8mb4.",
  },
  DatabaseReadOnly: {
    meaning: "The database is read-only, such as a replica.",
    remedy: "Set the host of the primary.",
  },
  DatabaseFull: { meaning: "The database or volume has no space left.", remedy: "Free or add space." },
  DatabaseLocked: {
    meaning: "Other sessions hold locks on MLflow's tables, so they cannot be changed. Nothing was changed.",
    remedy: "End the sessions that the message names, or wait: the operator retries.",
  },
  MigrationTimeout: {
    meaning: "A phase of the migration that does not depend on the database takes too long.",
    remedy: "Read the message: check the CPU limit and the image.",
  },
  DatabaseTimeout: {
    meaning: "The database did not answer in time.",
    remedy: "Check the database for locks and load.",
  },
  DatabaseTooNew: {
    meaning: "The database has the schema of a newer MLflow, which this one cannot read.",
    remedy: "Set `spec.version` to that of the schema or newer.",
  },
  ArtifactStoreReadOnly: {
    meaning: "The credentials have no permission to write to the bucket.",
    remedy:
      "Grant the permission to write objects (`s3:PutObject`, Storage Object User, Storage Blob Data Contributor), or set `artifactStore.connectionCheck: false` for a read-only server.",
  },
  ArtifactStoreAuthenticationFailed: {
    meaning: "The artifact store rejects the credentials, or there are none.",
    remedy: "Correct the Secret, or the role of the ServiceAccount.",
  },
  ArtifactStoreNotFound: { meaning: "The bucket does not exist.", remedy: "Create the bucket, or correct its name." },
  ArtifactStoreUnreachable: {
    meaning: "The artifact store is unreachable.",
    remedy: "Check `endpointURL`, region and account, DNS, network policies and firewalls.",
    isAwaited: true,
  },
  ArtifactStoreRejected: {
    meaning: "The artifact store rejects an upload for another reason.",
    remedy: "Read the message; check region, endpoint and the policy of the bucket.",
  },
  ArtifactStoreTLSVerificationFailed: {
    meaning: "The artifact store's certificate is not signed by the CA, or is for another host.",
    remedy: "Correct `ca`, `endpointURL` or the certificate.",
  },
  TLSVerificationFailed: {
    meaning: "The database's certificate is not signed by the CA, or is for another host.",
    remedy: "Correct `ca`, the host or the certificate.",
  },
  AdminPasswordRejected: {
    meaning: "MLflow rejects the password of the administrator.",
    remedy: "Choose one of 12 characters or more.",
  },
  RotationFailed: {
    meaning: "The Job of a rotation failed for an unknown reason. The previous key or password stays valid.",
    remedy: "Read the log of the Job. It is retried.",
  },
  DowngradeRejected: {
    meaning: "The version is older than the one that last migrated the database. Running pods are not changed.",
    remedy:
      "Set `spec.version` to `status.migration.version` or newer. After restoring an older backup, set the annotation `mlflow-operator.dev/database-restored` to a new value.",
  },
  SecretNotFound: {
    meaning: "A Secret that the spec references does not exist.",
    remedy: "Create it, or reference another.",
    isAwaited: true,
  },
  SecretKeyMissing: {
    meaning: "A Secret that the spec references does not have the key.",
    remedy: "Add the key, or reference another.",
    isAwaited: true,
  },
  ConfigMapNotFound: {
    meaning: "A ConfigMap that the spec references does not exist.",
    remedy: "Create it, or reference another.",
    isAwaited: true,
  },
  ConfigMapKeyMissing: {
    meaning: "A ConfigMap that the spec references does not have the key.",
    remedy: "Add the key, or reference another.",
    isAwaited: true,
  },
  InvalidSecret: { meaning: "A Secret has invalid content.", remedy: "Correct it as described in the message." },
  InvalidConfigMap: { meaning: "A ConfigMap has invalid content.", remedy: "Correct it as described in the message." },
  Paused: {
    meaning:
      "The annotation `mlflow-operator.dev/paused` pauses the server: the operator applies nothing for it. `Stalled` has this reason while the pods or the migration need a change.",
    remedy: "Remove the annotation to resume.",
  },
  InvalidAnnotation: {
    meaning: "An annotation of the server has an invalid value, so the operator applies nothing for it.",
    remedy: "Correct the annotation as described in the message.",
  },
  UpgradeWaiting: {
    meaning:
      "An operator upgrade, or changed operator settings, change the pods of the server. The operator changes one server first, and then a few at the same time.",
    remedy: "",
  },
  UpgradeStopped: {
    meaning:
      "A server did not become ready after an operator upgrade had changed its pods, so the operator changes no further servers.",
    remedy:
      "Repair the server that the message names, exclude it with the annotation `mlflow-operator.dev/paused`, or install the previous version of the operator.",
  },
  PreflightRunning: {
    meaning: "A Job checks with the new image that the server can be changed to it. The previous version serves.",
    remedy: "",
  },
  PreflightFailed: {
    meaning: "The checks before a change of the version failed for an unknown reason. The previous version serves.",
    remedy: "Read the log of the Job. The operator retries.",
  },
  ApprovalRequired: {
    meaning:
      "With `upgrade.approval: Manual`: a change of the version waits for approval. The previous version serves.",
    remedy: "Set the annotation `mlflow-operator.dev/approve-upgrade` to the value of `status.upgrade.approval`.",
  },
  OutsideMaintenanceWindow: {
    meaning:
      "A change of the version waits for `upgrade.maintenanceWindow`. The message has the time. The previous version serves.",
    remedy: "",
  },
  StoppingWriters: {
    meaning: "The pods are stopped before the migration, because the new schema requires it.",
    remedy: "",
  },
  GeneratedSecretLost: {
    meaning:
      "A Secret that the operator generated for a server that has run is missing, or some of its keys are. The operator applies nothing until that changes: new keys cannot decrypt what the old ones encrypted.",
    remedy: "Restore the Secret, or confirm the loss with the annotation that the message names.",
  },
  OtherOperator: {
    meaning: "Another operator manages the server, so this one changes nothing. Only events and the log report it.",
    remedy:
      "Run one operator for each namespace, or transfer the server with the annotation `mlflow-operator.dev/operator`.",
  },
  WriteConflict: {
    meaning:
      "Another client repeatedly changes or deletes objects that the operator applies. The operator repairs them less and less often.",
    remedy: "Stop the field manager that the message names, or exclude the object from it.",
  },
  CustomResourceDefinitionOutdated: {
    meaning:
      "The installed CustomResourceDefinition does not have all fields or values that the operator knows, so the API server may have removed them from specs. The operator applies nothing until that changes.",
    remedy: "Apply the CustomResourceDefinitions of this operator, then the objects again.",
  },
  FieldsPruned: {
    meaning:
      "The API server has removed fields of the spec that its author still owns, since the CustomResourceDefinition that was installed at the time did not have them. The operator applies nothing for the object until that changes.",
    remedy: "Apply the object again, with the CustomResourceDefinitions of this operator.",
  },
  UnsupportedField: {
    meaning:
      "The spec has a field, a union member or a value that this version of the operator does not support, as with a CustomResourceDefinition of a newer one. The operator applies nothing for the object until that changes.",
    remedy: "Upgrade the operator, or correct the spec.",
  },
  InvalidURL: {
    meaning: "The spec has a URL or a host that cannot be parsed.",
    remedy: "Use a host name such as mlflow.example.com and a port of at most 65535; the message names the field.",
  },
  ObjectTooLarge: {
    meaning: "The server, or an object that belongs to it, has more than 256 KiB, which the operator does not process.",
    remedy: "Make the spec smaller, or remove what other clients have added to the object; the message names it.",
  },
  ReferencesTooLarge: {
    meaning: "The Secrets and ConfigMaps that the spec references have more than 4 MiB together.",
    remedy: "Reference smaller or fewer objects; the message names the largest.",
  },
  InvalidCertificateAuthority: {
    meaning: "A CA bundle that the spec references does not contain PEM certificates.",
    remedy: "Write the certificates, beginning with -----BEGIN CERTIFICATE-----, into the key that the message names.",
  },
  IssuerUnreachable: {
    meaning: "An OpenID Connect issuer is unreachable. New pods wait; running pods are not changed.",
    remedy: "Check the URL, DNS, network policies and the issuer. The operator retries.",
    isAwaited: true,
  },
  IssuerUntrusted: {
    meaning: "An issuer's certificate is not trusted.",
    remedy: "Set its CA bundle in `spec.authentication.oauth2Proxy.ca` or `spec.authentication.oidc.ca`.",
  },
  IssuerMismatch: {
    meaning: "The issuer in the discovery document differs from the one in the spec, often only by a trailing slash.",
    remedy: "Write the issuer exactly as in the message.",
  },
  IssuerForbidden: {
    meaning: "An issuer does not serve its keys to unauthenticated clients, which is the default of the API server.",
    remedy: "Bind the ClusterRole `system:service-account-issuer-discovery` to the group `system:unauthenticated`.",
  },
  SessionStoreUnreachable: {
    meaning:
      "Redis, which stores the sessions of browsers, is unreachable. New pods wait; running pods are not changed.",
    remedy: "Check the URL, DNS, network policies and Redis. The operator retries.",
    isAwaited: true,
  },
  SessionStoreRejected: {
    meaning: "Redis rejects the user, or its certificate is not trusted. New pods wait; running pods are not changed.",
    remedy:
      "Correct the user, the password, the CA bundle or the URL in `spec.authentication.oauth2Proxy.session.redis`, as described in the message.",
  },
  WorkspaceOptInMissing: {
    meaning: "The server needs permissions outside its namespace, and no namespace has opted in as a workspace.",
    remedy: "Label the namespace with the command in the message; that requires permissions on Namespace objects.",
    isAwaited: true,
  },
  WorkspacesReady: { meaning: "All grants are in force in all workspaces.", remedy: "" },
  WorkspaceNotServed: {
    meaning: "A grant is for a namespace that has opted in, and that the server does not select as a workspace.",
    remedy:
      "Correct the reference to the server, or change `spec.workspaces.selector` of the server so that it selects the namespace.",
    isAwaited: true,
  },
  ConflictingGrants: {
    meaning: "Two servers grant a subject different roles in one namespace; those of the older server are in force.",
    remedy: "Grant the same role, or narrow `spec.workspaces.selector` of one of them.",
  },
  Granted: { meaning: "The grant of a MlflowWorkspaceAccess is in force.", remedy: "" },
  Expired: { meaning: "The grant has expired.", remedy: "Delete it, or set a later `spec.expiresAt`." },
  WorkspacesUnavailable: {
    meaning:
      "The operator manages only some namespaces, and has no permission to grant access outside the namespace of a server.",
    remedy:
      "Install the operator for all namespaces, or leave out `spec.workspaces`, and use `accessReview: SelfSubjectAccessReview`.",
  },
  MeshEnforced: {
    meaning: "The mesh enforces the policies of the server, as far as its objects, the pods and a probe show.",
    remedy: "",
  },
  MeshProgressing: { meaning: "The operator is setting up the mesh policies, step by step.", remedy: "" },
  MeshHibernated: { meaning: "No pods run, so the mesh cannot be checked.", remedy: "" },
  MeshNotConfigured: {
    meaning: "`spec.traces` names writers, and only a mesh can distinguish them.",
    remedy: "Add `spec.mesh`, or leave out `spec.traces`.",
  },
  IstioMissing: {
    meaning: "Kinds of Istio or the Gateway API are not installed. The operator continues when they are.",
    remedy: "Install Istio, for ambient mode also the CRDs of the Gateway API, or remove `spec.mesh`.",
  },
  WaypointNotProgrammed: {
    meaning: "Istio has not programmed the waypoint of the Gateway.",
    remedy: "Check that istiod runs and that the GatewayClass `istio-waypoint` is accepted.",
  },
  WaypointWithoutAddress: { meaning: "The waypoint has no address.", remedy: "Check the conditions of the Gateway." },
  WaypointUnavailable: {
    meaning: "No pod of the waypoint is available, so clients in the mesh cannot reach the server.",
    remedy: "Check the Deployment of the waypoint.",
  },
  WaypointIdentityUnexpected: {
    meaning:
      "The waypoint does not run as the ServiceAccount of its own name. The policy `<name>-waypoint-only` denies any other.",
    remedy: "Remove the annotations that rename it from the Gateway.",
  },
  TrustDomainUnexpected: {
    meaning:
      "The trust domain of the mesh differs from the one in the spec, so no client matches the identities in the policies.",
    remedy: "Set `mesh.istio.trustDomain` to the one that the message names.",
  },
  MeshPolicyNotAccepted: {
    meaning: "Istio has not accepted the current AuthorizationPolicy, or ignores a part of it.",
    remedy: "Check the conditions of the policy.",
  },
  ServiceNotBound: {
    meaning: "Requests to the Service do not go through the waypoint yet.",
    remedy: "Check the condition `istio.io/WaypointBound` of the Service.",
  },
  PodsNotEnrolled: {
    meaning: "A ready pod is not in the mesh, or in the other data plane mode.",
    remedy: "Follow the message, which names the pod and how it is added to the mesh.",
  },
  ConflictingPolicy: {
    meaning: "Another AuthorizationPolicy in the namespace allows requests besides those of the server.",
    remedy: "Delete it, or change its selector or targetRefs.",
  },
  ConflictingService: {
    meaning: "Another Service also selects the pods of the server. Traffic through it is denied.",
    remedy: "Delete it, or change its selector.",
  },
  MeshNotEnforced: {
    meaning: "The mesh did not deny a probe of the operator, which is not a writer of traces.",
    remedy:
      "Read the message: check that ztunnel or the sidecars enforce policies, and that the operator's pod does not use `hostNetwork`.",
  },
  ReconcileFailed: {
    meaning:
      "A request of the operator to the API server has failed for some time, with any status code. The operator retries.",
    remedy:
      "Read the message, which names the request, the object and the code. Check the API server and its admission webhooks.",
  },
  WatchFailed: {
    meaning:
      "The operator cannot watch a resource, so the status may be outdated, and changes are not detected. `Ready` is Unknown until it can.",
    remedy:
      "Read the message: grant the operator's role the verbs `list` and `watch`, or check the API server and the proxies in front of it.",
  },
  MeshNotProbed: {
    meaning: "A probe of the operator, which the mesh must deny, got no answer. The listener for traces stays closed.",
    remedy:
      "Allow connections from the operator to the pods and the Service of the server: check network policies and DNS.",
  },
  Exposed: { meaning: "The controllers report that the server is exposed outside the cluster.", remedy: "" },
  RouteProgressing: {
    meaning: "The operator applies the Ingress, HTTPRoute or external Service when all pods are of this generation.",
    remedy: "",
  },
  GatewayApiMissing: {
    meaning: "The kind HTTPRoute is not installed. The operator continues when it is.",
    remedy: "Install the CRDs of the Gateway API and an implementation, or use `exposure.ingress`.",
  },
  HostConflict: {
    meaning: "Another server already uses this host with this prefix. Existing routes of this server are not changed.",
    remedy: "Use another host or prefix, or delete the other server.",
  },
  RouteNotAccepted: {
    meaning: "A Gateway does not accept the HTTPRoute, or no controller has reported on it.",
    remedy: "Read the message: the administrator of the Gateway decides which namespaces and hosts it accepts.",
  },
  RouteNotResolved: {
    meaning: "The implementation of the Gateway API does not find the Service of the HTTPRoute.",
    remedy: "Check the conditions of the HTTPRoute.",
  },
  IngressWithoutAddress: {
    meaning: "No controller has given the Ingress an address; some never do.",
    remedy: "Check that a controller serves the class: `kubectl get ingressclasses`.",
  },
  LoadBalancerWithoutAddress: {
    meaning: "No controller has given the external Service an address yet.",
    remedy:
      "Wait, then read the Events of the Service `<name>-external`. The cluster needs an implementation of load balancers; others can use `type: NodePort`.",
  },
  ImageNotAllowed: {
    meaning: "The operator's setting `--allowed-images` does not allow an image of the spec.",
    remedy: "Use an allowed image, or ask a cluster administrator to add it to `allowedImages` in the chart's values.",
  },
  ReservedVariable: {
    meaning: "A source of `server.envFrom` sets a variable that only the operator can set.",
    remedy: "Remove the key from the Secret or ConfigMap.",
  },
  NameConflict: {
    meaning:
      "An object with a name that the server needs has another owner; the operator neither adopts nor deletes it.",
    remedy: "Create the server under another name, or remove the object.",
  },
  ApplyRejected: {
    meaning:
      "The API server rejects an object that the operator applies: a quota, an admission webhook, a missing permission.",
    remedy: "Read the message. The operator retries.",
  },
  ImagePullFailed: { meaning: "The image cannot be pulled.", remedy: "Check `spec.image` and its `pullSecrets`." },
  ContainerNotCreated: {
    meaning: "The container cannot be created.",
    remedy: "Read the message; often a Secret or its key is missing.",
  },
  CrashLooping: {
    meaning: "A container repeatedly exits soon after its start.",
    remedy: "Read its log with the command in the message.",
  },
  OutOfMemory: {
    meaning: "A container was terminated because it exceeded its memory limit.",
    remedy: "Raise the memory limit, or lower `server.workers`.",
  },
  Unschedulable: { meaning: "No node can run a pod.", remedy: "Add capacity, or change `spec.pod`." },
  PodsRejected: {
    meaning: "The API server rejects the pods.",
    remedy: "Read the message: a quota, Pod Security, a webhook.",
  },
  PodsNotCreated: {
    meaning: "The migration Job has had no pod for a minute, and no event gives the reason.",
    remedy: "Check that kube-controller-manager runs; describe the Job.",
  },
  PodNotStarting: {
    meaning:
      "A pod is scheduled but does not start: a volume or the network of the pod cannot be set up, or an init container does not complete.",
    remedy: "Read the message, which quotes the event; describe the pod.",
  },
  PodNotTerminating: {
    meaning: "A deleted pod does not terminate, often because its node is lost.",
    remedy: "Check the node; if it is lost, delete the pod with `--force`.",
  },
  GarbageCollectionFailed: {
    meaning: "The last Job of the garbage collection failed, or left artifacts that it must not delete.",
    remedy: "Read the message, and the log of the Job. The next Job tries again.",
  },
  SidecarRunning: {
    meaning: "The migration is complete, but an injected container prevents its Job from completing.",
    remedy: "Inject native sidecars, or disable the injection with `spec.pod.annotations`.",
  },
  JobSuspended: {
    meaning: "The migration Job is suspended, by a user or by a queue such as Kueue.",
    remedy: "Let the queue admit it, or set `suspend: false` on the Job.",
  },
  RolloutPaused: {
    meaning: "The Deployment is paused, so pods of the new spec do not start.",
    remedy: "Run `kubectl rollout resume` with the Deployment of the message.",
  },
  RolloutStuck: {
    meaning: "No pod has become ready for ten minutes.",
    remedy: "Check the pods with the command in the message.",
  },
  BackupCompleted: { meaning: "The backup is complete.", remedy: "" },
  BackupRunning: { meaning: "A Job writes the backup, or verifies its files.", remedy: "" },
  BackupWaiting: {
    meaning: "Another backup of the server, or a migration, has to end first.",
    remedy: "",
  },
  ServerNotFound: {
    meaning: "The MlflowServer that an MlflowBackup or an MlflowBackupSchedule names does not exist.",
    remedy: "Create the server, or create a backup or a schedule with another name in `serverRef`.",
    isAwaited: true,
  },
  Scheduled: { meaning: "Backups are created at the times of the schedule, and the last one is complete.", remedy: "" },
  Suspended: { meaning: "The schedule creates no backups, as its spec sets.", remedy: "Remove `suspend`." },
  InvalidSchedule: {
    meaning: "The cron schedule has no times, or the time zone is unknown.",
    remedy: "Correct `schedule` or `timeZone`. `kubectl mlflow validate` checks them.",
  },
  BackupScheduleNotFound: {
    meaning:
      "The MlflowBackupSchedule of `spec.upgrade.backup` does not exist, or is of another server. The change of the version waits.",
    remedy: "Create the schedule, or remove `spec.upgrade.backup`.",
    isAwaited: true,
  },
  UpgradeBackupRunning: { meaning: "A backup is written before the migration to another version.", remedy: "" },
  UpgradeBackupFailed: {
    meaning:
      "The backup before the migration failed. Nothing was migrated, and the pods of the previous version serve.",
    remedy:
      "Correct the cause and delete the `MlflowBackup`: the operator creates another one. Or remove `spec.upgrade.backup`, or set the version back.",
  },
  BackupStalled: {
    meaning: "The current backup of the schedule cannot run.",
    remedy: "Do what the message of the `MlflowBackup` says, or delete it: the next one is created at the next time.",
  },
  LastBackupFailed: {
    meaning: "The last backup of the schedule failed.",
    remedy: "Do what the message of the `MlflowBackup` says. The next complete backup resolves it.",
  },
  RetentionApplied: { meaning: "The files of older backups of the schedule were deleted.", remedy: "" },
  RetentionFailed: {
    meaning: "The backup is complete, and the files of older backups of its schedule could not be deleted.",
    remedy:
      "Read the message: in a bucket the access key needs `s3:ListBucket` and `s3:DeleteObject`. The next backup tries it again.",
  },
  BackupFailed: {
    meaning: "The backup failed for an unknown reason.",
    remedy: "Read the log of the Job, and create another `MlflowBackup`.",
  },
  BackupInterrupted: {
    meaning: "The Job or the pod of the backup was deleted, evicted or killed before it completed.",
    remedy: "Create another `MlflowBackup`. The operator does so for the backup before a migration.",
  },
  BackupTimeout: {
    meaning: "The backup ran for 24 hours.",
    remedy: "Read the log of the Job, and create another `MlflowBackup`.",
  },
  BackupToolMissing: {
    meaning: "The MLflow image does not contain the program that dumps the database.",
    remedy: "Use the project's image, or add `pg_dump` or `mariadb-dump` to yours.",
  },
  BackupToolOutdated: {
    meaning: "The program that dumps the database is older than the database server.",
    remedy: "Use an image with a newer client.",
  },
  BackupManifestNotFound: {
    meaning: "The folder or prefix of a backup has no `manifest.json`, so there is no complete backup in it.",
    remedy: "Create another `MlflowBackup` with the `existing.path` of a complete backup.",
  },
  BackupDamaged: {
    meaning: "A file of a backup is missing, or has another size or SHA-256 than when it was written.",
    remedy: "Use another backup, or another copy of this one.",
  },
  BackupUnreadable: {
    meaning: "The files of a backup cannot be read.",
    remedy: "Check the owner of the files, or grant `s3:GetObject`, and create another `MlflowBackup`.",
  },
  ArtifactsUnreadable: {
    meaning: "The artifacts on the server's volume cannot be read completely.",
    remedy: "Check the volume and the owner of the files, and create another `MlflowBackup`.",
  },
  BackupNotFound: {
    meaning: "The MlflowBackup of `spec.restore` does not exist.",
    remedy: "Create it, for files of another cluster with `spec.existing`, or name another one.",
    isAwaited: true,
  },
  BackupUnusable: {
    meaning: "The MlflowBackup of `spec.restore` has failed.",
    remedy: "Name a completed MlflowBackup.",
  },
  BackupTooNew: {
    meaning: "The backup to restore is of a newer version of MLflow.",
    remedy: "Set `spec.version` to the version of the backup, or a newer one.",
  },
  RestorePending: { meaning: "The restore waits for the MlflowBackup, or for an earlier attempt to end.", remedy: "" },
  RestoreRunning: { meaning: "A Job restores the backup. Pods start after it.", remedy: "" },
  RestoreFailed: {
    meaning: "The restore failed for an unknown reason. It is repeated.",
    remedy: "Read the log of the Job.",
  },
  RestoreIncomplete: {
    meaning:
      "A restore into the MySQL database was interrupted, and `spec.restore` is gone, so the database has a part of the backup.",
    remedy: "Set `spec.restore` again, or use an empty database.",
  },
  RestoreTargetNotEmpty: {
    meaning: "A database or the volume to restore into has content that is not of the backup. Nothing is changed.",
    remedy: "Use empty databases and an empty volume, or remove `spec.restore`.",
  },
  RestoreTargetMismatch: {
    meaning: "The backup is of another kind of database, another authentication method or another schema.",
    remedy: "Change the databases and the authentication method to those of the backup.",
  },
  RestoreArtifactsMismatch: {
    meaning: "The backup has artifacts of a volume and the server uses a bucket, or the reverse.",
    remedy: "Use the store of the backup, or `restore.accept: [MissingArtifacts]`.",
  },
  RestoreKeysMismatch: {
    meaning: "The encryption keys of the server are not those of the backup.",
    remedy:
      "Put the keys of that time into the Secret `<name>-session`, or lose stored credentials by `restore.accept: [NewKeys]`.",
  },
  RestoreVolumeFull: {
    meaning: "The volume of the server has no space for the artifacts of the backup.",
    remedy: "Enlarge the volume. The restore is repeated.",
  },
  BackupUnsupported: {
    meaning: "The database is SQL Server, which an `MlflowBackup` cannot contain.",
    remedy: "Use the backups of the database server, and delete the `MlflowBackup`.",
  },
  BackupDestinationIsServerVolume: {
    meaning:
      "`destination` names the data volume of an MlflowServer in the namespace, or a claim with its name, so no backup is written or restored: both would be lost together.",
    remedy: "Name another claim or a bucket.",
  },
  BackupDestinationReadOnly: {
    meaning: "The volume or bucket of a backup is not writable.",
    remedy: "Grant the permission to write, and create another `MlflowBackup`.",
  },
  BackupDestinationFull: {
    meaning: "The volume or bucket of a backup has no space left.",
    remedy: "Enlarge it or delete old backups, and create another `MlflowBackup`.",
  },
  BackupDestinationNotFound: {
    meaning: "The bucket, or the folder of the volume, of a backup does not exist.",
    remedy: "Create it, and create another `MlflowBackup`.",
  },
  BackupDestinationAuthenticationFailed: {
    meaning: "The bucket of a backup rejects the credentials.",
    remedy: "Correct the Secret, and create another `MlflowBackup`.",
  },
  BackupDestinationUnreachable: {
    meaning: "The bucket of a backup is unreachable.",
    remedy: "Check `endpointURL`, region, DNS, network policies and firewalls, and create another `MlflowBackup`.",
  },
  BackupDestinationTLSVerificationFailed: {
    meaning: "The certificate of the bucket's endpoint cannot be verified.",
    remedy: "Set `destination.s3.ca` to its CA, and create another `MlflowBackup`.",
  },
  BackupDestinationRejected: {
    meaning: "The volume or bucket of a backup rejects a write, or a read, for another reason.",
    remedy: "Read the message, and create another `MlflowBackup`.",
  },
} as const satisfies Record<string, ReasonRow>;

export type Reason = keyof typeof reasons;

/** Whether another controller, or an object of the same release, may soon resolve the problem of a reason. */
export function isAwaited(reason: Reason): boolean {
  const row: ReasonRow = reasons[reason];
  return row.isAwaited === true;
}

export function isReason(text: string): text is Reason {
  return Object.hasOwn(reasons, text);
}
