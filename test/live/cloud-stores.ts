import { generateKeyPairSync, randomBytes } from "node:crypto";
import { azuriteImage, fakeGcsImage } from "../cluster/cloud-stores.ts";
import { startDependency } from "./dependency.ts";
import type { LiveFixture } from "./live-fixture.ts";

/** Google Cloud Storage and Azure Blob Storage in the namespace, with one bucket and one account. */
export interface CloudStores {
  readonly gcs: { readonly bucket: string; readonly endpointURL: string };
  readonly azureBlob: { readonly storageAccount: string };
  /** The key file of a service account of Google: `writer` and `reader` exist, no other. */
  readonly keyFile: (account: string) => string;
  /** A connection string of the storage account with this key. Default: the right one. */
  readonly connectionString: (key?: string) => string;
}

const [bucket, account] = ["models-of-tests", "modelsoftests"];

/** Starts both. */
export async function startCloudStores(fixture: LiveFixture): Promise<CloudStores> {
  const accountKey = randomBytes(64).toString("base64");
  const endpoint = "http://gcs:9000";
  await Promise.all([
    startDependency(fixture, {
      name: "gcs",
      port: 9000,
      container: { image: await fixture.cluster.image(await fakeGcsImage()), args: [endpoint, bucket] },
      dataPath: "/data",
      user: 65532,
    }),
    startDependency(fixture, {
      name: "azurite",
      port: 10_000,
      container: {
        image: await fixture.cluster.image(await azuriteImage()),
        env: [{ name: "AZURITE_ACCOUNTS", value: `${account}:${accountKey}` }],
      },
      dataPath: "/tmp",
      user: 1000,
    }),
  ]);
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return {
    gcs: { bucket, endpointURL: endpoint },
    azureBlob: { storageAccount: account },
    keyFile: (name) =>
      JSON.stringify({
        type: "service_account",
        project_id: "tests",
        private_key_id: "1",
        private_key: privateKey.export({ type: "pkcs8", format: "pem" }),
        client_email: `${name}@tests.iam.gserviceaccount.com`,
        token_uri: `${endpoint}/token`,
      }),
    connectionString: (key = accountKey) =>
      `DefaultEndpointsProtocol=http;AccountName=${account};AccountKey=${key};BlobEndpoint=http://azurite:10000/${account}`,
  };
}
