import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { startCloudStores } from "./cloud-stores.ts";
import { testedVersion } from "./live-cluster.ts";
import { adminOf, liveFixture } from "./live-fixture.ts";
import { assertKept, logRun } from "./tracked-run.ts";

const name = "in-a-cloud";

/** In the server's pod, which has the store's credentials: creates the container of Azure. */
const createContainer = `
import os, sys
from azure.storage.blob import BlobServiceClient
BlobServiceClient.from_connection_string(sys.argv[1]).create_container("mlflow")
`;

/**
 * In the server's pod: logs a small file and a larger one with MLflow's own client, through the server, and fetches them again. Prints the downloaded content, and the names of the objects in the store.
 */
const program = `
import json, os, pathlib, sys, tempfile
login = json.load(sys.stdin)
os.environ.update(
    MLFLOW_TRACKING_URI="http://127.0.0.1:5000",
    MLFLOW_TRACKING_USERNAME=login["username"],
    MLFLOW_TRACKING_PASSWORD=login["password"],
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR="false",
)
import mlflow

sizes = {"small ä+b %.txt": 5, "large.bin": 12 << 20}
folder = pathlib.Path(tempfile.mkdtemp())
for name, size in sizes.items():
    (folder / name).write_bytes(os.urandom(size))
client = mlflow.MlflowClient()
run = client.create_run("0").info.run_id
client.log_artifacts(run, str(folder), "in a/folder")
fetched = pathlib.Path(client.download_artifacts(run, "in a/folder", tempfile.mkdtemp()))
location = os.environ["MLFLOW_ARTIFACTS_DESTINATION"]
if location.startswith("gs://"):
    from google.cloud import storage
    names = [each.name for each in storage.Client().list_blobs(location.split("/")[2])]
else:
    from azure.storage.blob import ContainerClient
    store = ContainerClient.from_connection_string(os.environ["AZURE_STORAGE_CONNECTION_STRING"], "mlflow")
    names = [each.name for each in store.list_blobs()]
print(json.dumps({
    "listed": {each.path: each.file_size for each in client.list_artifacts(run, "in a/folder")},
    "same": [(fetched / name).read_bytes() == (folder / name).read_bytes() for name in sizes],
    "inStore": sorted(name.rpartition("/")[2] for name in names if run in name),
    "prefix": all(name.startswith("team-a/live/") for name in names),
}))
`;

test("artifacts in Google Cloud Storage and in Azure Blob Storage (fake-gcs-server, Azurite)", {
  timeout: 1_500_000,
}, async (context) => {
  const fixture = await liveFixture(context);
  const stores = await startCloudStores(fixture);
  const prefix = "team-a/live";
  const inGcs = (bucket = stores.gcs.bucket) => ({
    gcs: { ...stores.gcs, bucket, prefix, credentialsSecretRef: { name: "google", key: "key.json" } },
  });
  const inAzure = (container: string) => ({
    azureBlob: {
      ...stores.azureBlob,
      container,
      prefix,
      connectionStringSecretRef: { name: "azure", key: "connection-string" },
    },
  });
  const apply = (artifactStore: object) =>
    fixture.apply({
      metadata: { name },
      spec: {
        version: testedVersion,
        backendStore: { sqlite: {} },
        artifactStore,
        authentication: { basic: {} },
        // MLflow's client runs in the same container.
        pod: { resources: { requests: { memory: "512Mi" }, limits: { memory: "1Gi" } } },
        // The port of Azurite is in its connection string.
        networkPolicy: { egress: { ports: [10_000] } },
      },
    });
  const google = (account: string) => ({ stringData: { "key.json": stores.keyFile(account) } });
  const azure = (key?: string) => ({ stringData: { "connection-string": stores.connectionString(key) } });
  const wrongKey = randomBytes(64).toString("base64");
  /** Waits for the reason and returns its message, which must not contain a secret. */
  const stalled = async (reason: string) => {
    const { status } = await fixture.reason(name, "Stalled", reason);
    const { message = "" } = status?.conditions?.find(({ type }) => type === "Stalled") ?? {};
    for (const secret of [wrongKey, "PRIVATE KEY", "AccountKey"]) assert.ok(!message.includes(secret), message);
    return message;
  };
  /** Logs and reads artifacts through the server, and asserts what is in the store. */
  const assertStores = async () => {
    await fixture.ready(name);
    const admin = await fixture.asAdmin(name);
    await assertKept(admin, await logRun(admin));
    const [pod] = await fixture.pods(name);
    const login = JSON.stringify(await adminOf(fixture.objects, name));
    const printed = await fixture.inPod(pod?.metadata.name ?? "", ["python", "-W", "ignore", "-c", program], login);
    assert.deepEqual(JSON.parse(printed.trimEnd().split("\n").at(-1) ?? ""), {
      listed: { "in a/folder/large.bin": 12 << 20, "in a/folder/small ä+b %.txt": 5 },
      same: [true, true],
      inStore: ["large.bin", "small ä+b %.txt"],
      prefix: true,
    });
  };

  await fixture.objects.create("Secret", { metadata: { name: "google" }, ...google("unknown") });
  await fixture.objects.create("Secret", { metadata: { name: "azure" }, ...azure(wrongKey) });

  await context.test("Google: reports a service account that Google does not know", async () => {
    await apply(inGcs());
    assert.match(await stalled("ArtifactStoreAuthenticationFailed"), /models-of-tests.*credentialsSecretRef/);
  });

  await context.test("Google: reports a bucket that does not exist", async () => {
    await fixture.objects.patch("Secret", "google", google("writer"));
    await apply(inGcs("no-such-bucket"));
    assert.match(await stalled("ArtifactStoreNotFound"), /no-such-bucket.*gcs\.bucket/);
  });

  await context.test("Google: reports an account that can only read", async () => {
    await fixture.objects.patch("Secret", "google", google("reader"));
    await apply(inGcs());
    assert.match(await stalled("ArtifactStoreReadOnly"), /models-of-tests.*Storage Object User/);
  });

  await context.test("Google: stores artifacts with the right credentials", async () => {
    await fixture.objects.patch("Secret", "google", google("writer"));
    await assertStores();
  });

  await context.test("Azure: reports a wrong key", async () => {
    await apply(inAzure("mlflow"));
    assert.match(await stalled("ArtifactStoreAuthenticationFailed"), /container "mlflow".*modelsoftests/);
  });

  await context.test("Azure: reports a container that does not exist", async () => {
    await fixture.objects.patch("Secret", "azure", azure());
    assert.match(await stalled("ArtifactStoreNotFound"), /azureBlob\.container.*ContainerNotFound/);
  });

  await context.test("Azure: stores artifacts with the right connection string", async () => {
    const [pod] = await fixture.pods(name);
    const command = ["python", "-W", "ignore", "-c", createContainer, stores.connectionString()];
    await fixture.inPod(pod?.metadata.name ?? "", command);
    await assertStores();
  });
});
