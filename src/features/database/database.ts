import type { V1EnvVar } from "@kubernetes/client-node";
import type { Mounted } from "../common/mounted-volume.ts";
import type { Reference } from "../common/reference.ts";

/** One of MLflow's two databases: experiments and models, or users and permissions. */
export type DatabaseRole = "tracking" | "auth";

/** The prefix of the variables of the migration program for a role. */
export type VariablePrefix = "TRACKING" | "AUTH";

/** The application that owns users and permissions; each has its own schema. */
export type UserApplication = "basic-auth" | "oidc-auth";

/** Where the settings of a database are in the spec: `spec.backendStore.postgresql`, and for which role. */
export interface Place {
  readonly path: string;
  readonly role: DatabaseRole;
}

/** The content of the Secrets that the spec references. */
export interface Content {
  readonly secrets: ReadonlyMap<string, { readonly data?: Record<string, string> }>;
}

/** What the identity of a database depends on besides its settings. */
export interface IdentityInputs {
  readonly references: Content;
  /** The uid of the server's PersistentVolumeClaim. */
  readonly volumeUid: string | undefined;
  /** A hash that does not allow users who can read it to guess the text. */
  readonly keyedHash: (text: string) => string;
}

/** A database that a spec describes. Each kind is one file of this folder and one row of `index.ts`. */
export interface Database {
  /** The name in the status and in the columns of kubectl. */
  readonly displayName: string;
  /** The settings of the volume if the database is a file on the server's volume, which only one pod can use. */
  readonly volume?: { readonly size?: string | undefined; readonly storageClassName?: string | undefined };
  /** The Secrets and ConfigMaps that the settings reference. */
  readonly references: readonly Reference[];
  /** The volumes that MLflow needs to connect, such as a CA bundle. */
  readonly mounted: readonly Mounted[];
  /** Whether the operator writes the URI to a Secret, since the settings contain it in parts. */
  readonly isUriGenerated: boolean;
  /** Whether an MlflowBackup can contain it. */
  readonly hasBackups: (content: Content) => boolean;
  /** Whether the identity depends on the content of a Secret. */
  readonly isIdentityInSecret: boolean;
  /** The SQLAlchemy URI; undefined while a Secret or a key is missing. */
  readonly uri: (content: Content) => string | undefined;
  /** The URI of the read replica, if the settings have one. */
  readonly replicaUri?: (content: Content) => string | undefined;
  /** The variable with the URI; `generated` is the key of the Secret that the operator writes. */
  readonly uriVariable: (name: string, generated: { readonly name: string; readonly key: string }) => V1EnvVar;
  /** The variables of the migration program, which connects to the database without the Secret that the operator writes. */
  readonly migrationVariables: (prefix: VariablePrefix) => V1EnvVar[];
  /** The TCP ports that pods connect to. */
  readonly egressPorts: (content: Content) => number[];
  /** What is wrong with the content of the Secrets, with the fix. */
  readonly problems: (content: Content) => string[];
  /** The identity of the database, without user and password: a change means that the schema must be migrated again. */
  readonly identity: (inputs: IdentityInputs) => unknown;
  /** The database of users if the spec has no separate one: usually the same. */
  readonly forUsers: (application: UserApplication) => Database;
}
