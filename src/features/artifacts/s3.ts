import type { ArtifactStore } from "../../api/fields/artifact-store.ts";
import { escaped, fromSecret, literal } from "../../kube/variable.ts";
import { caFileVolume } from "../common/mounted-volume.ts";
import { caReferences, secretReference } from "../common/reference.ts";
import { bucketOf } from "./bucket.ts";
import type { ArtifactStorage } from "./storage.ts";

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
