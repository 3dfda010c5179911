import { z } from "zod";
import { addressRules, clientCertificate, readReplica, serverFields } from "./database-server.ts";
import { certificateAuthority } from "./reference.ts";
import { rules } from "./rule.ts";
import { plainText } from "./text.ts";

const description = "A PostgreSQL database.";

const fields = {
  ...serverFields({ defaultPort: 5432, longestName: 63 }),
  sslMode: z
    .enum(["disable", "allow", "prefer", "require", "verify-ca", "verify-full"])
    .meta({
      description:
        "TLS mode of libpq. Only verify-full verifies the identity of the server before the password is sent. " +
        "Default: verify-full if ca is set, else prefer. Example: require.",
    })
    .optional(),
  ca: certificateAuthority(
    "CA bundle for the database server's certificate. Default: none. Example: {configMapRef: {name: example-ca}}.",
  ).optional(),
  clientCertificateSecretRef: clientCertificate.optional(),
  searchPath: plainText(
    "Schemas in which MLflow's tables are, in order; the first must exist. Default: that of the database user. Example: mlflow.",
    253,
    {
      rule: "self.matches('^[a-z_][a-z0-9_]*(,[a-z_][a-z0-9_]*)*$')",
      message:
        "searchPath is names of schemas, such as mlflow or mlflow,public: lower case letters, digits and _, separated by a comma without a space",
    },
  ).optional(),
};

const connectionRules = rules(
  ...addressRules,
  {
    rule: "!has(self.ca) || !has(self.sslMode) || self.sslMode in ['verify-ca', 'verify-full']",
    message: "ca is only used by sslMode verify-ca or verify-full: set one of these, or leave out ca",
  },
  {
    rule: "!has(self.clientCertificateSecretRef) || !has(self.sslMode) || self.sslMode != 'disable'",
    message: "a client certificate needs TLS: use sslMode: verify-full, or leave out clientCertificateSecretRef",
  },
);

/** A PostgreSQL database, with its credentials by reference. */
export const postgresql = z.strictObject(fields).meta({ description, ...connectionRules });

/** The same, with an optional read replica. */
export const replicatedPostgresql = z
  .strictObject({ ...fields, readReplica: readReplica(5432).optional() })
  .meta({ description, ...connectionRules });

export type Postgresql = z.infer<typeof replicatedPostgresql>;
