import type { WorkspaceRole } from "../../src/kube/workspace-roles.ts";

/** The result of an operation in the client. A search without permission finds nothing, which is not an error. */
type Outcome = "done" | "denied" | "nothing";

/** Operations for which the plugin checks the same permission as for a trace, without reads of the client before. */
const ofTraceWriters = [
  "tag an experiment",
  "rename an experiment",
  "create a run",
  "log a metric",
  "log a parameter",
  "log a batch",
  "tag a run",
  "delete a tag of a run",
  "delete a run",
  "create a logged model",
  "tag a logged model",
  "finish a logged model",
  "delete a logged model",
  "write a trace",
  "tag a trace",
  "assess a trace",
  "delete an assessment",
  "delete a trace",
  "register a scorer",
  "delete a scorer",
];

/** The least role for each operation of `workspace-roles.py`; higher roles have it too. */
const least: Readonly<Record<"Viewer" | "Editor" | "Admin", readonly string[]>> = {
  Viewer: [
    "see the workspace",
    "read an experiment",
    "find experiments",
    "read a run",
    "find runs",
    "read the history of a metric",
    "list artifacts",
    "download an artifact",
    "read a logged model",
    "find logged models",
    "read a trace",
    "find traces",
    "read an assessment",
    "list scorers",
    "read a dataset",
    "find datasets",
    "read a model",
    "find models",
    "find versions",
    "read a version by its alias",
    "read a prompt",
    "find prompts",
    "list webhooks",
    "read an MCP server",
    "find MCP servers",
    "list endpoints of the gateway",
    "list model definitions of the gateway",
  ],
  Editor: [
    ...ofTraceWriters,
    "create an experiment",
    "upload an artifact",
    "create a dataset",
    "tag a dataset",
    "add records to a dataset",
    "create a model",
    "tag a model",
    "create a version",
    "delete a version",
    "set an alias",
    "delete an alias",
    "register a prompt",
    "create a webhook",
    "delete a webhook",
    "create an MCP server",
  ],
  Admin: [
    "delete an experiment",
    "delete a dataset",
    "delete a model",
    "delete an MCP server",
    "list secrets of the gateway",
    "create a secret of the gateway",
    "create a model definition of the gateway",
    "create an endpoint of the gateway",
    "bind an endpoint of the gateway",
    "delete an endpoint of the gateway",
  ],
};

/** Searches of the whole workspace; searches of one experiment are denied. */
const searches = [
  "see the workspace",
  "find experiments",
  "find datasets",
  "find models",
  "find versions",
  "find prompts",
  "find MCP servers",
];

const allowed: Readonly<Record<WorkspaceRole | "none", readonly string[]>> = {
  none: [],
  TraceWriter: ofTraceWriters,
  Viewer: least.Viewer,
  Editor: [...least.Viewer, ...least.Editor],
  Admin: [...least.Viewer, ...least.Editor, ...least.Admin],
};

/** Returns the expected result of each operation. */
export function expectedOutcomes(role: WorkspaceRole | "none"): Readonly<Record<string, Outcome>> {
  const denied = (operation: string) => (searches.includes(operation) ? "nothing" : "denied");
  return Object.fromEntries(allowed.Admin.map((each) => [each, allowed[role].includes(each) ? "done" : denied(each)]));
}
