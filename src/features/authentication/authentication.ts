import type { V1EnvVar } from "@kubernetes/client-node";
import type { Installation } from "../../model/inputs.ts";
import type { ServerBase } from "../../model/server-base.ts";
import type { Mounted } from "../common/mounted-volume.ts";
import type { Reference } from "../common/reference.ts";
import type { SecretContent } from "../common/secret-problems.ts";
import type { Database, UserApplication } from "../database/database.ts";
import type { SessionStore } from "./session-store.ts";

/** What the operator needs to know about an authentication method. Each method is one file of this folder and one row of `index.ts`. */
export interface AuthenticationMethod {
  /** The name in the status and in tables. */
  readonly displayName: string;
  /** The Secrets and ConfigMaps that the settings reference. */
  readonly references: readonly Reference[];
  /** The trusted issuers of tokens, first the one for browser logins. */
  readonly issuers: (installation: Pick<Installation, "clusterDomain">) => readonly TokenIssuer[];
  /** The CA bundles for these issuers, in addition to public CAs. */
  readonly issuerCaFiles: readonly Mounted[];
  /** All URLs of the settings. */
  readonly urls: readonly SettingsUrl[];
  /** CA certificates that the settings contain as text. */
  readonly certificates: readonly { readonly path: string; readonly text: string }[];
  /** What is wrong with the content of Secrets, with the fix. */
  readonly problems: (content: SecretContent) => string[];
  /** The keys of the Secret for sessions that it needs in addition to those of MLflow. */
  readonly sessionKeys: readonly string[];
  /** What an unauthenticated client must get, for the probes of the operator. */
  readonly unauthenticated: Unauthenticated;
  /** The first administrator; undefined if MLflow stores no users. */
  readonly administrator?: (server: string) => Administrator;
  /** What the method adds to the pods of a server, and the database of its users. */
  readonly pod: (base: ServerBase, database: Database) => Authentication;
}

/** The answers of a method without settings. */
export const noSettings = {
  references: [],
  issuers: () => [],
  issuerCaFiles: [],
  urls: [],
  certificates: [],
  problems: () => [],
  sessionKeys: [],
  unauthenticated: { publicPath: "/health" },
};

/** What an unauthenticated client must get. Everything else must be rejected. */
export interface Unauthenticated {
  /** A path that answers 200 without a credential. */
  readonly publicPath: string;
  /** Whether all clients are allowed access. */
  readonly isOpen?: true;
  /** Whether MLflow itself checks passwords. Those of a directory are not tried: it could lock an account. */
  readonly hasPasswords?: true;
  /** Where pages redirect browsers: paths of the server, or URLs of the issuer with the client's ID. */
  readonly login?: { readonly paths: readonly string[]; readonly clientID?: string };
}

/** A URL, the field of the spec that sets it, and whether pods connect to it without being an issuer. */
export interface SettingsUrl {
  readonly path: string;
  readonly url: string;
  readonly isPeer?: true;
}

/** What an authentication method adds to the pods of a server. */
export interface Authentication {
  /** MLflow's application, which the operator's middleware wraps: python/src/mlflow_operator/app.py. */
  readonly application: "plain" | "basic-auth" | "oidc-auth" | "kubernetes-auth" | "kubernetes-identity";
  /** Additional files of python/src that MLflow imports, by the beginning of their names, and the text of settings files by path. */
  readonly programs?: { readonly files: string; readonly settings: Readonly<Record<string, string>> };
  /** The module of python/src that knows the groups of users; undefined if MLflow or its plugin does. */
  readonly groups?: string;
  /** Variables of the MLflow container; secrets are references. */
  readonly env: readonly V1EnvVar[];
  /** Files in `authDirectory` by name: the content of the Secret `<name>-auth-config`, which is omitted if empty. */
  readonly files: Readonly<Record<string, string>>;
  /** Additional volumes of the MLflow container, such as CA bundles. */
  readonly mounted: readonly Mounted[];
  /** Python packages that the image must contain, in addition to MLflow with its authentication extra. */
  readonly packages?: readonly string[];
  /** An additional origin for browsers: scheme, host and port. */
  readonly origin?: string | undefined;
  /** Where oauth2-proxy stores sessions; undefined for cookies, and without oauth2-proxy. */
  readonly sessionStore?: SessionStore;
  /** The path of the readiness probe; default `/health`. */
  readonly readinessPath?: string;
  /** The database of users and permissions; undefined if there are none. */
  readonly users?: UserDatabase;
}

/** The database of users and permissions, which is migrated along with the tracking database. */
export interface UserDatabase {
  readonly database: Database;
  /** Whether the spec has a separate database for them; otherwise they are in that of the backend store, or next to its file. */
  readonly isSeparate: boolean;
  /** The application that owns the users; each has its own schema. */
  readonly application: UserApplication;
  /** The first administrator's name and password, which MLflow checks when it creates the schema. */
  readonly administrator: readonly V1EnvVar[];
}

/** The Secret with the first administrator's name and password, if MLflow has its own users. */
export interface Administrator {
  readonly secretName: string;
  readonly usernameKey: string;
  readonly passwordKey: string;
  /** Whether the operator generates them, because the spec references no Secret. */
  readonly generated: boolean;
  /** Whether the administrator can log in: with LDAP, MLflow requires one to start, but it cannot log in. */
  readonly canLogIn: boolean;
}

/** A trusted issuer of tokens, and the field of the spec that sets it. */
export interface TokenIssuer {
  readonly issuer: string;
  readonly audience: string;
  readonly path: string;
  /** The field of the spec for its CA bundle. */
  readonly ca: string;
  /** Whether it is the issuer of the API server. */
  readonly isCluster?: true;
  /** Its discovery URL, unless it is the default. */
  readonly discovery?: string;
}

/** The directory of the files of an authentication method. */
export const authDirectory = "/etc/mlflow/auth";

/** MLflow without users and permissions. */
export const plain: Authentication = { application: "plain", env: [], files: {}, mounted: [] };

/** No authentication: every client that reaches the server is allowed access. */
export function noMethod(): AuthenticationMethod {
  return {
    ...noSettings,
    displayName: "None",
    unauthenticated: { publicPath: "/health", isOpen: true },
    pod: () => plain,
  };
}
