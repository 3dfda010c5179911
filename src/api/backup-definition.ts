import { backupSchema } from "./backup.ts";
import { type CustomResourceDefinition, definitionOf, type PrinterColumn } from "./custom-resource-definition.ts";

const columns: readonly PrinterColumn[] = [
  { name: "Server", type: "string", jsonPath: ".spec.serverRef.name", description: "The MlflowServer." },
  { name: "Phase", type: "string", jsonPath: ".status.phase", description: "The phase of the backup." },
  { name: "Size", type: "string", jsonPath: ".status.size", description: "Size of all files." },
  { name: "Duration", type: "string", jsonPath: ".status.duration", description: "How long the backup took." },
  { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp", description: "Time since creation." },
  {
    name: "Reason",
    type: "string",
    jsonPath: '.status.conditions[?(@.type=="Ready")].reason',
    description: "The reason of the condition Ready.",
    priority: 1,
  },
  {
    name: "Location",
    type: "string",
    jsonPath: ".status.location",
    description: "Where the backup is.",
    priority: 1,
  },
];

/** The CustomResourceDefinition of MlflowBackup. */
export function backupDefinition(): CustomResourceDefinition {
  return definitionOf({
    kind: "MlflowBackup",
    plural: "mlflowbackups",
    shortName: "mlfb",
    columns,
    schema: backupSchema(),
  });
}
