import { z } from "zod";
import { type Rule, rules } from "./rule.ts";

/** The control characters C0 and C1, and the line and paragraph separators of Unicode. */
const oneLine: Rule = {
  rule: String.raw`!self.matches('[\\p{Cc}\u2028\u2029]')`,
  message: "remove control characters",
};

/** One line of text that becomes an argument, an environment variable or part of a file. */
export function text(description: string, maxLength = 253, ...further: Rule[]) {
  return z
    .string()
    .min(1)
    .max(maxLength)
    .meta({ description, ...rules(...further, oneLine) });
}

/** Text with a rule that accepts the characters of a list only, so that it needs no rule about control characters. */
export function plainText(description: string, maxLength: number, ...further: Rule[]) {
  return z
    .string()
    .max(maxLength)
    .meta({ description, ...rules(...further) });
}

/**
 * A URL or a host without user name and password. If it has one, only the rule about that fails, whose message does not quote the value:
 * for other rules the API server prints the value.
 */
export function url(description: string, maxLength: number, ...further: Rule[]) {
  return withoutUser("self.contains('@')", description, maxLength, further);
}

/** {@link url} of a directory: its base can contain an @. */
export function ldapUrl(description: string, maxLength: number, ...further: Rule[]) {
  return withoutUser("self.matches('://[^/]*@')", description, maxLength, further);
}

/** {@link url} of a store: wasbs:// has the name of a container before an @. */
export function storeLocation(description: string, maxLength: number, ...further: Rule[]) {
  return withoutUser(
    "(self.contains('@') && !self.matches('^wasbs://[a-z0-9-]+@[^@]*$'))",
    description,
    maxLength,
    further,
  );
}

function withoutUser(hasUser: string, description: string, maxLength: number, further: readonly Rule[]) {
  const conditional = [...further, oneLine].map((each) => ({ ...each, rule: `${hasUser} || (${each.rule})` }));
  const forbidden: Rule = {
    rule: `!${hasUser}`,
    reason: "FieldValueForbidden",
    message: "must contain no user name, password or @: credentials belong in a Secret",
  };
  return z
    .string()
    .min(1)
    .max(maxLength)
    .meta({ description, ...rules(forbidden, ...conditional) });
}

/** Text that must match a regular expression (RE2) as a whole, which therefore excludes control characters. */
export function matching(description: string, maxLength: number, pattern: string, message: string, ...further: Rule[]) {
  return plainText(description, maxLength, { rule: `self.matches('^${pattern}$')`, message }, ...further);
}

/** The name of a Kubernetes object whose name is a DNS subdomain (Secrets, ConfigMaps, classes). */
export function objectName(description: string, ...further: Rule[]) {
  return matching(description, 253, "[a-z0-9]+((-+|[.])[a-z0-9]+)*", "must be a name: a-z, 0-9, - and .", ...further);
}

/** The name of a namespace. */
export function namespaceName(description: string, example: string) {
  return matching(
    description,
    63,
    "[a-z0-9]([-a-z0-9]*[a-z0-9])?",
    `must be the name of one namespace, such as ${example}`,
  );
}

/** A key in the data of a Secret or ConfigMap. */
export function dataKey(description: string) {
  return matching(description, 253, String.raw`[-.\\w]+`, "must be a data key: letters, digits, -, _ and .");
}

/** A size in bytes, above zero. Thousandths are rejected: 500m is usually a mistake for 500Mi. */
export function size(description: string) {
  return matching(
    description,
    32,
    "(0*[1-9][0-9]*([.][0-9]+)?|0+[.][0-9]*[1-9][0-9]*)([KMGTPE]i|[kMGTPE])?",
    "must be a size above zero such as 500Mi or 10Gi",
  );
}

export const labelKeyPattern = "([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?";

/** The key of a label, such as topology.kubernetes.io/zone. */
export function labelKey(description: string) {
  return matching(description, 317, labelKeyPattern, "must be a label key such as topology.kubernetes.io/zone");
}

/** The value of a label; may be empty. */
export function labelValue(description: string) {
  return matching(
    description,
    63,
    "([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?",
    "must be a label value: letters, digits, and inside it -, _ and .",
  );
}

export const keysAreKeys: Rule = {
  rule: `self.all(key, key.matches('^${labelKeyPattern}$'))`,
  message: "keys must be label keys such as example.com/team",
};

/** Labels with their values. */
export function labelMap(description: string, ...further: Rule[]) {
  return z
    .record(z.string(), labelValue("Value."))
    .meta({ description, maxProperties: 32, ...rules(keysAreKeys, ...further) });
}

/** Annotations with their values, which are not restricted. */
export function annotationMap(description: string, ...further: Rule[]) {
  return z
    .record(z.string(), z.string().max(8192).meta({ description: "Value." }))
    .meta({ description, maxProperties: 32, ...rules(keysAreKeys, ...further) });
}

/** The name of a token claim. */
export function claim(description: string) {
  return matching(
    description,
    128,
    "[A-Za-z0-9_.:/-]+",
    "must be the name of one token claim, such as preferred_username",
  );
}
