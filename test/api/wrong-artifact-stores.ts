import { azureBlobByKey, bucketByReference, existingClaim, gcsInFull } from "./documents.ts";
import { type Wrong, wrong } from "./wrong-document.ts";

const google = wrong(gcsInFull);
const azure = wrong(azureBlobByKey);
const referenced = wrong(bucketByReference);
const claimed = wrong(existingClaim);
const [gcs, azureBlob, volume] = ["gcs", "azureBlob", "persistentVolume"].map((each) => `spec.artifactStore.${each}`);
const location = "spec.artifactStore.additionalLocations";

/** Wrong settings of Google Cloud Storage, Azure Blob Storage, names of buckets by reference, and existing claims. */
export const wrongArtifactStores: readonly Wrong[] = [
  google(
    "two stores in two clouds",
    { [`${azureBlob}`]: { storageAccount: "models", container: "mlflow" } },
    "spec.artifactStore",
    "exactly one of persistentVolume, s3, gcs, azureBlob",
  ),
  google("no bucket", { [`${gcs}.bucket`]: undefined }, `${gcs}.bucket`, "Required value"),
  ...["gs://models", "models/a", "Models", "-models", "x"].map((bucket) =>
    google(`the bucket ${bucket}`, { [`${gcs}.bucket`]: bucket }, `${gcs}.bucket`, "without gs://"),
  ),
  ...["/a", "a/", "a//b", "a/../b", "a?b", "a#b", "a\\b"].flatMap((prefix) => [
    google(`the prefix ${prefix}`, { [`${gcs}.prefix`]: prefix }, `${gcs}.prefix`, "prefix is a path"),
    azure(`the prefix ${prefix}`, { [`${azureBlob}.prefix`]: prefix }, `${azureBlob}.prefix`, "prefix is a path"),
  ]),
  ...["storage.googleapis.com", "ftp://a", "https://a/b", "https://user:pass@a", "https://a?b=c"].map((url) =>
    google(
      `the endpoint ${url}`,
      { [`${gcs}.endpointURL`]: url },
      `${gcs}.endpointURL`,
      url.includes("@") ? "password or @" : "http or https URL of host and port",
    ),
  ),
  google(
    "credentials without key",
    { [`${gcs}.credentialsSecretRef`]: { name: "gcs" } },
    `${gcs}.credentialsSecretRef.key`,
    "Required value",
  ),
  google(
    "a connection check of a server that does not write",
    { "spec.artifactStore.access": "Direct", "spec.artifactStore.connectionCheck": true },
    "spec.artifactStore",
    "connectionCheck checks a bucket",
  ),
  azure(
    "two ways to authenticate",
    { [`${azureBlob}.connectionStringSecretRef`]: { name: "azure", key: "connection-string" } },
    `${azureBlob}`,
    "write one of them, or none for Workload ID",
  ),
  azure("no container", { [`${azureBlob}.container`]: undefined }, `${azureBlob}.container`, "Required value"),
  azure(
    "no storage account",
    { [`${azureBlob}.storageAccount`]: undefined },
    `${azureBlob}.storageAccount`,
    "Required value",
  ),
  ...["models.blob.core.windows.net", "https://models", "Models", "mo", "m-odels"].map((account) =>
    azure(
      `the storage account ${account}`,
      { [`${azureBlob}.storageAccount`]: account },
      `${azureBlob}.storageAccount`,
      account.length > 24 ? "may not be more than 24" : "without the domain",
    ),
  ),
  ...["ab", "a--b", "-ab", "ab-", "Models", "models/a", "$web"].map((container) =>
    azure(
      `the container ${container}`,
      { [`${azureBlob}.container`]: container },
      `${azureBlob}.container`,
      "without a path (use prefix",
    ),
  ),
  azure(
    "another domain",
    { [`${azureBlob}.endpointSuffix`]: "blob.example.com" },
    `${azureBlob}.endpointSuffix`,
    "blob.core.windows.net",
  ),
  referenced(
    "a name with two sources",
    { "spec.artifactStore.s3.bucketRef.secretRef": { name: "bucket" } },
    "spec.artifactStore.s3.bucketRef",
    "exactly one of configMapRef, secretRef",
  ),
  referenced(
    "a name without source",
    { "spec.artifactStore.s3.bucketRef": {} },
    "spec.artifactStore.s3.bucketRef",
    "exactly one of configMapRef, secretRef",
  ),
  ...(["size", "storageClassName"] as const).map((field) =>
    claimed(
      `${field} of an existing claim`,
      { [`${volume}.${field}`]: field === "size" ? "1Gi" : "fast" },
      `${volume}`,
      "leave out size and storageClassName",
    ),
  ),
  claimed("a folder without claim", { [`${volume}.existingClaim`]: undefined }, `${volume}`, "add existingClaim"),
  ...["/a", "a/", "a//b", "../a", "a/..", "a\\b"].map((subPath) =>
    claimed(`the folder ${subPath}`, { [`${volume}.subPath`]: subPath }, `${volume}.subPath`, "is a relative path"),
  ),
  claimed(
    "replicas on an existing claim that is not said to be shared",
    {
      "spec.replicas": 2,
      "spec.backendStore": { uriSecretRef: { name: "uri", key: "uri" } },
      [`${volume}.accessModes`]: undefined,
    },
    "spec.replicas",
    "accessModes: [ReadWriteMany]",
  ),
  ...[
    "gs://",
    "gs://bucket/",
    "gs://bucket/../x",
    "wasbs://mlflow/x",
    "wasbs://mlflow@models.example.com/x",
    "wasbs://mlflow@models.blob.core.windows.net/x?sv=1",
    "wasbs://user:password@models.blob.core.windows.net/x",
    "abfss://mlflow@models.dfs.core.windows.net/x",
  ].map((each) =>
    google(
      `the location ${each}`,
      { [location]: [each] },
      `${location}[0]`,
      /abfss|password/.test(each) ? "password or @" : "such as s3://former-bucket/mlflow",
    ),
  ),
];
