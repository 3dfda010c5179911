import { decoded } from "../../kube/data.ts";

/** The content of the Secrets that a spec references. */
export interface SecretContent {
  readonly secrets: ReadonlyMap<string, { readonly data?: Record<string, string> }>;
}

/** A key of a Secret that must be one line, and what to do if it is empty. */
interface SecretLine {
  readonly name: string;
  readonly key: string;
  readonly remedy: string;
}

/** Returns what is wrong with one-line secrets that are empty or have a line break: the receiver would reject them with an unrelated error. */
export function lineProblems(lines: readonly SecretLine[], { secrets }: SecretContent): string[] {
  return lines.flatMap(({ name, key, remedy }) => {
    const secret = decoded(secrets.get(name)?.data, key);
    if (secret === undefined) return [];
    const what = `the key ${key} of Secret ${name}`;
    if (secret === "") return [`${what} is empty: ${remedy}`];
    return controlCharacters.test(secret)
      ? [`${what} contains a line break or another control character: write it without one (printf, not echo)`]
      : [];
  });
}

/** Characters that a name, a URI or a one-line secret must not contain, most often the line break of `echo`. */
export const controlCharacters = /[\p{Cc}]/u;
