import { changed, type Document, type Json, smallest } from "../api/documents.ts";
import type { Draft } from "./objects.ts";

/** Changes of a document by path, for `changed`. */
export type Modification = Readonly<Record<string, Json | undefined>>;

/**
 * The base server of the operator tests: SQLite and artifacts on one volume, basic authentication, and defaults. A test
 * sets only the difference.
 */
export function server(name = "mlflow", ...modifications: readonly Modification[]): Document & Draft {
  const document = modifications.reduce((before: Document, changes) => changed(before, changes), smallest);
  return { ...document, metadata: { name } };
}

/** PostgreSQL and S3, so that there is no volume and several replicas can run. */
export const onPostgresql: Modification = {
  "spec.backendStore": {
    postgresql: { host: "db.example.com", database: "mlflow", credentialsSecretRef: { name: "database" } },
  },
  "spec.artifactStore": { s3: { bucket: "models" } },
};

export const withoutAuthentication: Modification = { "spec.authentication": { none: {} } };

/** A Secret of a user, with plain text values. */
export function secret(name: string, content: Readonly<Record<string, string>>): Draft {
  return { metadata: { name }, stringData: content };
}

/** The Secret of {@link onPostgresql}. Its password needs encoding in a URI and in an ini file. */
export const databaseSecret = secret("database", { username: "mlflow", password: "pa%ss @:/?#[]word" });

/** Exposed by an Ingress. */
export const exposed: Modification = {
  "spec.exposure": {
    externalURL: "https://platform.example.com/clusters/c1/mlflow",
    ingress: {
      className: "nginx",
      annotations: { "nginx.ingress.kubernetes.io/proxy-body-size": "0" },
      hosts: [{ host: "platform.example.com" }, { host: "traces.example.com", paths: ["/v1/traces"] }],
      tls: [{ secretName: "platform-tls" }],
    },
  },
};
