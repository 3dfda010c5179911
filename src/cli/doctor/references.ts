import { excerpt } from "../../kube/excerpt.ts";
import type { DoctorFacts, ReferenceFacts } from "./facts.ts";
import { type Finding, notChecked, ok, problem, problemsOr } from "./finding.ts";

/** Whether the Secrets and ConfigMaps of the spec exist, with their keys. Values are not checked. */
export function checkReferences({ references }: DoctorFacts): readonly Finding[] {
  if ("notRead" in references) return [notChecked(references.notRead)];
  const findings = references.value.flatMap(referenceFindings);
  if (references.value.length === 0) return [ok("The spec references no Secret and no ConfigMap.")];
  return problemsOr(findings, ok("All referenced Secrets and ConfigMaps exist, with their keys."));
}

function referenceFindings({ kind, name, keys, path, optional, content }: ReferenceFacts): Finding[] {
  if ("notRead" in content) return [notChecked(content.notRead)];
  const object = `${kind}/${name}`;
  const effect = "New pods do not start; the operator reports SecretNotFound, SecretKeyMissing or their equivalents.";
  if (content.value === undefined)
    return optional
      ? []
      : [
          problem(
            object,
            `It does not exist, and ${path} references it.`,
            effect,
            `Create ${object}, or change ${path}.`,
          ),
        ];
  const present = content.value.keys;
  const missing = optional ? [] : keys.filter((key) => !present.includes(key));
  return missing.map((key) =>
    problem(object, `It has no key ${key}, which ${path} references.`, effect, `Add the key, or change ${path}.`),
  );
}

/** A certificate that expires sooner is a problem: renewal with the usual tools begins earlier. */
const minimumDays = 14;

/** What is wrong with the dates of a certificate: the message; undefined if nothing is. */
export function validityProblem(
  { validFrom, validTo }: { readonly validFrom: string; readonly validTo: string },
  now: Date,
): string | undefined {
  const [from, to] = [Date.parse(validFrom), Date.parse(validTo)];
  const days = (to - now.getTime()) / 86_400_000;
  if (from > now.getTime()) return `is valid only from ${new Date(from).toISOString()}`;
  if (days < 0) return `has expired at ${new Date(to).toISOString()}`;
  return days < minimumDays ? `expires in ${Math.floor(days)} days, at ${new Date(to).toISOString()}` : undefined;
}

/** The dates of certificates in Secrets and ConfigMaps. */
export function checkCertificates({ references, now }: DoctorFacts): readonly Finding[] {
  if ("notRead" in references) return [notChecked(references.notRead)];
  const read = references.value.flatMap(({ kind, name, content }) =>
    "value" in content
      ? (content.value?.certificates ?? []).map((each) => ({ ...each, object: `${kind}/${name}` }))
      : [],
  );
  const unread = [
    ...new Set(references.value.flatMap(({ content }) => ("notRead" in content ? [content.notRead] : []))),
  ];
  const problems = read.flatMap(({ object, key, subject, ...dates }) => {
    const found = validityProblem(dates, now);
    if (found === undefined) return [];
    return [
      problem(
        object,
        `The certificate of ${excerpt(subject, 200) || "no subject"} in ${key} ${found}.`,
        "Connections that verify it fail when it has expired.",
        "Renew it; running pods use the new one as docs/operations.md describes for its field.",
      ),
    ];
  });
  if (problems.length > 0) return [...problems, ...unread.map(notChecked)];
  if (unread.length > 0) return unread.map(notChecked);
  return [
    ok(
      read.length === 0
        ? "The spec references no certificates."
        : `All referenced certificates are valid for at least ${minimumDays} days.`,
    ),
  ];
}
