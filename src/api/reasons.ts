/** Reasons of conditions and events: stable, so that alerts and scripts may rest on them. */

/** Types of the conditions of an MlflowServer, in the order in which they are reported. */
export const conditionTypes = {
  Ready: "The pods of this very spec run and answer. What GitOps tools and `kubectl wait` should wait for.",
  Reconciling: "The operator is on its way to what the spec says; nobody needs to do anything.",
  Stalled: "Somebody must do something; the message says what. What ran before still runs.",
  DatabaseReady: "The database answers and has the schema of this version.",
  MeshReady:
    "With `spec.mesh` or `spec.traces`: all that Istio's objects and the pods tell says that only the writers get to `/v1/traces`. `Ready` does not wait for it.",
  Exposed:
    "With `spec.exposure.ingress` or `httpRoute`: by what their controllers report, clients outside are led to the server. `Ready` does not wait for it.",
  Available: "At least one pod answers, of this spec or of an earlier one.",
  WorkspacesReady:
    "With `spec.workspaces`: what is granted is in force in all namespaces that the server has or names.",
} as const;

export type ConditionType = keyof typeof conditionTypes;

export interface ReasonRow {
  /** What is the case. */
  readonly meaning: string;
  /** What a person can do; empty where there is nothing to do. */
  readonly remedy: string;
  /** Others may bring it about soon: while a generation is new it is reported as `Reconciling`, and as `Stalled` only then. */
  readonly isAwaited?: true;
}

