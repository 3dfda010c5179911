import type { SecretKey } from "../../api/fields/reference.ts";
import { decoded } from "../../kube/data.ts";
import { fromSecret } from "../../kube/variable.ts";
import { secretReference } from "../common/reference.ts";
import { controlCharacters } from "../common/secret-problems.ts";
import type { Content, Database, Place } from "./database.ts";

/**
 * The databases in which the applications cannot store users. MLflow lists constraints, which SQLAlchemy cannot do on SQL Server; the plugin for
 * OpenID Connect has unique indexes of columns that are NULL for most users, and SQL Server allows one NULL in such an index.
 */
const withoutUsers = { "basic-auth": /^(mysql|mssql)\b/, "oidc-auth": /^mssql\b/ } as const;
const fields = { "basic-auth": "basic", "oidc-auth": "oidc" } as const;

/** Returns a database whose complete URI is a key of the user's Secret. */
export function uriDatabase({ name: secretName, key }: SecretKey, { path }: Place): Database {
  const uri = ({ secrets }: Content) => decoded(secrets.get(secretName)?.data, key);
  const database: Database = {
    displayName: "URI",
    references: [secretReference(secretName, [key], path)],
    mounted: [],
    isUriGenerated: false,
    hasBackups: (content) => !/^mssql\b/.test(uri(content) ?? ""),
    isIdentityInSecret: true,
    uri,
    uriVariable: (name) => fromSecret(name, secretName, key),
    migrationVariables: (prefix) => [fromSecret(`${prefix}_DATABASE_URI`, secretName, key)],
    // The port is in the Secret: a rule of the CRD requires networkPolicy.egress.ports.
    egressPorts: () => [],
    problems: (content) => {
      const problem = problemOf(uri(content));
      return problem === undefined ? [] : [`the key ${key} of Secret ${secretName} ${problem}`];
    },
    // The query can select the database and contain a password, so it is hashed with a key.
    identity: ({ references, keyedHash }) => {
      const [place = "", ...query] = (uri(references) ?? "").split("?");
      return [place.replace(/\/\/[^/]*@/, "//"), query.length === 0 ? "" : keyedHash(query.join("?"))];
    },
    forUsers: (application) => ({
      ...database,
      problems: (content) =>
        withoutUsers[application].test(uri(content) ?? "")
          ? [
              `the key ${key} of Secret ${secretName} is the URI of a database in which MLflow cannot create the tables of its users: add a PostgreSQL database for them, such as spec.authentication.${fields[application]}.database.postgresql, or use another authentication method`,
            ]
          : database.problems(content),
    }),
  };
  return database;
}

function problemOf(uri: string | undefined): string | undefined {
  if (uri === undefined) return undefined;
  if (controlCharacters.test(uri))
    return "contains a line break or another control character: write it without one (printf, not echo)";
  return /^(postgresql|mysql|mssql|sqlite)(\+[a-z0-9_]+)?:\/\//.test(uri)
    ? undefined
    : "is not a SQLAlchemy URI such as postgresql+psycopg2://user:password@host:5432/database";
}
