import type { KubeObject } from "../kube/object.ts";

/**
 * Paths in the spec of one of our resources that a manager owns, though the spec does not have them. The API server keeps both
 * in step, but for what it takes away on reading since the CustomResourceDefinition does not have it: `metadata.managedFields`
 * still names such a field, also after a later write has lost it for good.
 */
export function prunedFields(object: KubeObject): string[] {
  if (object.kind !== "MlflowServer" && object.kind !== "MlflowWorkspaceAccess") return [];
  const spec = "spec" in object ? object.spec : undefined;
  const found = (object.metadata.managedFields ?? []).flatMap((entry) => {
    const fields = "fieldsV1" in entry ? entry.fieldsV1 : undefined;
    return isRecord(fields) && isRecord(fields["f:spec"]) ? lost(fields["f:spec"], spec, "spec") : [];
  });
  return [...new Set(found)].sort();
}

/** Items of lists are left out: what is lost of them is a field of theirs, and the list stays. */
function lost(fields: Record<string, unknown>, value: unknown, path: string): string[] {
  if (!isRecord(value)) return [];
  return Object.entries(fields).flatMap(([step, below]) => {
    if (!step.startsWith("f:")) return [];
    const name = step.slice(2);
    if (!Object.hasOwn(value, name)) return [`${path}.${name}`];
    return isRecord(below) ? lost(below, value[name], `${path}.${name}`) : [];
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
