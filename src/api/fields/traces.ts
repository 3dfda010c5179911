import { z } from "zod";
import { requiredRemedy } from "./rule.ts";
import { objectName, plainText } from "./text.ts";

const writer = z
  .strictObject({
    namespace: plainText("Namespace of the workload. Example: agents.", 63, {
      rule: "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
      message: "must be the name of one namespace, such as agents, without wildcards: write an entry for each writer",
    }).meta(requiredRemedy("write the namespace of the writer, such as namespace: agents")),
    serviceAccount: objectName("ServiceAccount of the workload's pods. Example: otel-collector.").meta(
      requiredRemedy("write the ServiceAccount of the writer's pods, such as serviceAccount: otel-collector"),
    ),
  })
  .meta({
    description:
      "A workload, identified by the ServiceAccount of its pods. Example: {namespace: agents, serviceAccount: otel-collector}.",
  });

/** The workloads that can write traces. */
export const traces = z
  .strictObject({
    writers: z
      .array(writer)
      .max(64)
      .meta({
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["namespace", "serviceAccount"],
        description:
          "The only workloads that can POST to /v1/traces and its subpaths, in the mesh and with credentials of the server's authentication. [] allows none. Example: [{namespace: agents, serviceAccount: otel-collector}].",
        ...requiredRemedy("write the workloads that can write traces, or writers: [] for none"),
      }),
    identity: z
      .enum(["Application", "Mesh"])
      .meta({
        description:
          "Application (default): a writer also needs credentials of the server's authentication, and MLflow decides where it can write. Mesh: writers can also use the listener <name>-traces:4318 without credentials, and write to any experiment; it exists only while MeshReady is True. It requires mesh, and a database that several pods can share. Example: Mesh.",
      })
      .optional(),
  })
  .meta({
    description:
      "Workloads that can write OpenTelemetry traces. Only a mesh can distinguish them; without one MeshReady is False. Default: /v1/traces requires the server's authentication, like all other paths. Example: {writers: [{namespace: agents, serviceAccount: otel-collector}]}.",
  });
