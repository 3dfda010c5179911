import type { V1EnvVar } from "@kubernetes/client-node";
import type { BucketRef } from "../../api/fields/bucket.ts";
import { escaped } from "../../kube/variable.ts";
import { configMapReference, type Reference, secretReference } from "../common/reference.ts";
import type { StoredValue } from "./storage.ts";

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
export function bucketOf(
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
