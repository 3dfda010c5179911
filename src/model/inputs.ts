import type { ImageDigests } from "../api/images.ts";
import type { MlflowServer } from "../api/server.ts";
import type { ConfigMap, Secret } from "../kube/manifests.ts";
import type { ContentSummary } from "./content.ts";
import type { RouteKind } from "./exposure.ts";
import type { MeshStep } from "./mesh.ts";
import type { Rotations } from "./rotation.ts";

/** Settings of the operator, the same for all servers. */
export interface Installation {
  /** Repository of the MLflow image without tag: `ghcr.io/mlflow-operator/mlflow-server`. */
  readonly imageRepository: string;
  /** Digests of the MLflow image by version, used instead of the tag if a server sets no image. */
  readonly imageDigests?: ImageDigests | undefined;
  /** Image of oauth2-proxy with tag or digest: `quay.io/oauth2-proxy/oauth2-proxy:v7.15.6`. */
  readonly proxyImage: string;
  /** Additional images that servers can use: repositories, or `prefix/*`; undefined allows all. */
  readonly allowedImages?: readonly string[] | undefined;
  /** DNS domain of the cluster's Services: `cluster.local`. */
  readonly clusterDomain: string;
  /** Who decides the user and group of the pods. Default: fixed. */
  readonly userIDs?: UserIDs | undefined;
  /** Seconds during which missing prerequisites of a new generation are reported as Reconciling; default 120. */
  readonly gracePeriodSeconds?: number | undefined;
  /** How operator upgrades change servers; undefined to change all servers at the same time. */
  readonly upgrade?: Upgrade | undefined;
  /** The namespace of the operator's pods, from which it probes servers; undefined if it runs outside the cluster. */
  readonly operatorNamespace?: string | undefined;
  /** The only namespaces that the operator works in; undefined for all. */
  readonly namespaces?: readonly string[] | undefined;
}

/** The user and group of pods: `fixed`, those of the image, or `namespace`, those that OpenShift assigns to pods without. */
export type UserIDs = "fixed" | "namespace";

/** A version of the operator with its settings, and how many servers it changes at the same time. */
export interface Upgrade {
  /** Changes with the version and with every setting that a pod template depends on. */
  readonly revision: string;
  readonly concurrency: number;
}

/** Keys that are generated once per server, or provided by the user (`server.sessionSecretRef`). */
export interface SessionKeys {
  /** Signs session cookies and CSRF tokens; the same on all replicas. */
  readonly flaskSecretKey: string;
  /** Encrypts provider credentials in the database; MLflow's own default is public. */
  readonly kekPassphrase: string;
  /** Fernet key (32 bytes, URL-safe base64): encrypts webhook secrets in the database. */
  readonly webhookKey: string;
  /** Encrypts and signs the proxy's sessions (32 letters and digits); undefined if the server never had a proxy. */
  readonly cookieSecret?: string;
  /** The version of `kekPassphrase`, of which the key is derived, too; undefined for 1. */
  readonly kekVersion?: string;
  /** The key of hashes in annotations, names and the status, which is never rotated; undefined for `flaskSecretKey`. */
  readonly hashKey?: string;
  /** Keys that pods accept during a rotation, but do not use: the next or the previous ones. */
  readonly accepted?: AcceptedKeys;
  readonly rotations?: Rotations;
}

/** The keys that pods accept besides the current ones. */
export interface AcceptedKeys {
  readonly flaskSecretKey?: string;
  readonly kekPassphrase?: string;
  readonly kekVersion?: string;
  readonly webhookKey?: string;
}

/** User name and password of the first administrator. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
  /** The password of a rotation, until MLflow has it. */
  readonly nextPassword?: string;
  readonly rotations?: Rotations;
}

/**
 * Content of the Secrets and ConfigMaps that the spec references; a name that is not in the map does not exist. Contains the values
 * of the keys in `referencesOf`; of other keys only the name, and a digest of the whole content.
 */
export interface References {
  readonly secrets: ReadonlyMap<string, Secret & ContentSummary>;
  readonly configMaps: ReadonlyMap<string, ConfigMap & ContentSummary>;
}

/**
 * Everything that the desired state depends on. Includes generated keys and passwords, stored or new, so that builders
 * are pure functions and applying twice never rotates a key.
 */
export interface Inputs {
  readonly server: MlflowServer;
  readonly installation: Installation;
  readonly session: SessionKeys;
  /** Undefined if the spec references a Secret or the authentication method has no administrator. */
  readonly generatedAdmin?: Credentials;
  readonly references: References;
  /** The PersistentVolumeClaim in the cluster; undefined if there is none yet. */
  readonly volumeClaim?: { readonly uid: string | undefined };
  /** The mesh steps that are enabled. */
  readonly mesh: ReadonlySet<MeshStep>;
  /** Whether policies are not changed, because the trust domain of the spec does not match the mesh. */
  readonly keepsMeshPolicies?: boolean;
  /** The kinds of routes that can be written. */
  readonly routes: ReadonlySet<RouteKind>;
  /** Namespaces that are workspaces of this server: they have opted in, and the spec selects them. */
  readonly workspaces: readonly string[];
}
