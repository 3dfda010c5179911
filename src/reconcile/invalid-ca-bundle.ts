import { X509Certificate } from "node:crypto";
import { authenticationMethod } from "../features/authentication/index.ts";
import { referencesOf } from "../features/references.ts";
import { decoded } from "../kube/data.ts";
import type { Cause } from "./cause.ts";
import type { ObservedState } from "./observed-state.ts";

/** The causes if a CA bundle does not consist of PEM certificates: pods would exit at startup. */
export function invalidCaBundle({ server, references }: ObservedState): Cause[] {
  const found: Cause[] = [];
  for (const { path, text } of authenticationMethod(server.spec).certificates)
    if (!areCertificates(text)) found.push(causeOf(path));
  for (const { kind, name, keys, path, isCaBundle } of referencesOf(server.spec)) {
    if (!isCaBundle) continue;
    for (const key of keys) {
      const text =
        kind === "Secret"
          ? decoded(references.secrets.get(name)?.data, key)
          : references.configMaps.get(name)?.data?.[key];
      if (text !== undefined && !areCertificates(text))
        found.push(causeOf(`the key ${key} of ${kind} ${name}, which ${path} names,`));
    }
  }
  return found;
}

function causeOf(what: string): Cause {
  return {
    reason: "InvalidCertificateAuthority",
    message: `${what} must be PEM certificates, each from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----: replace it with the CA certificates in PEM`,
  };
}

const begin = "-----BEGIN CERTIFICATE-----";
const end = "-----END CERTIFICATE-----";

function areCertificates(text: string): boolean {
  const found = text
    .split(begin)
    .slice(1)
    .flatMap((part) => (part.includes(end) ? [`${begin}${part.slice(0, part.indexOf(end))}${end}`] : []));
  return found.length > 0 && found.every(isCertificate);
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}
