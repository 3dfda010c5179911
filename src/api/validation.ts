import { z } from "zod";
import { resourceSchema } from "./resource-schema.ts";
import { ruleProblems } from "./rule-problems.ts";
import { apiVersion, type MlflowServer } from "./server.ts";
import { mlflowServerSpec } from "./spec.ts";
import type { StructuralSchema } from "./structural-schema.ts";
import { isObject, structureProblems, withoutNulls } from "./structure.ts";
import type { MlflowWorkspaceAccess } from "./workspace-access.ts";
import { workspaceAccessSchema } from "./workspace-access-schema.ts";
import { mlflowWorkspaceAccessSpec } from "./workspace-access-spec.ts";

/** The problems for which the API server would reject a document. */
interface Rejection {
  readonly problems: readonly string[];
}

/** A document that the API server would accept, or the problems for which it would reject it. */
export type Validation = { readonly server: MlflowServer } | Rejection;

/** The same for a MlflowWorkspaceAccess. */
export type AccessValidation = { readonly access: MlflowWorkspaceAccess } | Rejection;

const texts = z.record(z.string(), z.string("must be text: put the value in quotes"));

function identity<K extends string>(kind: K, noun: string) {
  const name = `Required value: name the ${noun}`;
  return z.object({
    apiVersion: z.literal(apiVersion, `must be ${apiVersion}`),
    kind: z.literal(kind, `must be ${kind}`),
    metadata: z.object(
      {
        name: z.string(name).min(1, name),
        namespace: z.string("must be text").exactOptional(),
        labels: texts.exactOptional(),
        annotations: texts.exactOptional(),
      },
      name,
    ),
  });
}

const serverIdentity = identity("MlflowServer", "server");
const accessIdentity = identity("MlflowWorkspaceAccess", "access");
const serverSchema = resourceSchema();
const accessSchema = workspaceAccessSchema();

/**
 * Validates a document without a cluster, as the API server would validate its creation: the structure first, then,
 * if that is valid, the CEL rules of the CRD, with the same messages. Defaults are filled in, a status is ignored. Loads zod
 * and a CEL interpreter: import it only where it is needed.
 */
export function validate(given: unknown): Validation {
  const document = withoutNulls(given);
  const parsed = serverIdentity.safeParse(document);
  const problems = problemsOf(document, parsed, serverSchema);
  if (problems.length > 0 || !parsed.success || !isObject(document)) return { problems };
  return { server: { ...parsed.data, spec: mlflowServerSpec.parse(document["spec"]) } };
}

/** {@link validate} for a MlflowWorkspaceAccess. */
export function validateAccess(given: unknown): AccessValidation {
  const document = withoutNulls(given);
  const parsed = accessIdentity.safeParse(document);
  const problems = problemsOf(document, parsed, accessSchema);
  if (problems.length > 0 || !parsed.success || !isObject(document)) return { problems };
  return { access: { ...parsed.data, spec: mlflowWorkspaceAccessSpec.parse(document["spec"]) } };
}

function problemsOf(
  document: unknown,
  parsed: z.ZodSafeParseResult<{ metadata: { name: string } }>,
  schema: StructuralSchema,
): string[] {
  if (!parsed.success || !isObject(document)) {
    const issues = parsed.error?.issues ?? [];
    return issues.map(({ path, message }) => `${path.length > 0 ? path.join(".") : "document"}: ${message}`);
  }
  const { status: _, ...rest } = document;
  const desired = { ...rest, metadata: { name: parsed.data.metadata.name } };
  const structure = structureProblems(schema, desired, "");
  const isValid = structure.every(({ blocking }) => !blocking);
  const problems = [...structure, ...(isValid ? ruleProblems(schema, desired, "") : [])];
  return problems.map(({ field, body }) => (field === "" ? body : `${field}: ${body}`));
}
