import { randomBytes } from "node:crypto";
import { versitygwImage } from "../cluster/versitygw.ts";
import { startDependency } from "./dependency.ts";
import type { LiveFixture } from "./live-fixture.ts";
import { waitUntil } from "./wait-until.ts";

/** VersityGW in the namespace: an S3 server that checks signatures and keeps objects in files. */
export interface VersitygwServer {
  /** `artifactStore.s3` for a bucket; its credentials are in the Secret `versitygw`. */
  readonly store: (bucket: string) => object;
  /** Users by their permissions in the bucket {@link versitygwBucket}: the content of a Secret each. */
  readonly users: { readonly writer: AccessKey; readonly reader: AccessKey };
}

export interface AccessKey {
  readonly AWS_ACCESS_KEY_ID: string;
  readonly AWS_SECRET_ACCESS_KEY: string;
}

/** The one bucket. */
export const versitygwBucket = "artifacts-in-files";

const [name, port] = ["versitygw", 9000];

/** Starts it, with a bucket that `writer` owns and `reader` can read. */
export async function startVersitygw(fixture: LiveFixture): Promise<VersitygwServer> {
  const root = newKey("root");
  const users = { writer: newKey("writer"), reader: newKey("reader") };
  await startDependency(fixture, {
    name,
    port,
    container: {
      image: await fixture.cluster.image(await versitygwImage()),
      env: Object.entries({
        ROOT_ACCESS_KEY_ID: root.AWS_ACCESS_KEY_ID,
        ROOT_SECRET_ACCESS_KEY: root.AWS_SECRET_ACCESS_KEY,
      }).map(([name, value]) => ({ name, value })),
    },
    dataPath: "/data",
    user: 65532,
  });
  const admin = (...args: readonly string[]) => {
    const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = root;
    const login = ["--access", AWS_ACCESS_KEY_ID, "--secret", AWS_SECRET_ACCESS_KEY];
    const endpoint = ["--endpoint-url", `http://127.0.0.1:${port}`];
    return fixture.inPod(name, ["/bin/versitygw", "admin", ...login, ...endpoint, ...args]);
  };
  await waitUntil(() => admin("list-buckets"), 120);
  for (const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } of Object.values(users))
    await admin("create-user", "--access", AWS_ACCESS_KEY_ID, "--secret", AWS_SECRET_ACCESS_KEY, "--role", "user");
  // Access lists and not a policy: where a bucket has a policy, VersityGW gives its owner only what the policy allows.
  const lists = ["--object-ownership", "BucketOwnerPreferred", "--grant-read", users.reader.AWS_ACCESS_KEY_ID];
  await admin("create-bucket", "--bucket", versitygwBucket, "--owner", users.writer.AWS_ACCESS_KEY_ID, ...lists);
  await fixture.objects.create("Secret", { metadata: { name }, stringData: users.writer });
  return {
    store: (bucket) => ({
      bucket,
      prefix: "team-a/live",
      region: "us-east-1",
      endpointURL: `http://${name}:${port}`,
      credentialsSecretRef: { name },
    }),
    users,
  };
}

function newKey(user: string): AccessKey {
  return { AWS_ACCESS_KEY_ID: `key-of-${user}`, AWS_SECRET_ACCESS_KEY: randomBytes(16).toString("hex") };
}
