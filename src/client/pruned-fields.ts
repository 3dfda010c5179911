import type { KubeObject } from "../kube/object.ts";

/**
 * Returns paths in the spec of an MlflowServer or MlflowWorkspaceAccess that a field manager owns but the spec does not have. The API server
 * prunes fields on reading that the CustomResourceDefinition does not have, while `metadata.managedFields`
 * still lists them, even after a later write has removed them.
 */
export function prunedFields(object: KubeObject): string[] {
  if (object.kind !== "MlflowServer" && object.kind !== "MlflowWorkspaceAccess") return [];
  const spec = "spec" in object ? object.spec : undefined;
  const found = (object.metadata.managedFields ?? []).flatMap((entry) => {
    const fields = "fieldsV1" in entry ? entry.fieldsV1 : undefined;
    return isRecord(fields) && isRecord(fields["f:spec"]) ? pruned(fields["f:spec"], spec, "spec") : [];
  });
  return [...new Set(found)].sort();
}

/** Items of lists are skipped: pruning removes fields of an item, not the list. */
function pruned(fields: Record<string, unknown>, value: unknown, path: string): string[] {
  if (!isRecord(value)) return [];
  return Object.entries(fields).flatMap(([step, below]) => {
    if (!step.startsWith("f:")) return [];
    const name = step.slice(2);
    if (!Object.hasOwn(value, name)) return [`${path}.${name}`];
    return isRecord(below) ? pruned(below, value[name], `${path}.${name}`) : [];
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
