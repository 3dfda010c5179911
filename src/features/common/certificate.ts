import { createPrivateKey, X509Certificate } from "node:crypto";
import { decoded } from "../../kube/data.ts";
import { dataKeys } from "../../model/names.ts";

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
