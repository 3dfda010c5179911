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
    name: "Reason",
    type: "string",
    jsonPath: '.status.conditions[?(@.type=="Ready")].reason',
    description: "The reason of the condition Ready.",
  },
  {
    name: "Version",
    type: "string",
    jsonPath: ".status.version",
    description: "The version of MLflow that runs.",
  },
  { name: "Replicas", type: "integer", jsonPath: ".status.readyReplicas", description: "Pods that are ready." },
  {
    name: "URL",
    type: "string",
    jsonPath: ".status.url",
    description: "The URL of the server: the external URL, or without one that of the Service.",
  },
  { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp", description: "Time since creation." },
  {
    name: "Auth",
    type: "string",
    jsonPath: ".status.authentication",
    description: "The authentication method.",
    priority: 1,
  },
  {
    name: "Database",
    type: "string",
    jsonPath: ".status.backendStore",
    description: "The kind of the backend store.",
    priority: 1,
  },
  {
    name: "Artifacts",
    type: "string",
    jsonPath: ".status.artifactStore",
    description: "The kind of the artifact store.",
    priority: 1,
  },
  {
    name: "External-URL",
    type: "string",
    jsonPath: ".status.externalURL",
    description: "The URL of the server outside the cluster.",
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
