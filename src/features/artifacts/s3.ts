import type { V1EnvVar } from "@kubernetes/client-node";
import type { ArtifactStore } from "../../api/fields/artifact-store.ts";
import type { BucketRef } from "../../api/fields/bucket.ts";
import { escaped, fromSecret, literal } from "../../kube/variable.ts";
import { caFileVolume } from "../common/mounted-volume.ts";
import { caReferences, configMapReference, type Reference, secretReference } from "../common/reference.ts";
import type { ArtifactStorage, StoredValue } from "./storage.ts";

const path = "spec.artifactStore.s3";
const caPath = "/etc/mlflow/ca/s3/ca.crt";

/** A bucket in S3 or a compatible store. */
export function s3Storage(s3: NonNullable<ArtifactStore["s3"]>): ArtifactStorage {
  const { prefix, region, endpointURL, ca } = s3;
  const bucket = bucketOf(s3, path);
  const credentials = credentialsOf(s3);
  return {
    kind: "S3",
    location: `s3://${bucket.name}${prefix === undefined ? "" : `/${escaped(prefix)}`}`,
    env: [
      ...bucket.env,
      ...(region === undefined ? [] : [literal("AWS_REGION", region), literal("AWS_DEFAULT_REGION", region)]),
      ...(endpointURL === undefined ? [] : [literal("MLFLOW_S3_ENDPOINT_URL", endpointURL)]),
      ...(ca === undefined ? [] : [literal("AWS_CA_BUNDLE", caPath)]),
      ...credentials.flatMap(({ name, id, secret }) => [
        fromSecret("AWS_ACCESS_KEY_ID", name, id),
        fromSecret("AWS_SECRET_ACCESS_KEY", name, secret),
      ]),
    ],
    mounted: ca === undefined ? [] : [caFileVolume("ca-s3", ca, caPath)],
    references: [
      ...bucket.references,
      ...credentials.map(({ name, id, secret }) => secretReference(name, [id, secret], `${path}.credentialsSecretRef`)),
      ...caReferences(ca, `${path}.ca`),
    ],
    values: bucket.values,
    urls: [
      endpointURL === undefined
        ? { url: "https://s3.amazonaws.com" }
        : { url: endpointURL, path: `${path}.endpointURL` },
    ],
    usesCloudIdentity: credentials.length === 0,
    check: {
      fields: s3,
      sources: [...bucket.references, ...credentials.map(({ name }) => ({ kind: "Secret" as const, name }))],
    },
  };
}

/** The Secret with the access key, and its keys. Empty if the pods get their permissions from the cloud. */
function credentialsOf({ credentialsSecretRef }: NonNullable<ArtifactStore["s3"]>) {
  if (credentialsSecretRef === undefined) return [];
  const { name, accessKeyIDKey: id = "AWS_ACCESS_KEY_ID" } = credentialsSecretRef;
  return [{ name, id, secret: credentialsSecretRef.secretAccessKeyKey ?? "AWS_SECRET_ACCESS_KEY" }];
}

/** The name of a bucket. */
export interface Bucket {
  /** The name, or an expansion of the variable in `env`: names from a Secret are not in pod specs. */
  readonly name: string;
  readonly env: readonly V1EnvVar[];
  readonly references: readonly Reference[];
  readonly values: readonly StoredValue[];
}

const variable = "MLFLOW_OPERATOR_BUCKET";

/** Returns the bucket of a store, by its name or by the reference to it. */
function bucketOf(
  { bucket, bucketRef }: { readonly bucket?: string | undefined; readonly bucketRef?: BucketRef | undefined },
  path: string,
): Bucket {
  if (bucketRef === undefined) return { name: escaped(bucket ?? ""), env: [], references: [], values: [] };
  const { configMapRef, secretRef } = bucketRef;
  const { name = "", key = "BUCKET_NAME" } = secretRef ?? configMapRef ?? {};
  const kind = secretRef === undefined ? "ConfigMap" : "Secret";
  const selected = { name, key };
  const valueFrom = secretRef === undefined ? { configMapKeyRef: selected } : { secretKeyRef: selected };
  const reference = secretRef === undefined ? configMapReference : secretReference;
  return {
    name: `$(${variable})`,
    env: [{ name: variable, valueFrom }],
    references: [reference(name, [key], `${path}.bucketRef`)],
    values: [{ kind, name, key, problemOf: problemOfName }],
  };
}

function problemOfName(name: string): string | undefined {
  return /^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/.test(name)
    ? undefined
    : "must be the name of a bucket: lower case letters, digits, - and ., without a line break (printf, not echo)";
}
