import type { V1EnvVar } from "@kubernetes/client-node";
import type { Mounted } from "../common/mounted-volume.ts";
import type { Reference } from "../common/reference.ts";

/** What the operator needs to know about the store of artifacts of a spec. Each kind of store is one file of this folder. */
export interface ArtifactStorage {
  /** The name of the kind in `status.artifactStore`. */
  readonly kind: string;
  /** Where MLflow stores artifacts: a URI, or a path on the volume. Can expand variables of `env`. */
  readonly location: string;
  /** Variables for the access to that location; secrets are references. */
  readonly env: readonly V1EnvVar[];
  /** Volumes with CA bundles and credentials. */
  readonly mounted: readonly Mounted[];
  /** Labels that pods need to get credentials. */
  readonly podLabels?: Readonly<Record<string, string>>;
  /** The Secrets and ConfigMaps that the fields of the store reference. */
  readonly references: readonly Reference[];
  /** The referenced values that are wrong in a way that no message of MLflow explains. */
  readonly values?: readonly StoredValue[];
  /** The URLs that MLflow connects to. */
  readonly urls: readonly StoreUrl[];
  /** Whether the pods get their credentials from the cloud, because the spec references none. */
  readonly usesCloudIdentity: boolean;
  /** What the check that MLflow can write depends on; undefined if pods need no such check. */
  readonly check?: StoreCheck;
  /** The server's volume; undefined for a store outside the pods. */
  readonly volume?: StoreVolume;
}

/** A URL, and the field of the spec that it comes from; without field for the default of a store. */
export interface StoreUrl {
  readonly url: string;
  readonly path?: string;
}

/** A value of a Secret or ConfigMap. */
export interface StoredValue {
  readonly kind: Reference["kind"];
  readonly name: string;
  readonly key: string;
  /** What is wrong with the value and what to write instead, after "the key k of Secret s"; never contains the value. */
  readonly problemOf: (value: string) => string | undefined;
}

/** The fields of a store, and the objects with its name and credentials: the check runs again when one of them changes. */
export interface StoreCheck {
  readonly fields: object;
  readonly sources: readonly Pick<Reference, "kind" | "name">[];
}

/** The settings of a volume with artifacts. */
export interface StoreVolume {
  /** A claim that the operator does not manage; undefined for the server's own. */
  readonly existingClaim: string | undefined;
  /** The folder of the existing claim. */
  readonly subPath: string | undefined;
  readonly size: string;
  readonly storageClassName: string | undefined;
  readonly accessModes: readonly string[];
  /** Whether pods on several nodes can use it at the same time. */
  readonly isShared: boolean;
}
