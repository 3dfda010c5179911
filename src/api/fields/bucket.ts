import { z } from "zod";
import { exactlyOneOf, type Rule, rules } from "./rule.ts";
import { dataKey, objectName, text } from "./text.ts";

/** The path within a bucket or container. */
export function storePrefix(what: "bucket" | "container") {
  return text(`Path within the ${what}. Default: the root of the ${what}. Example: team-a/mlflow.`, 512, {
    rule: String.raw`!self.startsWith('/') && !self.endsWith('/') && !self.matches('[?#\\\\]|//|(^|/)[.][.]?(/|$)')`,
    message:
      "prefix is a path such as team-a/mlflow: without a leading or trailing slash, and without //, ., .., ?, # and backslash",
  });
}

const keyOf = (kind: string) =>
  z
    .strictObject({
      name: objectName("Name, in this namespace."),
      key: dataKey("Key of the name. Default: BUCKET_NAME.").optional(),
    })
    .meta({ description: `A ${kind} with the name. Example: {name: mlflow-artifacts}.` });

/** A ConfigMap or Secret with the name of a bucket, as an ObjectBucketClaim or Crossplane writes it. */
export const bucketRef = z
  .strictObject({ configMapRef: keyOf("ConfigMap").optional(), secretRef: keyOf("Secret").optional() })
  .meta({
    description:
      "A ConfigMap or Secret with the name of the bucket, such as that of an ObjectBucketClaim; instead of bucket. Default: none. Example: {configMapRef: {name: mlflow-artifacts}}.",
    ...rules(exactlyOneOf(["configMapRef", "secretRef"], "the name has one source")),
  });

/** The rule of a store with a bucket by its name, or by a reference. */
export const oneBucket: Rule = exactlyOneOf(
  ["bucket", "bucketRef"],
  "write the name of the bucket, or where the name is",
);

export type BucketRef = z.infer<typeof bucketRef>;
