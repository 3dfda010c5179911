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

export type SecretKey = z.infer<ReturnType<typeof secretKey>>;
export type CertificateAuthority = z.infer<ReturnType<typeof certificateAuthority>>;
