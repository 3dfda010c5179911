import assert from "node:assert/strict";
import { startDependency } from "./dependency.ts";
import { imageReference } from "./live-cluster.ts";
import type { LiveFixture } from "./live-fixture.ts";

/** An S3 server with one bucket. */
export interface S3Server {
  /** `artifactStore.s3` for the bucket. */
  readonly store: object;
  /** Returns the keys of all objects in the bucket. */
  readonly keys: () => Promise<readonly string[]>;
  /** Creates a user with only these actions, such as `s3:Get*`, and returns the content of a Secret with the access key. */
  readonly createUser: (name: string, actions: readonly string[]) => Promise<AccessKey>;
  /** Enables authorization: requests then need the signature of a user with the permission. */
  readonly requireSignatures: () => Promise<void>;
}

export interface AccessKey {
  readonly AWS_ACCESS_KEY_ID: string;
  readonly AWS_SECRET_ACCESS_KEY: string;
}

const bucket = "mlflow-artifacts-of-tests";

/** Starts an S3 server; the credentials are in the Secret `s3`. */
export async function startS3(fixture: LiveFixture): Promise<S3Server> {
  const port = 9000;
  const address = await startDependency(fixture, {
    name: "s3",
    port,
    container: { image: await imageReference(fixture.cluster, "s3") },
    dataPath: "/tmp",
    user: 1000,
  });
  const url = `http://${address}:${port}/${bucket}`;
  const made = await fetch(url, { method: "PUT" });
  assert.equal(made.status, 200, await made.text());
  await fixture.objects.create("Secret", {
    metadata: { name: "s3" },
    stringData: { AWS_ACCESS_KEY_ID: "key-of-tests", AWS_SECRET_ACCESS_KEY: "secret-of-tests" },
  });
  return {
    store: {
      bucket,
      prefix: "team-a/live",
      region: "us-east-1",
      endpointURL: `http://s3:${port}`,
      credentialsSecretRef: { name: "s3" },
    },
    keys: async () => {
      const listing = await (await fetch(`${url}?list-type=2`)).text();
      return [...listing.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key]) => key ?? "");
    },
    createUser: async (name, actions) => {
      const iam = (action: string, more = {}) => callIam(`http://${address}:${port}/`, { Action: action, ...more });
      await iam("CreateUser", { UserName: name });
      const document = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: actions, Resource: "*" }] };
      const policy = { PolicyName: "only", PolicyDocument: JSON.stringify(document) };
      await iam("PutUserPolicy", { UserName: name, ...policy });
      const key = await iam("CreateAccessKey", { UserName: name });
      return {
        AWS_ACCESS_KEY_ID: within(key, "AccessKeyId"),
        AWS_SECRET_ACCESS_KEY: within(key, "SecretAccessKey"),
      };
    },
    requireSignatures: async () => {
      const headers = { "content-type": "text/plain" };
      const answer = await fetch(`http://${address}:${port}/moto-api/reset-auth`, {
        method: "POST",
        headers,
        body: "0",
      });
      assert.equal(answer.status, 200, await answer.text());
    },
  };
}

/** moto selects the service by the scope of the signature, and ignores the rest until authorization is enabled. */
const ofIam =
  "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=of-nobody";

async function callIam(url: string, parameters: Readonly<Record<string, string>>): Promise<string> {
  const body = new URLSearchParams({ Version: "2010-05-08", ...parameters });
  const answer = await fetch(url, { method: "POST", headers: { authorization: ofIam }, body });
  const text = await answer.text();
  assert.equal(answer.status, 200, text);
  return text;
}

function within(xml: string, element: string): string {
  const found = new RegExp(`<${element}>([^<]+)</${element}>`).exec(xml)?.[1];
  assert.ok(found !== undefined, `there is no ${element}`);
  return found;
}
