import type { V1EnvVar } from "@kubernetes/client-node";
import type { Mounted } from "../../features/common/mounted-volume.ts";
import type { Database, UserApplication } from "../../features/database/database.ts";
import type { Programs } from "../pod/program.ts";

/** The settings of one authentication method. Each method is one file of this folder. */
export interface Authentication {
  /** MLflow's application, which the operator's middleware wraps: python/src/mlflow_operator/app.py. */
  readonly application: "plain" | "basic-auth" | "oidc-auth" | "kubernetes-auth" | "kubernetes-identity";
  /** Additional programs that MLflow imports. */
  readonly programs?: Programs;
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
  /** The path of the readiness probe; default `/health`. */
  readonly readinessPath?: string;
  /** The database of users and permissions; undefined if there are none. */
  readonly users?: UserDatabase;
}

/** The database of users and permissions, which is migrated along with the tracking database. */
export interface UserDatabase {
  readonly database: Database;
  /** Whether the spec has a separate database for them; otherwise they are in that of the backend store, or beside its file. */
  readonly isSeparate: boolean;
  /** The application that owns the users; each has its own schema. */
  readonly application: UserApplication;
  /** The first administrator's name and password, which MLflow checks when it creates the schema. */
  readonly administrator: readonly V1EnvVar[];
}

/** The directory of the files of an authentication method. */
export const authDirectory = "/etc/mlflow/auth";
