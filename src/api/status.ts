import { z } from "zod";
import type { Condition } from "../kube/conditions.ts";

/** metav1.Condition, with its constraints. `observedGeneration` is required here, since the operator always sets it. */
const condition: z.ZodType<Condition> = z
  .strictObject({
    type: z
      .string()
      .max(316)
      .meta({ description: "What is said something of: Ready, Reconciling, Stalled, DatabaseReady or Available." }),
    status: z.enum(["True", "False", "Unknown"]).meta({ description: "Whether it holds." }),
    reason: z
      .string()
      .min(1)
      .max(1024)
      .regex(/^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/)
      .meta({ description: "Why, as one word; the table of reasons says what to do." }),
    message: z.string().max(32768).meta({ description: "Why, as a sentence, with the remedy." }),
    observedGeneration: z
      .int()
      .min(0)
      .max(Number.MAX_SAFE_INTEGER)
      .meta({ description: "The metadata.generation of the spec that this was said of.", format: "int64" }),
    lastTransitionTime: z.string().meta({ description: "When status last changed.", format: "date-time" }),
  })
  .meta({ description: "A condition (metav1.Condition)." });

const count = (description: string) => z.int().min(0).max(2147483647).meta({ description, format: "int32" });

/** What the operator reports. */
export const mlflowServerStatus = z
  .strictObject({
    observedGeneration: z
      .int()
      .min(0)
      .max(Number.MAX_SAFE_INTEGER)
      .meta({ description: "The metadata.generation of the spec that the status speaks of.", format: "int64" })
      .exactOptional(),
    conditions: z
      .array(condition)
      .max(32)
      .meta({
        description: "What holds and what does not. Wait for Ready.",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
      })
      .exactOptional(),
    url: z.string().max(2048).meta({ description: "Where clients in the cluster find the server." }).exactOptional(),
    externalUrl: z
      .string()
      .max(256)
      .meta({ description: "Where clients outside the cluster find the server." })
      .exactOptional(),
    version: z
      .string()
      .max(64)
      .meta({ description: "The version of MLflow that the database schema and the pods are at." })
      .exactOptional(),
    authentication: z
      .string()
      .max(64)
      .meta({
        description:
          "Who is let in: Basic (users with passwords), LDAP (users of a directory), OIDC (users of an OpenID Connect issuer), Kubernetes (tokens that the API server accepts), Proxy (whom the proxy lets in; Proxy+Kubernetes: and Kubernetes allows it), or Disabled (everybody).",
      })
      .exactOptional(),
    adminSecret: z
      .string()
      .max(253)
      .meta({ description: "Name of the Secret with the name and first password of the administrator." })
      .exactOptional(),
    replicas: count("Number of pods that there are.").exactOptional(),
    readyReplicas: count("Number of pods that are ready.").exactOptional(),
    selector: z
      .string()
      .max(1024)
      .meta({ description: "Label selector of the pods, as autoscalers read it." })
      .exactOptional(),
  })
  .meta({ description: "What is the case. Written by the operator." });

export type MlflowServerStatus = z.infer<typeof mlflowServerStatus>;
