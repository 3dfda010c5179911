import { z } from "zod";
import { storePrefix } from "./bucket.ts";
import { hostWithPort } from "./host.ts";
import { secretKey } from "./reference.ts";
import { plainText, url } from "./text.ts";

/** The field `artifactStore.gcs`. */
export const gcs = z
  .strictObject({
    bucket: plainText("Name of the bucket; it must exist. Example: mlflow-artifacts.", 222, {
      rule: "self.matches('^[a-z0-9][a-z0-9._-]+[a-z0-9]$')",
      message:
        "bucket is a bucket name only (lower case letters, digits, -, _ and .), without gs:// and without a path (use prefix for the path)",
    }),
    prefix: storePrefix("bucket").optional(),
    endpointURL: url(
      "URL of the service, such as a Private Service Connect endpoint. Default: https://storage.googleapis.com. Example: https://storage-vpc.p.googleapis.com.",
      512,
      {
        rule: `self.matches('^https?://${hostWithPort}$')`,
        message: "endpointURL is an http or https URL of host and port, such as https://storage-vpc.p.googleapis.com",
      },
    ).optional(),
    credentialsSecretRef: secretKey(
      "The JSON key of a service account, or a configuration of Workload Identity Federation. Default: none; the pods get their permissions from Workload Identity on GKE. A change rolls the pods. Example: {name: mlflow-gcs, key: key.json}.",
    ).optional(),
  })
  .meta({
    description: "A bucket in Google Cloud Storage. Example: {bucket: mlflow-artifacts}.",
  });
