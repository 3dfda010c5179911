import { createPrivateKey, X509Certificate } from "node:crypto";
import { decoded } from "../../kube/data.ts";
import { dataKeys } from "../../model/names.ts";

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

/** Returns what is wrong with a Secret of type kubernetes.io/tls; undefined if nothing is, or if a key is missing. */
export function certificateProblem(
  secretName: string,
  data: Readonly<Record<string, string>> | undefined,
): string | undefined {
  const [pem, key] = [decoded(data, dataKeys.certificate), decoded(data, dataKeys.privateKey)];
  if (pem === undefined || key === undefined) return undefined;
  try {
    const certificate = new X509Certificate(pem);
    if (certificate.checkPrivateKey(createPrivateKey(key))) return undefined;
    return `Secret ${secretName}: tls.key is not the key of the certificate in tls.crt`;
  } catch {
    return `Secret ${secretName}: tls.crt and tls.key must be a certificate and its private key, in PEM`;
  }
}
