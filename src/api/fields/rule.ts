/** A CEL rule of `x-kubernetes-validations`; the message contains what to write instead. */
export interface Rule {
  /** CEL over `self` (and `oldSelf` for a comparison with the stored object; such a rule is not evaluated on creation). */
  readonly rule: string;
  readonly message?: string;
  /** CEL that yields the message, if it quotes the value. */
  readonly messageExpression?: string;
  /** The field below `self` that the message is about, with a leading dot. */
  readonly fieldPath?: string;
  readonly reason?: "FieldValueInvalid" | "FieldValueForbidden" | "FieldValueRequired";
}

/** Rules as metadata of a zod schema, which are copied into the CRD. A later `meta` with rules replaces them. */
export function rules(...all: Rule[]): { "x-kubernetes-validations": Rule[] } {
  return { "x-kubernetes-validations": all };
}

/** Reserved words of CEL: a field with such a name is escaped by double underscores (Kubernetes, "CEL: field names"). */
const reservedWords = new Set(
  "true false null in as break const continue else for function if import let loop package namespace return var void while".split(
    " ",
  ),
);

/** A field's name in a CEL expression. Kubernetes 1.30 and 1.31 require the escaped form of `namespace`. */
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

/** Metadata of a required field: what to write if it is missing. The API server only reports "Required value"; `render` adds this remedy. */
export function requiredRemedy(remedy: string): { readonly remedy: string } {
  return { remedy };
}

/**
 * Metadata of an object whose presence has a meaning, even if it is empty: it has one field owner as a whole. With granular
 * ownership, server-side apply would set it to null and fail when its last field is removed (`basic: {admin: …}` to
 * `basic: {}`).
 */
export const mayBeEmpty = { "x-kubernetes-map-type": "atomic" } as const;
