import type { ArtifactStore } from "../../api/fields/artifact-store.ts";
import { escaped, literal } from "../../kube/variable.ts";
import { keyFiles } from "../common/mounted-volume.ts";
import { secretReference } from "../common/reference.ts";
import type { ArtifactStorage } from "./storage.ts";

const path = "spec.artifactStore.gcs";
const directory = "/etc/mlflow/gcs";
const file = "credentials.json";

/** A bucket in Google Cloud Storage. */
export function gcsStorage(gcs: NonNullable<ArtifactStore["gcs"]>): ArtifactStorage {
  const { bucket, prefix, endpointURL, credentialsSecretRef } = gcs;
  const credentials = credentialsSecretRef === undefined ? [] : [credentialsSecretRef];
  const references = credentials.map(({ name, key }) => secretReference(name, [key], `${path}.credentialsSecretRef`));
  return {
    kind: "GCS",
    location: `gs://${escaped(bucket)}${prefix === undefined ? "" : `/${escaped(prefix)}`}`,
    env: [
      ...(endpointURL === undefined ? [] : [literal("API_ENDPOINT_OVERRIDE", endpointURL)]),
      ...credentials.map(() => literal("GOOGLE_APPLICATION_CREDENTIALS", `${directory}/${file}`)),
    ],
    mounted: credentials.map(({ name, key }) => keyFiles("gcs-credentials", name, directory, { [file]: key })),
    references,
    values: credentials.map(({ name, key }) => ({ kind: "Secret", name, key, problemOf: problemOfCredentials })),
    urls: [
      endpointURL === undefined
        ? { url: "https://storage.googleapis.com" }
        : { url: endpointURL, path: `${path}.endpointURL` },
      // Where credentials are exchanged for a token.
      { url: "https://oauth2.googleapis.com" },
    ],
    usesCloudIdentity: credentials.length === 0,
    check: { fields: gcs, sources: references },
  };
}

/** Kinds of credentials that need neither interaction nor a program: those of service accounts, and of Workload Identity Federation. */
const types = ["service_account", "external_account", "impersonated_service_account"];

/** MLflow uses an anonymous client if it cannot read the file. */
function problemOfCredentials(text: string): string | undefined {
  try {
    const credentials: unknown = JSON.parse(text);
    if (typeof credentials === "object" && credentials !== null && "type" in credentials)
      if (types.includes(String(credentials.type))) return undefined;
  } catch {}
  return `must be JSON with the type ${types.join(" or ")}: write the key file of a service account, as gcloud iam service-accounts keys create does`;
}
