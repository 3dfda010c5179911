import { z } from "zod";
import { conditionList, observedGeneration, observedGenerationTime } from "./condition-list.ts";
import { unsecuredReasons } from "./event-reasons.ts";

const migrationRecord = z
  .strictObject({
    job: z.string().max(253).meta({ description: "Name of the last migration Job of the server." }),
    version: z.string().max(64).meta({ description: "The version of MLflow that it migrates to." }),
    database: z.string().max(64).meta({ description: "Identity of its databases and their volume, as a hash." }),
    phase: z.enum(["Started", "Complete"]).meta({
      description:
        "Started: the Job may have been created and may have changed the databases. Complete: the databases have the schema of the version.",
    }),
    attempt: z.string().max(64).meta({ description: "Distinguishes the Job from earlier Jobs with the same name." }),
    startTime: z
      .string()
      .meta({ description: "Time at which the Job was last created. Absent until then.", format: "date-time" })
      .exactOptional(),
    previous: z
      .strictObject({
        job: z.string().max(253).meta({ description: "Name of the migration Job." }),
        version: z.string().max(64).meta({ description: "Its version of MLflow." }),
        database: z.string().max(64).meta({ description: "Identity of its databases, as a hash." }),
        attempt: z.string().max(64).meta({ description: "Distinguishes its Job from others with the same name." }),
      })
      .meta({
        description:
          "With phase Started: the completed migration before it, which is valid again if the Job is deleted before its program has run.",
      })
      .exactOptional(),
  })
  .meta({
    description:
      "The last migration of the databases. It can be removed safely: the operator then checks the databases again.",
  });

/** The record of the last migration. It is kept when the Job is deleted. */
export type MigrationRecord = z.infer<typeof migrationRecord>;

const rolloutRecord = z
  .strictObject({
    revision: z.string().max(64).meta({
      description: "Revision of the Deployment, as in `kubectl rollout history`. Example: 3.",
    }),
    phase: z.enum(["Started", "Complete"]).meta({
      description: "Started: pods are being replaced. Complete: all pods had this revision and were ready.",
    }),
  })
  .meta({ description: "The last rollout of the pods. Absent until the Deployment has a revision." });

/** The last rollout of the pods, by the revision of the Deployment. */
export type RolloutRecord = z.infer<typeof rolloutRecord>;

const upgradeRecord = z
  .strictObject({
    phase: z
      .enum(["Preflight", "Waiting", "StoppingWriters", "BackingUp", "Migrating", "RollingOut"])
      .meta({ description: "The step in progress." }),
    from: z.string().max(512).meta({ description: "Previous version, or image." }),
    to: z.string().max(512).meta({ description: "New version, or image." }),
    since: z.string().meta({ description: "Start of the phase.", format: "date-time" }),
    waitingFor: z.string().max(512).meta({ description: "What the phase waits for." }).exactOptional(),
    preflight: z.string().max(253).meta({ description: "Job whose checks passed." }).exactOptional(),
    approval: z.string().max(128).meta({ description: "Value of approve-upgrade that approves it." }).exactOptional(),
  })
  .meta({ description: "The change of the version or image in progress." });

/** The change of the version or the image that is in progress. */
export type UpgradeRecord = z.infer<typeof upgradeRecord>;

const rotationRecord = z
  .strictObject({
    name: z
      .enum(["session", "cookie", "encryption-key", "webhook-key", "admin-password", "references"])
      .meta({ description: "The credential; references: Secrets and ConfigMaps of the spec." }),
    phase: z.enum(["Preparing", "Switching", "Renewing", "Removing", "Completed"]).meta({ description: "The step." }),
    request: z.string().max(63).meta({ description: "Token of the annotation." }).exactOptional(),
    startedAt: z.string().meta({ description: "Start.", format: "date-time" }).exactOptional(),
    completedAt: z.string().meta({ description: "End.", format: "date-time" }).exactOptional(),
    content: z.string().max(64).meta({ description: "Keyed hash of what it is compared with." }).exactOptional(),
  })
  .meta({ description: "The last rotation of a credential." });

/** The last rotation of a credential. */
export type RotationRecord = z.infer<typeof rotationRecord>;

const number = (description: string) => z.int().min(0).max(1e12).meta({ description }).exactOptional();

const restoreRecord = z
  .strictObject({
    backup: z.string().max(253).meta({ description: "Name of the MlflowBackup." }),
    location: z.string().max(2048).meta({ description: "Where the backup is." }),
    time: z.string().meta({ description: "End of the restore.", format: "date-time" }),
    experiments: number("Experiments."),
    runs: number("Runs."),
    registeredModels: number("Registered models."),
    users: number("Users."),
    credentials: number("Encrypted credentials."),
    unreadableCredentials: number("Those that the keys do not decrypt."),
  })
  .meta({ description: "What spec.restore restored, with numbers of rows." });

