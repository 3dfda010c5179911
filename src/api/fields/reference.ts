import { z } from "zod";
import { exactlyOneOf, rules } from "./rule.ts";
import { dataKey, objectName } from "./text.ts";

/** One key of a Secret in the server's namespace. */
export function secretKey(description: string) {
  return z
    .strictObject({
      secretName: objectName("Name of a Secret in the namespace of the MlflowServer."),
      key: dataKey("Key in the Secret's data."),
    })
    .meta({ description });
}

/** A certificate authority: PEM certificates in a Secret or a ConfigMap. */
export function certificateAuthority(description: string) {
  return z
    .strictObject({
      secretName: objectName("Name of a Secret with the PEM certificates.").optional(),
      configMapName: objectName("Name of a ConfigMap with the PEM certificates.").optional(),
      key: dataKey("Key in the data. Default: ca.crt.").optional(),
    })
    .meta({
      description,
      ...rules(exactlyOneOf(["secretName", "configMapName"], "the certificates are read from one place")),
    });
}

/** The same, or the certificates themselves, which are public. */
export function certificateAuthorityOrText(description: string) {
  const { secretName, configMapName, key } = certificateAuthority(description).shape;
  return z.strictObject({ secretName, configMapName, key, certificates: pem.optional() }).meta({
    description,
    ...rules(
      exactlyOneOf(["secretName", "configMapName", "certificates"], "the certificates are read from one place"),
      {
        rule: "!(has(self.certificates) && has(self.key))",
        message: "key is a key of a Secret or ConfigMap: leave it out beside certificates",
        fieldPath: ".key",
      },
    ),
  });
}

const pem = z
  .string()
  .max(65_536)
  .meta({
    description: "The PEM certificates themselves.",
    ...rules({
      rule: "self.startsWith('-----BEGIN CERTIFICATE-----')",
      message:
        "must be PEM certificates, from -----BEGIN CERTIFICATE----- on: decode them first where they are in base64",
    }),
  });

export type SecretKey = z.infer<ReturnType<typeof secretKey>>;
export type CertificateAuthority = z.infer<ReturnType<typeof certificateAuthority>>;
export type CertificateAuthorityOrText = z.infer<ReturnType<typeof certificateAuthorityOrText>>;
