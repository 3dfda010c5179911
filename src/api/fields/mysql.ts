import { z } from "zod";
import { addressRules, clientCertificate, readReplica, serverFields } from "./database-server.ts";
import { certificateAuthority } from "./reference.ts";
import { rules } from "./rule.ts";

const tls = z
  .strictObject({
    mode: z
      .enum(["Disabled", "Preferred", "Required", "VerifyCA", "VerifyIdentity"])
      .meta({
        description:
          "TLS mode. Only VerifyIdentity verifies the identity of the server before the password is sent. " +
          "Default: VerifyIdentity if ca or clientCertificateSecretRef is set, else Preferred. Example: Required.",
      })
      .optional(),
    ca: certificateAuthority(
      "CA bundle for the database server's certificate. Default: the public CAs. Example: {configMapRef: {name: example-ca}}.",
    ).optional(),
    clientCertificateSecretRef: clientCertificate.optional(),
  })
  .meta({
    description: "TLS of the connection. Default: {mode: Preferred}. Example: {mode: VerifyIdentity}.",
    ...rules(
      {
        rule: "!has(self.ca) || !has(self.mode) || self.mode in ['VerifyCA', 'VerifyIdentity']",
        message: "ca is only used by mode VerifyCA or VerifyIdentity: set one of these, or leave out ca",
      },
      {
        rule: "!has(self.clientCertificateSecretRef) || !has(self.mode) || !(self.mode in ['Disabled', 'Preferred'])",
        message: "a client certificate needs TLS: use mode: VerifyIdentity, or leave out clientCertificateSecretRef",
      },
    ),
  });

/** A MySQL or MariaDB database, with its credentials by reference. */
export const mysql = z
  .strictObject({
    ...serverFields({ defaultPort: 3306, longestName: 64 }),
    tls: tls.optional(),
    readReplica: readReplica(3306).optional(),
  })
  .meta({
    description:
      "A MySQL or MariaDB database with the character set utf8mb4. MLflow cannot store users of basic authentication or LDAP in it.",
    ...rules(...addressRules),
  });

export type Mysql = z.infer<typeof mysql>;