/** What a server was restored from. */
export type RestoreRecord = z.infer<typeof restoreRecord>;

const count = (description: string) => z.int().min(0).max(2147483647).meta({ description, format: "int32" });

const time = (description: string) => z.string().meta({ description, format: "date-time" });

/** What the operator reports. */
export const mlflowServerStatus = z
  .strictObject({
    observedGeneration: observedGeneration.exactOptional(),
    observedGenerationTime: observedGenerationTime.exactOptional(),
    conditions: conditionList("Ready").exactOptional(),
    url: z
      .string()
      .max(2048)
      .meta({ description: "The URL of the server: externalURL, or without one serviceURL." })
      .exactOptional(),
    serviceURL: z
      .string()
      .max(2048)
      .meta({ description: "The URL of the server for clients in the cluster. Example: http://mlflow.team-a:5000." })
      .exactOptional(),
    externalURL: z
      .string()
      .max(256)
      .meta({ description: "The URL of the server for clients outside the cluster." })
      .exactOptional(),
    addresses: z
      .array(
        z.string().max(512).meta({ description: "A host followed by its prefix. Example: mlflow.example.com/team-a." }),
      )
      .max(64)
      .meta({
        "x-kubernetes-list-type": "set",
        description:
          "Hosts, each followed by its prefix, that are routed to this server or reserved for it. The operator routes them to no other server.",
      })
      .exactOptional(),
    operator: z
      .string()
      .max(317)
      .meta({
        description:
          "The operator that manages this server, by namespace and name of its Lease. Another one changes nothing. Example: mlflow-operator/mlflow-operator.",
      })
      .exactOptional(),
    backendStore: z
      .string()
      .max(64)
      .meta({ description: "The kind of the backend store: SQLite, PostgreSQL or URI." })
      .exactOptional(),
    artifactStore: z
      .string()
      .max(64)
      .meta({ description: "The kind of the artifact store: PersistentVolume, S3, GCS or AzureBlob." })
      .exactOptional(),
    version: z
      .string()
      .max(64)
      .meta({ description: "The version of MLflow that the database schema and the pods have." })
      .exactOptional(),
    migration: migrationRecord.exactOptional(),
    rollout: rolloutRecord.exactOptional(),
    upgrade: upgradeRecord.exactOptional(),
    restore: restoreRecord.exactOptional(),
    endpointProblem: z
      .enum(unsecuredReasons)
      .meta({ description: "Why clients could use the endpoint, until `EndpointSecured` is True." })
      .exactOptional(),
    authentication: z
      .string()
      .max(64)
      .meta({
        description:
          "The authentication method: Basic (users with passwords), LDAP (users of a directory), OIDC (users of an OpenID Connect issuer), Kubernetes (bearer tokens of the API server), OAuth2Proxy (every user that oauth2-proxy accepts), OAuth2Proxy+Kubernetes (those to whom Kubernetes RBAC grants access) or None.",
      })
      .exactOptional(),
    adminCredentialsSecretRef: z
      .strictObject({ name: z.string().max(253).meta({ description: "Name of the Secret." }) })
      .meta({ description: "The Secret with the name and password of the administrator." })
      .exactOptional(),
    replicas: count("Number of pods.").exactOptional(),
    readyReplicas: count("Number of ready pods.").exactOptional(),
    workspaces: z
      .strictObject({
        ready: count("Number of namespaces in which all grants are in force."),
        total: count("Number of namespaces that are workspaces of the server or are named in one of its grants."),
      })
      .meta({ description: "Number of namespaces that are workspaces." })
      .exactOptional(),
    rotations: z
      .array(rotationRecord)
      .max(8)
      .meta({
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
        description: "The last rotation of each credential.",
      })
      .exactOptional(),
    garbageCollection: z
      .strictObject({
        lastScheduleTime: time("Start of the last Job.").exactOptional(),
        lastSuccessfulTime: time("End of the last Job that succeeded.").exactOptional(),
        deletedRuns: count("Runs that the last Job deleted, or counted.").exactOptional(),
      })
      .meta({ description: "The last garbage collection." })
      .exactOptional(),
    selector: z
      .string()
      .max(1024)
      .meta({ description: "Label selector of the pods, for autoscalers." })
      .exactOptional(),
  })
  .meta({ description: "Observed state. Set by the operator." });

export type MlflowServerStatus = z.infer<typeof mlflowServerStatus>;
