import { z } from "zod";
import { conditionList, observedGeneration, observedGenerationTime } from "./condition-list.ts";

const migrationRecord = z
  .strictObject({
    job: z.string().max(253).meta({ description: "Name of the last migration Job that was created for the server." }),
    version: z.string().max(64).meta({ description: "The version of MLflow that it migrates to." }),
    database: z.string().max(64).meta({ description: "Identity of its databases and their volume, as a hash." }),
    phase: z.enum(["Started", "Complete"]).meta({
      description:
        "Started: the Job has been created and may have changed the databases. Complete: the databases have the schema of the version.",
    }),
    attempt: z.string().max(64).meta({ description: "Tells the Job from earlier Jobs of its name." }),
    startTime: z.string().meta({ description: "When the Job was last created.", format: "date-time" }),
    proof: z
      .strictObject({
        job: z.string().max(253).meta({ description: "Name of its Job." }),
        version: z.string().max(64).meta({ description: "Its version of MLflow." }),
        database: z.string().max(64).meta({ description: "Identity of its databases, as a hash." }),
        attempt: z.string().max(64).meta({ description: "Tells its Job from others of its name." }),
      })
      .meta({
        description:
          "With phase Started: the completed migration before it, which counts again if the Job is deleted before its program has run.",
      })
      .exactOptional(),
  })
  .meta({
    description:
      "The last migration of the databases. The operator checks the databases again where it is absent, so it can be removed safely.",
  });

/** What is recorded of the last migration: it outlives the Job. */
export type MigrationRecord = z.infer<typeof migrationRecord>;

const count = (description: string) => z.int().min(0).max(2147483647).meta({ description, format: "int32" });

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
      .array(z.string().max(512).meta({ description: "A host, and the prefix behind it." }))
      .max(64)
      .meta({
        "x-kubernetes-list-type": "set",
        description:
          "Hosts, each with the prefix behind it, that lead to this server or are kept for it: no other server is led to from them.",
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
      .meta({ description: "The kind of the artifact store: PersistentVolume or S3." })
      .exactOptional(),
    version: z
      .string()
      .max(64)
      .meta({ description: "The version of MLflow that the database schema and the pods are at." })
      .exactOptional(),
    migration: migrationRecord.exactOptional(),
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
      .meta({ description: "The Secret with the name and the first password of the administrator." })
      .exactOptional(),
    replicas: count("Number of pods that there are.").exactOptional(),
    readyReplicas: count("Number of pods that are ready.").exactOptional(),
    workspaces: z
      .strictObject({
        ready: count("Namespaces that have what is granted in them."),
        total: count("Namespaces that are workspaces of the server, or are named by a grant of it."),
      })
      .meta({ description: "How many namespaces are workspaces." })
      .exactOptional(),
    selector: z
      .string()
      .max(1024)
      .meta({ description: "Label selector of the pods, as autoscalers read it." })
      .exactOptional(),
  })
  .meta({ description: "What is the case. Written by the operator." });

export type MlflowServerStatus = z.infer<typeof mlflowServerStatus>;
