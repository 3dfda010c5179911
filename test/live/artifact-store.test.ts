import assert from "node:assert/strict";
import { test } from "node:test";
import { testedVersion } from "./live-cluster.ts";
import { adminOf, liveFixture } from "./live-fixture.ts";
import { assertKept, logRun } from "./tracked-run.ts";
import { startVersitygw, versitygwBucket } from "./versitygw-server.ts";

const name = "in-files";

/**
 * In the server's pod, which has the store's credentials: uploads a small file, one that the server sends to the store in parts, and one that
 * the client sends in parts to presigned URLs, with MLflow's own client; fetches them again; lists the objects of the store.
 */
const program = `
import json, os, pathlib, sys, tempfile
login = json.load(sys.stdin)
os.environ.update(
    MLFLOW_TRACKING_URI="http://127.0.0.1:5000",
    MLFLOW_TRACKING_USERNAME=login["username"],
    MLFLOW_TRACKING_PASSWORD=login["password"],
    MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE=str(5 << 20),
    MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE=str(5 << 20),
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR="false",
)
import boto3, mlflow

sizes = {"small ä+b %.txt": 5, "by the server.bin": 20 << 20, "by the client.bin": 12 << 20}
folder = pathlib.Path(tempfile.mkdtemp())
for name, size in sizes.items():
    (folder / name).write_bytes(os.urandom(size))
client = mlflow.MlflowClient()
run = client.create_run("0").info
for name in sizes:
    os.environ["MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD"] = str(name.startswith("by the client")).lower()
    client.log_artifact(run.run_id, str(folder / name), "in a/folder")
fetched = pathlib.Path(client.download_artifacts(run.run_id, "in a/folder", tempfile.mkdtemp()))
store = boto3.client("s3", endpoint_url=os.environ["MLFLOW_S3_ENDPOINT_URL"])
listing = store.list_objects_v2(Bucket=sys.argv[1])
etags = {each["Key"].rpartition("/")[2]: each["ETag"].strip('"') for each in listing["Contents"] if run.run_id in each["Key"]}
print(json.dumps({
    "listed": {each.path: each.file_size for each in client.list_artifacts(run.run_id, "in a/folder")},
    "same": [(fetched / name).read_bytes() == (folder / name).read_bytes() for name in sizes],
    "parts": {name: int(etag.partition("-")[2] or 1) for name, etag in etags.items()},
    "prefix": all(each["Key"].startswith("team-a/live/") for each in listing["Contents"]),
}))
`;

test("artifacts in an S3 store that checks signatures and keeps objects in files (VersityGW)", {
  timeout: 1_500_000,
}, async (context) => {
  const fixture = await liveFixture(context);
  const { store, users } = await startVersitygw(fixture);
  const apply = (bucket: string) =>
    fixture.apply({
      metadata: { name },
      spec: {
        version: testedVersion,
        backendStore: { sqlite: {} },
        artifactStore: { s3: store(bucket) },
        authentication: { basic: {} },
      },
    });
  const credentials = (stringData: object) => fixture.objects.patch("Secret", "versitygw", { stringData });
  /** Waits for the reason and gives its message, which must have no secret. */
  const stalled = async (reason: string) => {
    const { status } = await fixture.reason(name, "Stalled", reason);
    const { message = "" } = status?.conditions?.find(({ type }) => type === "Stalled") ?? {};
    for (const { AWS_SECRET_ACCESS_KEY } of Object.values(users)) assert.ok(!message.includes(AWS_SECRET_ACCESS_KEY));
    return message;
  };

  await context.test("reports a bucket that does not exist", async () => {
    await apply("no-such-bucket");
    assert.match(await stalled("ArtifactStoreNotFound"), /no-such-bucket.*NoSuchBucket/);
  });

  await context.test("reports a wrong secret", async () => {
    await credentials({ AWS_SECRET_ACCESS_KEY: "of-another-user" });
    await apply(versitygwBucket);
    assert.match(await stalled("ArtifactStoreAuthenticationFailed"), /SignatureDoesNotMatch/);
  });

  await context.test("reports credentials that can only read", async () => {
    await credentials(users.reader);
    assert.match(await stalled("ArtifactStoreReadOnly"), new RegExp(`${versitygwBucket}.*s3:PutObject.*AccessDenied`));
  });

  await context.test("stores artifacts with the right credentials, in one piece and in parts", async () => {
    await credentials(users.writer);
    await fixture.ready(name);
    const admin = await fixture.asAdmin(name);
    await assertKept(admin, await logRun(admin));
    const [pod] = await fixture.pods(name);
    const login = JSON.stringify(await adminOf(fixture.objects, name));
    const said = await fixture.inPod(
      pod?.metadata.name ?? "",
      ["python", "-W", "ignore", "-c", program, versitygwBucket],
      login,
    );
    assert.deepEqual(JSON.parse(said.trimEnd().split("\n").at(-1) ?? ""), {
      listed: {
        "in a/folder/by the client.bin": 12 << 20,
        "in a/folder/by the server.bin": 20 << 20,
        "in a/folder/small ä+b %.txt": 5,
      },
      same: [true, true, true],
      parts: { "small ä+b %.txt": 1, "by the server.bin": 3, "by the client.bin": 3 },
      prefix: true,
    });
  });
});
