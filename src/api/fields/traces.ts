import { z } from "zod";
import { demanded } from "./rule.ts";
import { objectName, text } from "./text.ts";

const writer = z
  .strictObject({
    namespace: text("Namespace of the workload. Example: agents.", 63, {
      rule: "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
      message: "must be the name of one namespace, such as agents: each writer is named exactly, without *",
    }).meta(demanded("write the namespace of the writer, such as namespace: agents")),
    serviceAccount: objectName("ServiceAccount of the workload's pods. Example: otel-collector.").meta(
      demanded("write the ServiceAccount of the writer's pods, such as serviceAccount: otel-collector"),
    ),
  })
  .meta({ description: "A workload, by the ServiceAccount that its pods run as." });

/** Who may write traces. */
export const traces = z
  .strictObject({
    writers: z
      .array(writer)
      .max(64)
      .meta({
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["namespace", "serviceAccount"],
        description:
          "The only workloads that may POST to /v1/traces and below it, in the mesh and with a credential of the server's authentication. [] means nobody.",
        ...demanded("write who may write traces, or writers: [] for nobody"),
      }),
    identity: z
      .enum(["Application", "Mesh"])
      .meta({
        description:
          "Application (default): a writer also needs a credential of the server's authentication, and MLflow decides what it may write. Mesh: besides that, writers need no credential at a listener of its own, <name>-traces:4318, where they may write to any experiment; it is there only while MeshReady is proved. It needs mesh, and a database that several pods can use.",
      })
      .optional(),
  })
  .meta({
    description:
      "Who may write traces by OpenTelemetry. Only a mesh can tell writers apart; without one MeshReady says what that means. Default: /v1/traces is guarded by the server's authentication, like any other path.",
  });
