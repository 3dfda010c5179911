import type { V1EnvVar } from "@kubernetes/client-node";
import type { Postgresql } from "../../api/fields/postgresql.ts";
import type { Mounted } from "../pod/mounted-volume.ts";
import type { Programs } from "../pod/program.ts";

/** What one way of authentication brings to a server. Each way is one file of this folder. */
export interface Authentication {
  /** MLflow's application, which the operator's layer is put around: src/resources/middleware/mlflow_operator/app.py. */
  readonly application: "plain" | "basic-auth" | "oidc-auth" | "kubernetes-auth" | "kubernetes-identity";
  /** What MLflow imports for it besides that layer. */
  readonly programs?: Programs;
  /** Variables of the MLflow container, by reference where they are secret. */
  readonly env: readonly V1EnvVar[];
  /** What pods read as files in `authDirectory`, by name: the content of the Secret `<name>-auth-config`; none: no Secret. */
  readonly files: Readonly<Record<string, string>>;
  /** Further volumes of the MLflow container, such as certificate authorities. */
  readonly mounted: readonly Mounted[];
  /** Python packages that the image must have, beyond those of MLflow with its authentication extra. */
  readonly packages?: readonly string[];
  /** Where browsers find the server, beside the Service's own names: scheme, host and port. */
  readonly origin?: string | undefined;
  /** Where a pod says whether it can let anybody in; default: `/health`. */
  readonly readinessPath?: string;
  /** Where MLflow keeps users and permissions; undefined where it keeps none. */
  readonly users?: UserDatabase;
}

/** The database of users and permissions, which is migrated along with the tracking database. */
export interface UserDatabase {
  /** Its own; undefined: it is the backend store's. */
  readonly postgresql: Postgresql | undefined;
  /** What keeps them there; each has a schema of its own. */
  readonly application: "basic-auth" | "oidc-auth";
  /** The first administrator's name and password, which MLflow checks when it makes the schema. */
  readonly administrator: readonly V1EnvVar[];
}

/** Where the files of a way are mounted. */
export const authDirectory = "/etc/mlflow/auth";
