import { type CustomResourceDefinition, definitionOf, type PrinterColumn } from "./custom-resource-definition.ts";
import { workspaceAccessSchema } from "./workspace-access.ts";

const columns: readonly PrinterColumn[] = [
  {
    name: "Ready",
    type: "string",
    jsonPath: '.status.conditions[?(@.type=="Ready")].status',
    description: "Whether the grant is in force.",
  },
  { name: "Role", type: "string", jsonPath: ".spec.role", description: "The role that is granted." },
  { name: "Server", type: "string", jsonPath: ".spec.serverRef.name", description: "The MlflowServer." },
  { name: "Expires", type: "string", jsonPath: ".spec.expiresAt", description: "Time at which the grant expires." },
  { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp", description: "Time since creation." },
  {
    name: "Server-Namespace",
    type: "string",
    jsonPath: ".spec.serverRef.namespace",
    description: "The namespace of the MlflowServer.",
    priority: 1,
  },
  {
    name: "Reason",
    type: "string",
    jsonPath: '.status.conditions[?(@.type=="Ready")].reason',
    description: "The reason of the condition Ready.",
    priority: 1,
  },
];

/** The CustomResourceDefinition of MlflowWorkspaceAccess. */
export function workspaceAccessDefinition(): CustomResourceDefinition {
  return definitionOf({
    kind: "MlflowWorkspaceAccess",
    plural: "mlflowworkspaceaccesses",
    shortName: "mlfa",
    columns,
    schema: workspaceAccessSchema(),
  });
}
