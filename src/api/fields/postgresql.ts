import { z } from "zod";
import { certificateAuthority, credentialsSecret } from "./reference.ts";
import { rules } from "./rule.ts";
import { text, url } from "./text.ts";

/** A PostgreSQL database, with its credentials by reference. */
export function postgresql(description: string) {
  return z
    .strictObject({
      host: url("Host name or address of the PostgreSQL server. Example: db.example.com.", 253, {
        rule: "self.matches('^([A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_.])?|[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*)$')",
        message: "host is a name or an address only: leave out the scheme, user, brackets and port (use port)",
      }),
      port: z.int().min(1).max(65535).meta({ description: "Port. Default: 5432. Example: 6432." }).optional(),
      database: text("Name of the database; it must exist. Example: mlflow.", 63),
      credentialsSecretRef: credentialsSecret(
        "User name and password of the database user. A change rolls the pods. Example: {name: mlflow-db}.",
        undefined,
        "Key of the password, which may contain any characters. Default: password. Example: postgres-password.",
      ),
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
    })
    .meta({
      description,
      ...rules({
        rule: "!has(self.ca) || !has(self.sslMode) || self.sslMode in ['verify-ca', 'verify-full']",
        message: "ca is only used by sslMode verify-ca or verify-full: set one of these, or leave out ca",
      }),
    });
}

export type Postgresql = z.infer<ReturnType<typeof postgresql>>;
