import { changed, type Document, type Json, smallest } from "../api/documents.ts";
import type { Draft } from "./objects.ts";

/** Changes of a document by path, as `changed` takes them. */
export type Modification = Readonly<Record<string, Json | undefined>>;

/**
 * The server that the tests of the operator start from: SQLite and artifacts on one volume, users with passwords, all
 * else by default. A test names only what differs.
 */
export function server(name = "mlflow", ...modifications: readonly Modification[]): Document & Draft {
  const document = modifications.reduce((before: Document, changes) => changed(before, changes), smallest);
  return { ...document, metadata: { name } };
}

/** Artifacts in a bucket and experiments in PostgreSQL, so that nothing is stored and several replicas may run. */
export const onPostgresql: Modification = {
  "spec.backendStore": {
    postgresql: { host: "db.example.com", database: "mlflow", credentialsSecretRef: { name: "database" } },
  },
  "spec.artifactStore": { s3: { bucket: "models" } },
};

export const withoutAuthentication: Modification = { "spec.authentication": { none: {} } };

/** A Secret of the user's own, in plain text. */
export function secret(name: string, content: Readonly<Record<string, string>>): Draft {
  return { metadata: { name }, stringData: content };
}

/** What {@link onPostgresql} refers to. Its password is one that needs encoding in a URI and in an ini file. */
export const databaseSecret = secret("database", { username: "mlflow", password: "pa%ss @:/?#[]word" });

/** Led to from outside, by an Ingress. */
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
