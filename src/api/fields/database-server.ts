import { z } from "zod";
import type { Rule } from "./rule.ts";
import { dataKey, objectName, text, url } from "./text.ts";

/** What differs between kinds of database servers. */
interface Kind {
  readonly defaultPort: number;
  /** The longest name of a database. */
  readonly longestName: number;
}

const hostName: Rule = {
  rule: "self.matches('^([A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_.])?|[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*)$')",
  message: "host is a name or an address only: leave out the scheme, user, brackets and port (use port)",
};

/** The fields for address and credentials of a database; the address can be in the Secret, too. */
export function serverFields({ defaultPort, longestName }: Kind) {
  return {
    host: url(
      "Host name or address of the server. Default: credentialsSecretRef.hostKey. Example: db.example.com.",
      253,
      hostName,
    ).optional(),
    port: port(defaultPort).optional(),
    database: text(
      "Name of the database; it must exist. Default: credentialsSecretRef.databaseKey. Example: mlflow.",
      longestName,
    ).optional(),
    credentialsSecretRef: z
      .strictObject({
        name: objectName("Name, in this namespace."),
        usernameKey: dataKey("Key of the user name. Default: username.").optional(),
        passwordKey: dataKey(
          "Key of the password, which may contain any characters. Default: password. Example: postgres-password.",
        ).optional(),
        hostKey: dataKey("Key of the host, in place of host. Example: host.").optional(),
        portKey: dataKey("Key of the port, in place of port. Example: port.").optional(),
        databaseKey: dataKey("Key of the database name, in place of database. Example: dbname.").optional(),
      })
      .meta({
        description:
          "User name and password of the database user, and optionally its address. A change rolls the pods. Example: {name: mlflow-db}.",
      }),
  };
}

/** The address is in the spec or in the Secret. */
export const addressRules: readonly Rule[] = [
  {
    rule: "has(self.host) != has(self.credentialsSecretRef.hostKey)",
    message: "set host or credentialsSecretRef.hostKey, not both",
  },
  {
    rule: "has(self.database) != has(self.credentialsSecretRef.databaseKey)",
    message: "set database or credentialsSecretRef.databaseKey, not both",
  },
  {
    rule: "!has(self.port) || !has(self.credentialsSecretRef.portKey)",
    message: "set port or credentialsSecretRef.portKey, not both",
  },
];

/** A server that has a copy of the database. */
export function readReplica(defaultPort: number) {
  return z
    .strictObject({
      host: url("Host name or address of the replica. Example: db-ro.example.com.", 253, hostName),
      port: port(defaultPort).optional(),
    })
    .meta({
      description:
        "A read replica of the database, which MLflow uses for expensive reads, such as searches. User, database and TLS are the same. Default: none. Example: {host: db-ro.example.com}.",
    });
}

function port(defaultPort: number) {
  return z
    .int()
    .min(1)
    .max(65535)
    .meta({ description: `Port. Default: ${defaultPort}. Example: 6432.` });
}

/** A client certificate. */
export const clientCertificate = z.strictObject({ name: objectName("Name, in this namespace.") }).meta({
  description:
    "A Secret of type kubernetes.io/tls with a client certificate. A change rolls the pods. Default: none. Example: {name: mlflow-db-client}.",
});
