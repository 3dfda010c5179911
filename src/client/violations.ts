import type { MlflowServer } from "../api/server.ts";
import type { KnownKind } from "../api/unsupported-fields.ts";
import type { MlflowWorkspaceAccess } from "../api/workspace-access.ts";

/** Cached by spec, which is never mutated. */
const checked = new WeakMap<object, readonly string[]>();

/**
 * Returns the violations of the operator's own CustomResourceDefinition in a spec, including CEL rules. Only for specs that another
 * definition has admitted: zod and the CEL interpreter are imported only then.
 */
export async function violations(
  kind: KnownKind,
  { metadata, spec }: Pick<MlflowServer | MlflowWorkspaceAccess, "metadata" | "spec">,
): Promise<readonly string[]> {
  const before = checked.get(spec);
  if (before !== undefined) return before;
  const { validate, validateAccess } = await import("../api/validation.ts");
  const { apiVersion } = await import("../api/server.ts");
  const document = { apiVersion, kind, metadata: { name: metadata.name }, spec };
  const result = kind === "MlflowServer" ? validate(document) : validateAccess(document);
  const found = "problems" in result ? result.problems.map((problem) => problem.slice(0, 200)) : [];
  checked.set(spec, found);
  return found;
}
