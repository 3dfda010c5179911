/** A CEL rule of `x-kubernetes-validations`; the message says what to write instead. */
export interface Rule {
  /** CEL over `self` (and `oldSelf` where the rule compares with what is stored; such a rule is not run on creation). */
  readonly rule: string;
  readonly message?: string;
  /** CEL that yields the message, where it shall quote the value. */
  readonly messageExpression?: string;
  /** The field below `self` that the message is about, with a leading dot. */
  readonly fieldPath?: string;
  readonly reason?: "FieldValueInvalid" | "FieldValueForbidden" | "FieldValueRequired";
}

/** Rules as metadata of a zod schema: they travel into the CRD as they stand. A later `meta` with rules replaces them. */
export function rules(...all: Rule[]): { "x-kubernetes-validations": Rule[] } {
  return { "x-kubernetes-validations": all };
}

/** Words that CEL reserves: a field of such a name is written between double underscores (Kubernetes, "CEL: field names"). */
const reservedWords = new Set(
  "true false null in as break const continue else for function if import let loop package namespace return var void while".split(
    " ",
  ),
);

/** A field's name as a CEL expression must write it. Kubernetes 1.30 and 1.31 know `namespace` by no other name. */
export function celName(field: string): string {
  return reservedWords.has(field) ? `__${field}__` : field;
}

/** Exactly one of these sibling fields must be set. */
export function exactlyOneOf(fields: readonly string[], remedy: string): Rule {
  const present = fields.map((field) => `has(self.${celName(field)})`).join(", ");
  return {
    rule: `[${present}].filter(x, x).size() == 1`,
    message: `set exactly one of ${fields.join(", ")}: ${remedy}`,
  };
}

/** Metadata of a required field: what to write where it is missing. The API server says "Required value" and no more; `render` says this, too. */
export function demanded(remedy: string): { readonly remedy: string } {
  return { remedy };
}

/**
 * Metadata of an object that says something by being there, even empty: it has one owner as a whole. Field by field,
 * server-side apply would make null of it, and be refused, when its last field is taken away (`basic: {admin: …}` to
 * `basic: {}`).
 */
export const mayBeEmpty = { "x-kubernetes-map-type": "atomic" } as const;
