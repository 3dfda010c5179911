import type { V1EnvVar } from "@kubernetes/client-node";
import type { ServerBase } from "../model/server-base.ts";
import type { ArtifactStorage } from "./artifacts/storage.ts";
import type { Authentication, TokenIssuer } from "./authentication/authentication.ts";
import type { Mounted } from "./common/mounted-volume.ts";
import type { Database } from "./database/database.ts";

/** A server as the builders of objects read it: every default is applied, and every derived value has a name. */
export interface ServerModel extends ServerBase {
  readonly database: Database;
  /** The content of the Secret with the database URIs; undefined if there is none, or no URI yet. */
  readonly storeValues: Readonly<Record<string, string>> | undefined;
  readonly artifacts: ArtifactStorage & {
    /** The variables for the location of artifacts, and whether clients access them through MLflow. */
    readonly variables: readonly V1EnvVar[];
    /** Those of them that the root of new experiments depends on. */
    readonly rootVariables: readonly V1EnvVar[];
    /** Whether a check writes to the store before pods start. */
    readonly isWriteChecked: boolean;
  };
  readonly authentication: Authentication;
  /** The trusted issuers of tokens, first the one for browser logins, and their CA bundles. */
  readonly issuers: readonly TokenIssuer[];
  readonly issuerCaFiles: readonly Mounted[];
  readonly issuerCaPaths: readonly string[];
  /** The server's volume; undefined if it needs none. */
  readonly volume: ServerVolume | undefined;
  /** The volumes that MLflow needs to connect to its databases. */
  readonly databaseFiles: readonly Mounted[];
  /** The TCP ports that the pods connect to, without those of the spec. */
  readonly egressPorts: readonly number[];
  readonly migration: MigrationIdentity;
  /** Digests of the referenced content, and the generated keys. */
  readonly content: object;
  /** A keyed hash of the referenced content among it; undefined without references. */
  readonly referencesHash: string | undefined;
  /** A keyed hash of everything that pods read when they start. */
  readonly inputsHash: string;
  /** The annotations of the pods of a Deployment: a change of any replaces them. */
  readonly podAnnotations: Readonly<Record<string, string>>;
  /** A hash of a text with a key of this server, so that it does not reveal the text. */
  readonly keyedHash: (text: string) => string;
}

/** The server's volume, for its database file, its artifacts, or both. */
export interface ServerVolume {
  readonly claimName: string;
  /** Whether the operator creates the claim. */
  readonly hasOwnClaim: boolean;
  /** The folder of a claim that the operator does not create; undefined for its root. */
  readonly subPath: string | undefined;
  readonly size: string;
  readonly storageClassName: string | undefined;
  readonly accessModes: readonly string[];
  /** Whether only one node, and so only one revision of the pods, can mount it. */
  readonly isExclusive: boolean;
}

/** What decides whether a migration is needed. */
export interface MigrationIdentity {
  readonly mode: "upgrade" | "check" | undefined;
  /** The name of the Job: it changes when a migration is needed. */
  readonly job: string;
  /** Changes when the server uses other databases, or they were restored. */
  readonly databaseHash: string;
}
