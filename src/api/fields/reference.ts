import { z } from "zod";
import { exactlyOneOf, rules } from "./rule.ts";
import { dataKey, objectName } from "./text.ts";

/** One key of a Secret in the server's namespace. */
export function secretKey(description: string) {
  return z
    .strictObject({
      name: objectName("Name, in this namespace."),
      key: dataKey("Key in the Secret's data."),
    })
    .meta({ description });
}

/** A Secret with a user name and a password. */
export function credentialsSecret(
  description: string,
  username = "Key of the user name. Default: username.",
  password = "Key of the password. Default: password.",
) {
  return z
    .strictObject({
      name: objectName("Name, in this namespace."),
      usernameKey: dataKey(username).optional(),
      passwordKey: dataKey(password).optional(),
    })
    .meta({ description });
}

const certificatesOf = (kind: string) =>
  z
    .strictObject({
      name: objectName("Name, in this namespace."),
      key: dataKey("Key of the bundle. Default: ca.crt.").optional(),
    })
    .meta({ description: `A ${kind} with PEM certificates. Example: {name: example-ca, key: ca.crt}.` });

const certificateSources = {
  secretRef: certificatesOf("Secret").optional(),
  configMapRef: certificatesOf("ConfigMap").optional(),
};

/** A CA bundle: PEM certificates in a Secret or a ConfigMap. */
export function certificateAuthority(description: string) {
  return z.strictObject(certificateSources).meta({
    description,
    ...rules(exactlyOneOf(["secretRef", "configMapRef"], "the certificates have one source")),
  });
}

/** The same, or the certificates inline, since they are public. */
export function certificateAuthorityOrText(description: string) {
  return z.strictObject({ ...certificateSources, certificates: pem.optional() }).meta({
    description,
    ...rules(exactlyOneOf(["secretRef", "configMapRef", "certificates"], "the certificates have one source")),
  });
}

const pem = z
  .string()
  .max(65_536)
  .meta({
    description: "PEM certificates, inline.",
    ...rules({
      rule: "self.startsWith('-----BEGIN CERTIFICATE-----')",
      message:
        "must be PEM certificates that begin with -----BEGIN CERTIFICATE-----: decode them first if they are base64",
    }),
  });

export type CredentialsSecret = z.infer<ReturnType<typeof credentialsSecret>>;
export type SecretKey = z.infer<ReturnType<typeof secretKey>>;
export type CertificateAuthority = z.infer<ReturnType<typeof certificateAuthority>>;
export type CertificateAuthorityOrText = z.infer<ReturnType<typeof certificateAuthorityOrText>>;
