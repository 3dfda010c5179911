import type { ImageDigests } from "../api/image-digests.ts";
import type { MlflowServer } from "../api/server.ts";
import type { ConfigMap, Secret } from "../kube/manifests.ts";
import type { ContentSummary } from "./content.ts";
import type { RouteKind } from "./exposure.ts";
import type { MeshStep } from "./mesh/steps.ts";

/** What holds for all servers of this operator: its settings, not the user's. */
export interface Installation {
  /** Repository of the MLflow image, without tag: `ghcr.io/mlflow-operator/mlflow-server`. */
  readonly imageRepository: string;
  /** Of the MLflow image, by version: such a digest stands for the tag where a server names no image of its own. */
  readonly imageDigests?: ImageDigests | undefined;
  /** Image of oauth2-proxy with tag or digest: `quay.io/oauth2-proxy/oauth2-proxy:v7.15.6`. */
  readonly proxyImage: string;
  /** Images that servers can name besides these two: repositories, or `prefix/*`; any without it. */
  readonly allowedImages?: readonly string[] | undefined;
  /** DNS domain of the cluster's Services: `cluster.local`. */
  readonly clusterDomain: string;
  /** Seconds in which others may create what a new generation needs; default 120. */
  readonly gracePeriodSeconds?: number | undefined;
  /** The only namespaces that the operator works in; all without it. */
  readonly namespaces?: readonly string[] | undefined;
}

/** Keys that are invented once per server, or are the user's own (`server.sessionSecretRef`). */
export interface SessionKeys {
  /** Signs session cookies and CSRF tokens; the same on all replicas. */
  readonly flaskSecretKey: string;
  /** Encrypts provider credentials in the database; MLflow's own default is public. */
  readonly kekPassphrase: string;
  /** Fernet key (32 bytes, URL-safe base64): encrypts webhook secrets in the database. */
  readonly webhookKey: string;
  /** Encrypts and signs the proxy's sessions (32 letters and digits); undefined where the server never had a proxy. */
  readonly cookieSecret?: string;
}

/** User name and password of the first administrator. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/**
 * Content of the Secrets and ConfigMaps that the spec names; a name that is not in the map does not exist. Values are there
 * of the keys that `referencesOf` names; of the others only the keys are, and a digest of all.
 */
export interface References {
  readonly secrets: ReadonlyMap<string, Secret & ContentSummary>;
  readonly configMaps: ReadonlyMap<string, ConfigMap & ContentSummary>;
}

/**
 * All that desired state depends on. What is invented (a key, a password) is in here, stored or fresh, so that builders
 * are pure and applying twice never rotates anything.
 */
export interface Inputs {
  readonly server: MlflowServer;
  readonly installation: Installation;
  readonly session: SessionKeys;
  /** Undefined where the spec names a Secret of its own or nobody has to log in. */
  readonly generatedAdmin?: Credentials;
  readonly references: References;
  /** The volume's claim as it is in the cluster; undefined where there is none yet. */
  readonly volumeClaim?: { readonly uid: string | undefined };
  /** How far the server may be in the mesh. */
  readonly mesh: ReadonlySet<MeshStep>;
  /** The identities of the spec are none of the mesh: policies stay as they are. */
  readonly isMeshHeld?: boolean;
  /** What may lead clients from outside to the server, as far as the spec asks for it. */
  readonly routes: ReadonlySet<RouteKind>;
  /** Namespaces that are workspaces of this server: they consent, and the spec chooses them. */
  readonly workspaces: readonly string[];
}
