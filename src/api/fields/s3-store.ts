import { z } from "zod";
import { bucketRef, oneBucket, storePrefix } from "./bucket.ts";
import { hostWithPort } from "./host.ts";
import { certificateAuthority } from "./reference.ts";
import { rules } from "./rule.ts";
import { dataKey, objectName, plainText, text, url } from "./text.ts";

/** The name of a bucket. */
export function bucketName(description: string) {
  return plainText(description, 63, {
    rule: "self.matches('^[a-z0-9][a-z0-9.-]+[a-z0-9]$')",
    message:
      "bucket is a bucket name only (lower case letters, digits, - and .), without s3:// and without a path (use prefix for the path)",
  });
}

/** A Secret with an access key. */
export function accessKeySecret(description: string) {
  return z
    .strictObject({
      name: objectName("Name, in this namespace."),
      accessKeyIDKey: dataKey("Key of the access key id. Default: AWS_ACCESS_KEY_ID.").optional(),
      secretAccessKeyKey: dataKey("Key of the secret access key. Default: AWS_SECRET_ACCESS_KEY.").optional(),
    })
    .meta({ description });
}

/** The field `artifactStore.s3`. */
export const s3 = z
  .strictObject({
    bucket: bucketName("Name of the bucket; it must exist. Example: mlflow-artifacts.").optional(),
    bucketRef: bucketRef.optional(),
    prefix: storePrefix("bucket").optional(),
    region: text("Region of the bucket. Default: that of the AWS SDK. Example: eu-central-1.", 63).optional(),
    endpointURL: url("URL of an S3-compatible store. Default: AWS. Example: https://minio.example.com:9000.", 512, {
      rule: String.raw`self.matches('^https?://${hostWithPort}(/[^@?#\\s]*)?$')`,
      message:
        "endpointURL is an http or https URL of host and port, such as https://minio.example.com:9000, without user and query",
    }).optional(),
    credentialsSecretRef: accessKeySecret(
      "The access key. Default: none; the pods get their permissions from the cloud, such as by serviceAccount.annotations (IRSA). A change rolls the pods. Example: {name: mlflow-s3}.",
    ).optional(),
    ca: certificateAuthority(
      "CA bundle for the store at endpointURL. Default: the public CAs. Example: {configMapRef: {name: example-ca}}.",
    ).optional(),
  })
  .meta({
    description: "A bucket in S3 or an S3-compatible store. Example: {bucket: mlflow-artifacts, region: eu-central-1}.",
    ...rules(oneBucket),
  });
