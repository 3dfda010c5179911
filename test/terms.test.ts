import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";

const root = join(import.meta.dirname, "..");

/** Words that are not terms of Kubernetes, Istio, OpenID Connect or MLflow, as regular expressions, with the terms to use. */
const avoided: Readonly<Record<string, string>> = {
  "doors?": "endpoint, entry point, listener or serving port",
  "knock(s|ed|ing)?": "probe",
  "mend(s|ed|ing)?": "fix, repair or patch",
  "nobody|somebody|everybody|whoever": "the actor: users, clients, an administrator, unauthenticated clients",
  shall: "must, or the present tense",
  anew: "again",
  "neighbours?|neighbouring|namesakes?": "other resources in the namespace, conflicting Service",
  "rivals?": "competing server",
  furnished: "provided, rendered",
  "leftovers?": "remaining objects",
  "overruled?": "mutated by admission",
  "consents?|consented|consenting": "opt-in, opt in",
  ours: "owned, the operator's",
  foreign: "unmanaged, other",
  "invented|surroundings": "generated, prerequisites",
  "in (the|its|their|our) way": "conflicts with",
  "got round|gets? round|way round": "bypass",
  "led outside|leads outside": "exposed outside the cluster",
  "take[sn]? up|took up": "reuse",
  "lets? (in|through)|let in": "allow",
  "looks? after": "manage",
  "told apart|tells? apart": "distinguish",
  "without a word|of its own accord|for want of|what becomes of": "plain words",
  "in the clear": "in plain text",
  "for ever": "permanently",
  "once more": "again",
  beside: "next to",
  "whatever|whichever|whomever": "any, regardless of",
  "at once": "immediately, at the same time",
  "of (its|their|your|our) own(?=[.,;:)]|$)|of (yours|ours)|an own": "its own, separate",
  "(inside|outside) of": "inside, outside",
  "(says?|saying) so|told|tells?": "reports, shows",
  "as (it|the (message|condition|spec|header)) says": "as described in, as defined by",
  "looks? (at|for)|looked (at|for|up)": "check, inspect, query",
  "carr(y|ies|ied) out": "execute",
  "remember(s|ed)?": "cache, record",
  "(become|becomes|became) of": "the result for",
  "taken (as|to be)": "assumed to be",
  "in the place of|in its like": "in place of, instead of",
  "half ?way": "partway",
  "unsteady|unsteadily": "flaky",
  "by hand": "manually",
  "mistaken|mistakenly": "wrong, accidental",
  "hence|thereby|hereby|therein|thereof|whilst|amid|upon": "so, while, on",
  "(has|have) yet to": "not yet",
  "all is well": "healthy",
  "any more": "no longer",
  "authority|authorities": "CA, CA certificate, CA bundle",
};

/** Phrases with such a word that are terms. */
const allowed = [
  ...["certificate authority", "certificate authorities", "certificate-authority", "foreign key", "foreign keys"],
  ...["InvalidCertificateAuthority", "CertificateAuthority", "certificateAuthority"],
  // Values of the OpenID Connect parameter prompt, and the pseudo-header of HTTP/2.
  ...["prompt=(none|login|consent|select_account)", ":authority"],
];

/** Folders and files where the words are counted, each up to a maximum that can only be lowered; without one it is 0. */
const parts: readonly { readonly files: readonly string[]; readonly not?: RegExp; readonly maximum?: number }[] = [
  { files: ["*.md", "docs/**/*.md"], maximum: 0 },
  { files: ["charts/**/*.{yaml,tpl,txt,json,md}", "config/base/*.yaml"], not: /\/files\/crds\// },
  { files: ["crds/*.yaml", "examples/*.yaml", "Dockerfile", "images/**/{Dockerfile,*.sh,*.in}"] },
  { files: ["scripts/**/*.ts"] },
  { files: ["src/*.ts", "src/{api,cli,client,features,kube,model,reconcile,runtime}/**/*.ts"], maximum: 0 },
  { files: ["src/resources/**/*.ts", "python/src/**/*.py"], maximum: 0 },
  { files: ["bench/**/*.ts", "demo/**/*.ts"] },
  { files: ["test/**/*.{ts,py}", "python/tests/**/*.py"], maximum: 60 },
];

/** A generated table, and this one. */
const skipped = /known-fields\.ts$|^test\/terms\.test\.ts$/;

/** Identifiers are split into words: `isOurs` counts as `is Ours`. */
function wordsOf(text: string): string {
  const withoutTerms = allowed.reduce((rest, phrase) => rest.replaceAll(phrase, ""), text);
  return withoutTerms.replace(/([a-z0-9])([A-Z])/g, "$1 $2");
}

function foundIn(file: string): string[] {
  return wordsOf(readFileSync(join(root, file), "utf8"))
    .split("\n")
    .flatMap((line, index) =>
      Object.entries(avoided).flatMap(([words, terms]) => {
        const [word] = new RegExp(`\\b(${words})\\b`, "i").exec(line) ?? [];
        return word === undefined ? [] : [`${file}:${index + 1}: ${word}: use ${terms}`];
      }),
    );
}

describe("terms", () => {
  for (const { files, not, maximum = 0 } of parts)
    test(`${files.join(", ")} use the terms of the ecosystem`, () => {
      const names = globSync([...files], { cwd: root }).filter((file) => !skipped.test(file) && !not?.test(file));
      assert.ok(names.length > 0);
      const found = names.sort().flatMap(foundIn);
      assert.ok(found.length <= maximum, `${found.length} words, up to ${maximum} are allowed:\n${found.join("\n")}`);
    });
});
