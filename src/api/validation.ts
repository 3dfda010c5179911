import { z } from "zod";
import { resourceSchema } from "./resource-schema.ts";
import { ruleProblems } from "./rule-problems.ts";
import { apiVersion, type MlflowServer } from "./server.ts";
import { mlflowServerSpec } from "./spec.ts";
import { isObject, structureProblems, withoutNulls } from "./structure.ts";

/** A document that the API server would take, or all that it would say against it. */
export type Validation = { readonly server: MlflowServer } | { readonly problems: readonly string[] };

const texts = z.record(z.string(), z.string("must be text: put the value in quotes"));

const identity = z.object({
  apiVersion: z.literal(apiVersion, `must be ${apiVersion}`),
  kind: z.literal("MlflowServer", "must be MlflowServer"),
  metadata: z.object(
    {
      name: z.string("Required value: name the server").min(1, "Required value: name the server"),
      namespace: z.string("must be text").exactOptional(),
      labels: texts.exactOptional(),
      annotations: texts.exactOptional(),
    },
    "Required value: name the server",
  ),
});

const schema = resourceSchema();

/**
 * Validates a document without a cluster, as the API server would validate its creation: the structure first, then,
 * where that is sound, the CEL rules of the CRD; in its words. Defaults are filled in, a status is ignored. Loads zod
 * and a CEL interpreter: import it only where it is used.
 */
export function validate(given: unknown): Validation {
  const document = withoutNulls(given);
  const parsed = identity.safeParse(document);
  if (!parsed.success || !isObject(document)) {
    const issues = parsed.error?.issues ?? [];
    return {
      problems: issues.map(({ path, message }) => `${path.length > 0 ? path.join(".") : "document"}: ${message}`),
    };
  }
  const { status: _, ...rest } = document;
  const desired = { ...rest, metadata: { name: parsed.data.metadata.name } };
  const structure = structureProblems(schema, desired, "");
  const sound = structure.every(({ blocking }) => !blocking);
  const problems = [...structure, ...(sound ? ruleProblems(schema, desired, "") : [])];
  if (problems.length > 0)
    return { problems: problems.map(({ field, body }) => (field === "" ? body : `${field}: ${body}`)) };
  return { server: { ...parsed.data, spec: mlflowServerSpec.parse(document["spec"]) } };
}
