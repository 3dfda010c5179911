import type { ArtifactStore } from "../../api/fields/artifact-store.ts";
import type { MlflowServerSpec } from "../../api/spec.ts";
import { escaped, fromSecret } from "../../kube/variable.ts";
import { secretReference } from "../common/reference.ts";
import type { ArtifactStorage } from "./storage.ts";

const path = "spec.artifactStore.azureBlob";

/** A container in Azure Blob Storage. */
export function azureBlobStorage(
  azureBlob: NonNullable<ArtifactStore["azureBlob"]>,
  { serviceAccount }: Pick<MlflowServerSpec, "serviceAccount">,
): ArtifactStorage {
  const { storageAccount, container, prefix, endpointSuffix = "blob.core.windows.net" } = azureBlob;
  const host = `${storageAccount}.${endpointSuffix}`;
  const credentials = credentialsOf(azureBlob);
  const references = credentials.map(({ field, name, key }) => secretReference(name, [key], `${path}.${field}`));
  const usesWorkloadId = serviceAccount?.annotations?.["azure.workload.identity/client-id"] !== undefined;
  return {
    kind: "AzureBlob",
    location: `wasbs://${container}@${host}${prefix === undefined ? "" : `/${escaped(prefix)}`}`,
    // Never empty: MLflow only checks whether they exist.
    env: credentials.map(({ variable, name, key }) => fromSecret(variable, name, key)),
    mounted: [],
    // Without it the webhook of Workload ID gives the pods no token.
    ...(references.length === 0 && usesWorkloadId && { podLabels: { "azure.workload.identity/use": "true" } }),
    references,
    values: credentials.map(({ name, key, problemOf }) => ({ kind: "Secret", name, key, problemOf })),
    // A connection string can have another endpoint, whose port is in a Secret.
    urls: [{ url: `https://${host}` }],
    usesCloudIdentity: references.length === 0,
    check: { fields: azureBlob, sources: references },
  };
}

/** The key of a Secret for each kind of credentials that is given. Empty if the pods get their permissions from the cloud. */
function credentialsOf({
  storageAccount,
  connectionStringSecretRef,
  accessKeySecretRef,
}: NonNullable<ArtifactStore["azureBlob"]>) {
  return [
    {
      field: "connectionStringSecretRef",
      reference: connectionStringSecretRef,
      variable: "AZURE_STORAGE_CONNECTION_STRING",
      problemOf: (text: string) => problemOfConnectionString(text, storageAccount),
    },
    {
      field: "accessKeySecretRef",
      reference: accessKeySecretRef,
      variable: "AZURE_STORAGE_ACCESS_KEY",
      problemOf: problemOfAccessKey,
    },
  ].flatMap(({ reference, ...credentials }) => (reference === undefined ? [] : [{ ...credentials, ...reference }]));
}

/** MLflow takes the account of the connection string, regardless of the account in its location. */
function problemOfConnectionString(text: string, storageAccount: string): string | undefined {
  const settings = new Map(
    text.split(";").flatMap((part) => {
      const [name = "", ...value] = part.split("=");
      return value.length === 0 ? [] : [[name.trim().toLowerCase(), value.join("=")] as const];
    }),
  );
  const hasAccount = settings.has("accountname") || settings.has("blobendpoint");
  if (/[\r\n]/.test(text) || !hasAccount || !(settings.has("accountkey") || settings.has("sharedaccesssignature")))
    return "must be a connection string of one line, with AccountName or BlobEndpoint, and AccountKey or SharedAccessSignature: copy it from the access keys of the storage account (printf, not echo)";
  const account = settings.get("accountname");
  if (account === undefined || account === storageAccount) return undefined;
  return `is of another storage account than ${storageAccount}, where artifacts would not be stored: correct it, or storageAccount`;
}

function problemOfAccessKey(text: string): string | undefined {
  return /^[A-Za-z0-9+/]{43,}={0,2}$/.test(text)
    ? undefined
    : "must be an access key in base64, of one line: copy it from the access keys of the storage account (printf, not echo)";
}
