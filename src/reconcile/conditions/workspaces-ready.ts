import { formerOf, type ServerCondition, unchanged } from "./condition.ts";

/** After a restart the previous condition of this generation stays until all workspaces have been checked. */
export const workspacesReady: ServerCondition = {
  type: "WorkspacesReady",
  meaning: "With `spec.workspaces`: all grants are in force in all namespaces that the server selects or names.",
  isOf: ({ workspaces }) => workspaces !== undefined,
  state: ({ server: { metadata }, workspaces, before }) => {
    const found = formerOf(before, "WorkspacesReady");
    const former = found?.observedGeneration === (metadata.generation ?? 0) ? found : undefined;
    if (workspaces !== undefined && !(workspaces.isPartial && former !== undefined)) return workspaces.condition;
    if (former !== undefined) return unchanged(former);
    return { status: "Unknown", reason: "Progressing", message: "The namespaces have not been checked yet" };
  },
};
