import assert from "node:assert/strict";
import { startDependency } from "./dependency.ts";
import { imageReference } from "./live-cluster.ts";
import type { LiveScene } from "./live-scene.ts";

/** An S3 server of the namespace with one bucket. */
export interface S3Server {
  /** `artifactStore.s3` for the bucket. */
  readonly store: object;
  /** The keys of all objects in the bucket. */
  readonly keys: () => Promise<readonly string[]>;
}

const bucket = "mlflow-artifacts-of-tests";

/** Starts it; the credentials are in the Secret `s3`. */
export async function startS3(scene: LiveScene): Promise<S3Server> {
  const port = 9000;
  const address = await startDependency(scene, {
    name: "s3",
    port,
    container: { image: await imageReference(scene.cluster, "s3") },
    dataPath: "/tmp",
    user: 1000,
  });
  const url = `http://${address}:${port}/${bucket}`;
  const made = await fetch(url, { method: "PUT" });
  assert.equal(made.status, 200, await made.text());
  await scene.objects.create("Secret", {
    metadata: { name: "s3" },
    stringData: { AWS_ACCESS_KEY_ID: "key-of-tests", AWS_SECRET_ACCESS_KEY: "secret-of-tests" },
  });
  return {
    store: {
      bucket,
      prefix: "team-a/live",
      region: "us-east-1",
      endpointUrl: `http://s3:${port}`,
      credentials: { secretName: "s3" },
    },
    keys: async () => {
      const listing = await (await fetch(`${url}?list-type=2`)).text();
      return [...listing.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key]) => key ?? "");
    },
  };
}