export const reasons = {
  Ready: { meaning: "All pods of this spec run and answer.", remedy: "" },
  Hibernated: {
    meaning: "No pods run, because of `hibernate: true` or `replicas: 0`.",
    remedy: "Set `hibernate: false` to go on.",
  },
  Progressing: { meaning: "Objects have been written, or pods are being started or replaced.", remedy: "" },
  NotReconciling: { meaning: "Nothing is under way.", remedy: "" },
  NotStalled: { meaning: "Nobody needs to do anything.", remedy: "" },
  PodsReady: { meaning: "Pods answer.", remedy: "" },
  NoPodReady: { meaning: "No pod answers.", remedy: "See the message of `Ready`." },
  NotStarted: { meaning: "No pods have been started yet.", remedy: "See the message of `Ready`." },
  NotChecked: {
    meaning: "The database, or a workspace, has not been checked yet, or cannot be checked.",
    remedy: "See the message, and that of `Ready`.",
  },
  MigrationComplete: { meaning: "The database has the schema of this version.", remedy: "" },
  MigrationNotWanted: { meaning: "The database is taken as it is, as the spec says.", remedy: "" },
  MigrationPending: {
    meaning: "The migration waits for an earlier one to end, or for the artifact store.",
    remedy: "See the message of `Ready`.",
  },
  MigrationRunning: { meaning: "A Job brings the database to the schema of this version.", remedy: "" },
  MigrationOverdue: {
    meaning: "A migration has been running for more than an hour. It is not stopped.",
    remedy:
      "Read its log. A large database takes long; a session that holds locks, or a lost node, is named in docs/operations.md.",
  },
  MigrationFailed: {
    meaning: "The migration failed for a reason that the program does not know.",
    remedy: "Read the Job's log; it is tried again by itself.",
  },
  MigrationBusy: {
    meaning: "Another process holds the lock of the migration.",
    remedy: "Wait, or end what else migrates this database.",
  },
  ManualMigrationNeeded: {
    meaning: "With `migration: Manual`: the database does not have the schema of this version.",
    remedy: "Run `mlflow db upgrade` with the image of this version, or set `migration: Automatic`.",
  },
  ConfigurationInvalid: {
    meaning: "The migration was given settings that make no sense.",
    remedy: "Read the message.",
  },
  ImageUnsuitable: {
    meaning: "The image lacks what MLflow needs: its authentication extra, or the version that the spec names.",
    remedy: "Use the project's image, or one with `mlflow[auth]` of this version and the database drivers.",
  },
  DriverMissing: {
    meaning: "The image lacks the database driver.",
    remedy: "Use the project's image, or add the driver to yours.",
  },
  DatabaseUnreachable: {
    meaning: "The database does not answer.",
    remedy: "Check host and port, DNS, network policies and firewalls.",
    isAwaited: true,
  },
  DatabaseRejected: {
    meaning: "The database refuses connections.",
    remedy: "Check its access rules, connection limit and whether it offers TLS.",
  },
  DatabaseAuthenticationFailed: { meaning: "The database refuses user or password.", remedy: "Mend the Secret." },
  DatabaseNotFound: { meaning: "The server has no database of this name.", remedy: "Create the database." },
  DatabasePermissionDenied: {
    meaning: "The user may not create or change tables.",
    remedy: "Grant the rights on the database and its schema.",
  },
  DatabaseReadOnly: { meaning: "The database takes no writes, as a replica does.", remedy: "Name the primary." },
  DatabaseFull: { meaning: "The database or volume has no space left.", remedy: "Make room." },
  DatabaseLocked: {
    meaning: "Other sessions hold locks on MLflow's tables, so they cannot be changed. Nothing was changed.",
    remedy: "End the sessions that the message names, or wait: it is tried again.",
  },
  MigrationTimeout: {
    meaning: "A phase of the migration that does not depend on the database takes too long.",
    remedy: "Read the message: check the CPU limit and the image.",
  },
  DatabaseTimeout: {
    meaning: "The database did not answer in time.",
    remedy: "Look for locks and load on the database.",
  },
  DatabaseTooNew: {
    meaning: "The database has the schema of a newer MLflow, which this one cannot read.",
    remedy: "Set `spec.version` to that of the schema or newer.",
  },
  ArtifactStoreReadOnly: {
    meaning: "The bucket does not let these credentials write.",
    remedy: "Grant `s3:PutObject`, or set `artifactStore.connectionCheck: false` for a server that shall only read.",
  },
  ArtifactStoreAuthenticationFailed: {
    meaning: "The bucket does not accept the credentials, or there are none.",
    remedy: "Mend the Secret, or the role of the service account.",
  },
  ArtifactStoreNotFound: { meaning: "The bucket does not exist.", remedy: "Create the bucket, or mend its name." },
  ArtifactStoreUnreachable: {
    meaning: "The artifact store does not answer.",
    remedy: "Check `endpointURL` and `region`, DNS, network policies and firewalls.",
    isAwaited: true,
  },
  ArtifactStoreRejected: {
    meaning: "The artifact store refuses an upload for another reason.",
    remedy: "Read the message; check region, endpoint and the bucket's policy.",
  },
  ArtifactStoreTLSVerificationFailed: {
    meaning: "The artifact store's certificate is not signed by the CA, or is for another host.",
    remedy: "Mend `ca`, `endpointURL` or the certificate.",
  },
  TLSVerificationFailed: {
    meaning: "The database's certificate is not signed by the CA, or is for another host.",
    remedy: "Mend `ca`, the host or the certificate.",
  },
  AdminPasswordRejected: {
    meaning: "MLflow refuses the administrator's password.",
    remedy: "Choose one of 12 characters or more.",
  },
  DowngradeRefused: {
    meaning: "The version is older than the one that last migrated the database. Running pods stay.",
    remedy:
      "Set `spec.version` to `status.migration.version` or newer. After restoring an older backup, set the annotation `mlflow-operator.dev/database-restored` to a new value.",
  },
  SecretNotFound: {
    meaning: "A Secret that the spec names does not exist.",
    remedy: "Create it, or name another.",
    isAwaited: true,
  },
  SecretKeyMissing: {
    meaning: "A Secret that the spec names lacks a key.",
    remedy: "Add the key, or name another.",
    isAwaited: true,
  },
  ConfigMapNotFound: {
    meaning: "A ConfigMap that the spec names does not exist.",
    remedy: "Create it, or name another.",
    isAwaited: true,
  },
  ConfigMapKeyMissing: {
    meaning: "A ConfigMap that the spec names lacks a key.",
    remedy: "Add the key, or name another.",
    isAwaited: true,
  },
  InvalidSecret: { meaning: "A Secret has content that cannot work.", remedy: "Mend it as the message says." },
  Paused: {
    meaning: "The annotation `mlflow-operator.dev/paused` has the operator write nothing for the server.",
    remedy: "Remove the annotation to go on.",
  },
  GeneratedSecretLost: {
    meaning:
      "A Secret that the operator generated for a server that has run is gone, or lacks keys. Nothing is written until that changes: new keys cannot decrypt what the old ones encrypted.",
    remedy: "Restore the Secret, or confirm the loss by the annotation that the message names.",
  },
  OtherOperator: {
    meaning: "Another operator manages the server, so this one changes nothing. Only events and the log tell of it.",
    remedy:
      "Have one operator for each namespace, or hand the server over by the annotation `mlflow-operator.dev/operator`.",
  },
  WriteConflict: {
    meaning:
      "Another client changes or deletes again and again what the operator writes. It is still repaired, but less and less often.",
    remedy: "Stop the field manager that the message names, or have it leave the object alone.",
  },
  CustomResourceDefinitionOutdated: {
    meaning:
      "The installed CustomResourceDefinition lacks fields or values that the operator knows, so the API server may have removed them from specs. Nothing is written until that changes.",
    remedy: "Apply the CustomResourceDefinitions of this operator, then the objects again.",
  },
  FieldsPruned: {
    meaning:
      "The API server has removed fields of the spec that its author still owns, since the CustomResourceDefinition that was installed at the time did not have them. Nothing is written for the object until that changes.",
    remedy: "Apply the object again, with the CustomResourceDefinitions of this operator.",
  },
  UnsupportedField: {
    meaning:
      "The spec has a field, a union member or a value that this version of the operator does not support, as with a CustomResourceDefinition of a newer one. Nothing is written for the object until that changes.",
    remedy: "Upgrade the operator, or correct the spec.",
  },
  InvalidURL: {
    meaning: "The spec has a URL or a host that cannot be parsed.",
    remedy: "Use a host name such as mlflow.example.com and a port of at most 65535; the message names the field.",
  },
  ObjectTooLarge: {
    meaning: "The server, or an object that belongs to it, has more than 256 KiB, which the operator does not process.",
    remedy: "Make the spec smaller, or remove what others have added to the object; the message names it.",
  },
  ReferencesTooLarge: {
    meaning: "The Secrets and ConfigMaps that the spec names have more than 4 MiB together.",
    remedy: "Name smaller ones, or fewer; the message names the largest.",
  },
  InvalidCertificateAuthority: {
    meaning: "A certificate authority that the spec names is not PEM certificates.",
    remedy: "Write the certificates, from -----BEGIN CERTIFICATE----- on, as the message says.",
  },
  IssuerUnreachable: {
    meaning: "An issuer of tokens does not answer as one. New pods wait; those that run go on.",
    remedy: "Check the URL, DNS, network policies and the issuer; it is tried again by itself.",
    isAwaited: true,
  },
  IssuerUntrusted: {
    meaning: "An issuer's certificate is not trusted.",
    remedy: "Name its certificate authority in `spec.authentication.oauth2Proxy.ca` or `spec.authentication.oidc.ca`.",
  },
  IssuerMismatch: {
    meaning: "An issuer calls itself by another name, if only by a slash at the end.",
    remedy: "Write the name as the message quotes it.",
  },
  IssuerForbidden: {
    meaning: "An issuer does not tell its keys without a credential, as the API server does by default.",
    remedy: "Bind the ClusterRole `system:service-account-issuer-discovery` to the group `system:unauthenticated`.",
  },
  SessionStoreUnreachable: {
    meaning:
      "Redis, where sessions of browsers shall be kept, does not answer as one. New pods wait; those that run go on.",
    remedy: "Check the URL, DNS, network policies and Redis; it is tried again by itself.",
    isAwaited: true,
  },
  SessionStoreRefused: {
    meaning: "Redis does not take the user of the sessions, or is not trusted. New pods wait; those that run go on.",
    remedy:
      "Mend user, password, authority or URL in `spec.authentication.oauth2Proxy.session.redis`, as the message says.",
  },
  WorkspaceConsentMissing: {
    meaning:
      "What the server needs beyond its own namespace waits until a namespace says that it may have it as a workspace.",
    remedy: "Label the namespace as the message says; that takes rights on Namespace objects.",
    isAwaited: true,
  },
  WorkspacesReady: { meaning: "In all workspaces is what is granted there.", remedy: "" },
  WorkspaceNotServed: {
    meaning: "A grant is for a namespace that the server does not have as a workspace, though the namespace consents.",
    remedy: "Mend the reference to the server, or have `spec.workspaces.selector` of the server choose the namespace.",
    isAwaited: true,
  },
  GrantsContradict: {
    meaning: "Two servers give somebody different roles in one namespace; the older server's count.",
    remedy: "Grant the same role, or narrow `spec.workspaces.selector` of one of them.",
  },
  Granted: { meaning: "The grant of a MlflowWorkspaceAccess is in force.", remedy: "" },
  Expired: { meaning: "The time of the grant is over.", remedy: "Delete it, or set `spec.expiresAt` anew." },
  WorkspacesUnavailable: {
    meaning:
      "The operator works in some namespaces only, and has no right to give a server what reaches beyond its own.",
    remedy:
      "Install the operator for all namespaces, or leave out `spec.workspaces`, and use `accessReview: SelfSubjectAccessReview`.",
  },
  MeshEnforced: { meaning: "All that can be seen says that the mesh guards the server.", remedy: "" },
  MeshProgressing: { meaning: "The mesh is being set up, one step after the other.", remedy: "" },
  MeshHibernated: { meaning: "No pods run, so nothing shows that they are in the mesh.", remedy: "" },
  MeshNotConfigured: {
    meaning: "`spec.traces` names writers, and without a mesh nothing tells them apart.",
    remedy: "Add `spec.mesh`, or leave out `spec.traces`.",
  },
  IstioMissing: {
    meaning: "The cluster lacks kinds of Istio or the Gateway API. They are noticed when they come.",
    remedy: "Install Istio, for its ambient mode the Gateway API's definitions, too, or leave out `spec.mesh`.",
  },
  WaypointNotProgrammed: {
    meaning: "Istio has not set up the waypoint that the Gateway asks for.",
    remedy: "Check that istiod runs and that the GatewayClass `istio-waypoint` is accepted.",
  },
  WaypointWithoutAddress: { meaning: "The waypoint has no address.", remedy: "Look at the Gateway's conditions." },
  WaypointUnavailable: {
    meaning: "No pod of the waypoint is available, so nobody in the mesh gets through.",
    remedy: "Look at the waypoint's Deployment.",
  },
  WaypointIdentityUnexpected: {
    meaning: "The waypoint runs as another ServiceAccount than that of its name, which the lock would keep out.",
    remedy: "Take the annotations that rename it off the Gateway.",
  },
  TrustDomainUnexpected: {
    meaning:
      "The mesh has another trust domain than the spec says, so nobody would be known by the identity that policies name.",
    remedy: "Write the one that the message names as `mesh.istio.trustDomain`.",
  },
  MeshPolicyNotAccepted: {
    meaning: "Istio has not accepted an AuthorizationPolicy in its present form, or dropped a part of it.",
    remedy: "Look at the conditions of the policy.",
  },
  ServiceNotBound: {
    meaning: "Requests to the Service do not go through the waypoint yet.",
    remedy: "Look at the condition `istio.io/WaypointBound` of the Service.",
  },
  PodsNotEnrolled: {
    meaning: "A pod that is ready is not in the mesh, or in it by the other mode.",
    remedy: "Do what the message says: it names the pod, and what puts it into the mesh.",
  },
  OtherPolicyInTheWay: {
    meaning: "Another AuthorizationPolicy of the namespace lets requests through beside those of the server.",
    remedy: "Delete it, or target it elsewhere.",
  },
  OtherServiceInTheWay: {
    meaning: "Another Service leads to the server's pods; the lock cuts off who comes by it.",
    remedy: "Delete it, or change its selector.",
  },
  MeshNotEnforced: {
    meaning: "The operator is no writer of traces, and got an answer where the mesh should have refused it.",
    remedy:
      "Read the message: check that ztunnel or the sidecars enforce policies, and that the operator does not use its node's network.",
  },
  ReconcileFailed: {
    meaning:
      "A request of the operator to the API server has failed for some time, whatever its status code. The operator keeps trying.",
    remedy:
      "Read the message, which names the request, the object and the code. Check the API server and its admission webhooks.",
  },
  WatchFailed: {
    meaning:
      "The operator cannot watch a resource, so the status may be outdated, and changes are not noticed. `Ready` is Unknown until it can.",
    remedy:
      "Read the message: grant the operator's role the verbs `list` and `watch`, or repair the API server or what stands in front of it.",
  },
  MeshNotProbed: {
    meaning:
      "A request of the operator, which the mesh must deny, was neither denied nor answered. The listener for traces stays closed.",
    remedy: "Let the operator reach the server's pods and Service: check network policies and DNS.",
  },
  Exposed: { meaning: "By what the controllers report, clients outside are led to the server.", remedy: "" },
  RouteProgressing: {
    meaning: "The Ingress or HTTPRoute is written as soon as all pods are of this spec.",
    remedy: "",
  },
  GatewayApiMissing: {
    meaning: "The cluster lacks the kind HTTPRoute. It is noticed when it comes.",
    remedy: "Install the Gateway API's definitions and an implementation, or use `exposure.ingress`.",
  },
  AddressTaken: {
    meaning: "Another server has this host with this prefix already. What led to this server before still does.",
    remedy: "Use another host or prefix, or delete the other server.",
  },
  RouteNotAccepted: {
    meaning: "A Gateway does not take the HTTPRoute, or nobody has said anything of it.",
    remedy: "Read the message: whoever runs the Gateway decides which namespaces and hosts it takes.",
  },
  RouteNotResolved: {
    meaning: "The implementation of the Gateway API does not find the Service that the HTTPRoute leads to.",
    remedy: "Look at the conditions of the HTTPRoute.",
  },
  IngressWithoutAddress: {
    meaning: "No controller has given the Ingress an address; some never do.",
    remedy: "Check that a controller serves the class: `kubectl get ingressclasses`.",
  },
  ImageNotAllowed: {
    meaning: "An image of the spec is none of those that the operator's setting `--allowed-images` has.",
    remedy: "Name an allowed image, or have a cluster administrator add it to `allowedImages` in the chart's values.",
  },
  ReservedVariable: {
    meaning: "A source of `server.envFrom` sets a variable that only the operator may.",
    remedy: "Remove the key from the Secret or ConfigMap.",
  },
  NameConflict: {
    meaning: "An object of a name that the server needs belongs to somebody else; it is neither adopted nor deleted.",
    remedy: "Create the server under another name, or remove the object.",
  },
  Refused: {
    meaning: "The API server refuses what the operator writes: a quota, an admission webhook, a missing right.",
    remedy: "Read the message; the operator tries again by itself.",
  },
  ImagePullFailed: { meaning: "The image cannot be pulled.", remedy: "Check `spec.image` and its `pullSecrets`." },
  ContainerNotCreated: {
    meaning: "The container cannot be created.",
    remedy: "Read the message; often a Secret or its key is missing.",
  },
  CrashLooping: {
    meaning: "A container ends soon after its start, again and again.",
    remedy: "Read its log with the command in the message.",
  },
  OutOfMemory: {
    meaning: "A container was ended since it used more memory than it may.",
    remedy: "Raise the memory limit, or lower `server.workers`.",
  },
  Unschedulable: { meaning: "No node can run a pod.", remedy: "Add capacity, or change `spec.pod`." },
  PodsRefused: {
    meaning: "The API server does not let the pods be created.",
    remedy: "Read the message: a quota, Pod Security, a webhook.",
  },
  PodsNotCreated: {
    meaning: "The migration Job has no pod for a minute, and no event says why.",
    remedy: "Check that kube-controller-manager runs; describe the Job.",
  },
  PodNotStarting: {
    meaning:
      "A pod has a node but does not start: a volume or the network of the pod cannot be set up, or an init container does not end.",
    remedy: "Read the message, which quotes the event; describe the pod.",
  },
  PodNotTerminating: {
    meaning: "A pod that was deleted does not end, often since its node is lost.",
    remedy: "Check the node; if it is lost, delete the pod with `--force`.",
  },
  SidecarRunning: {
    meaning: "The migration is done, but an injected container keeps its Job from completing.",
    remedy: "Inject native sidecars, or turn the injection off by `spec.pod.annotations`.",
  },
  JobSuspended: {
    meaning: "The migration Job is suspended, by a user or by a queue such as Kueue.",
    remedy: "Have the queue admit it, or set `suspend: false` on the Job.",
  },
  RolloutPaused: {
    meaning: "The Deployment is paused, so pods of the new spec do not start.",
    remedy: "Run `kubectl rollout resume` with the Deployment of the message.",
  },
  RolloutStuck: {
    meaning: "No pod has become ready for ten minutes.",
    remedy: "Look at the pods with the command in the message.",
  },
} as const satisfies Record<string, ReasonRow>;

export type Reason = keyof typeof reasons;

/** Whether other controllers, or objects of the same release, may soon end what a reason stands for. */
export function isAwaited(reason: Reason): boolean {
  const row: ReasonRow = reasons[reason];
  return row.isAwaited === true;
}

export function isReason(text: string): text is Reason {
  return Object.hasOwn(reasons, text);
}
