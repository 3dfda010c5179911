import { type CustomResourceDefinition, definitionOf, type PrinterColumn } from "./custom-resource-definition.ts";
import { resourceSchema } from "./resource-schema.ts";

const columns: readonly PrinterColumn[] = [
  {
    name: "Ready",
    type: "string",
    jsonPath: '.status.conditions[?(@.type=="Ready")].status',
    description: "Whether the server runs as specified.",
  },
  {
    name: "Version",
    type: "string",
    jsonPath: ".status.version",
    description: "The version of MLflow that runs.",
  },
  { name: "URL", type: "string", jsonPath: ".status.url", description: "Where clients in the cluster find it." },
  { name: "Replicas", type: "integer", jsonPath: ".status.readyReplicas", description: "Pods that are ready." },
  { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp", description: "Time since its creation." },
  {
    name: "Auth",
    type: "string",
    jsonPath: ".status.authentication",
    description: "Who is let in.",
    priority: 1,
  },
  {
    name: "Reason",
    type: "string",
    jsonPath: '.status.conditions[?(@.type=="Ready")].reason',
    description: "Why it is ready or not.",
    priority: 1,
  },
  {
    name: "External-URL",
    type: "string",
    jsonPath: ".status.externalUrl",
    description: "Where clients outside find it.",
    priority: 1,
  },
];

/** The CustomResourceDefinition of MlflowServer. */
export function serverDefinition(): CustomResourceDefinition {
  return definitionOf({
    kind: "MlflowServer",
    plural: "mlflowservers",
    shortName: "mlf",
    columns,
    schema: resourceSchema(),
    subresources: {
      scale: {
        specReplicasPath: ".spec.replicas",
        statusReplicasPath: ".status.replicas",
        labelSelectorPath: ".status.selector",
      },
    },
  });
}
