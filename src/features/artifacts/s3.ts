import type { ArtifactStore } from "../../api/fields/artifact-store.ts";
import { fromSecret, literal } from "../../kube/variable.ts";
import { caFileVolume } from "../common/mounted-volume.ts";
import { caReferences, secretReference } from "../common/reference.ts";
import type { ArtifactStorage } from "./storage.ts";

const path = "spec.artifactStore.s3";
const caPath = "/etc/mlflow/ca/s3/ca.crt";

/** A bucket in S3 or a compatible store. */
export function s3Storage(s3: NonNullable<ArtifactStore["s3"]>): ArtifactStorage {
  const { bucket, prefix, region, endpointURL, credentialsSecretRef, ca } = s3;
  const credentials = credentialsSecretRef && {
    name: credentialsSecretRef.name,
    idKey: credentialsSecretRef.accessKeyIDKey ?? "AWS_ACCESS_KEY_ID",
    secretKey: credentialsSecretRef.secretAccessKeyKey ?? "AWS_SECRET_ACCESS_KEY",
  };
  return {
    kind: "S3",
    location: `s3://${bucket}${prefix === undefined ? "" : `/${prefix}`}`,
    env: [
      ...(region === undefined ? [] : [literal("AWS_REGION", region), literal("AWS_DEFAULT_REGION", region)]),
      ...(endpointURL === undefined ? [] : [literal("MLFLOW_S3_ENDPOINT_URL", endpointURL)]),
      ...(ca === undefined ? [] : [literal("AWS_CA_BUNDLE", caPath)]),
      ...(credentials === undefined
        ? []
        : [
            fromSecret("AWS_ACCESS_KEY_ID", credentials.name, credentials.idKey),
            fromSecret("AWS_SECRET_ACCESS_KEY", credentials.name, credentials.secretKey),
          ]),
    ],
    mounted: ca === undefined ? [] : [caFileVolume("ca-s3", ca, caPath)],
    references: [
      ...(credentials === undefined
        ? []
        : [
            secretReference(
              credentials.name,
              [credentials.idKey, credentials.secretKey],
              `${path}.credentialsSecretRef`,
            ),
          ]),
      ...caReferences(ca, `${path}.ca`),
    ],
    urls: [
      endpointURL === undefined
        ? { url: "https://s3.amazonaws.com" }
        : { url: endpointURL, path: `${path}.endpointURL` },
    ],
    usesCloudIdentity: credentials === undefined,
    check: { fields: s3, secretNames: credentials === undefined ? [] : [credentials.name] },
  };
}
