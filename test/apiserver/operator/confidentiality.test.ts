import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import type { Secret } from "../../../src/kube/manifests.ts";
import { label } from "../../../src/kube/names.ts";
import { dataKeys } from "../../../src/model/names.ts";
import { onK3s, sharedControlPlane } from "../../control-plane/shared.ts";
import { auditLog } from "../../support/audit-log.ts";
import { eventually } from "../../support/eventually.ts";
import { healthy } from "../../support/kubelet.ts";
import type { ObjectKind } from "../../support/objects.ts";
import { type Fixture, fixture, nothingWasForbidden } from "../../support/operator-fixture.ts";
import { type Modification, onPostgresql, secret, server } from "../../support/servers.ts";

/** Recognizable values with characters that are encoded in URIs and in ini files. */
const passwords = {
  database: "tracking-%-db @:/?#[]$(X) pä55",
  auth: "auth-%s-db '\"\\;&=+,p4ss",
  admin: "the-admin's %% p4ssword",
  bucketId: "AKIA-known-id",
  bucketKey: "bucket/secret+key==",
  variable: "a-variable-from-a-secret",
  source: "a-source-from-a-secret",
};

const spec: Modification = {
  ...onPostgresql,
  "spec.artifactStore.s3.credentialsSecretRef": { name: "bucket" },
  "spec.authentication.basic": {
    adminCredentialsSecretRef: { name: "administrator" },
    database: {
      postgresql: { host: "db.example.com", database: "auth", credentialsSecretRef: { name: "auth-database" } },
    },
  },
  "spec.server": {
    env: [{ name: "A", valueFrom: { secretKeyRef: { name: "more", key: "a" } } }],
    envFrom: [{ secretRef: { name: "more" } }],
  },
};

/** Kinds that must not contain a secret value: all except Secrets. */
const openKinds: readonly ObjectKind[] = [
  "ConfigMap",
  "CronJob",
  "Deployment",
  "Event",
  "HorizontalPodAutoscaler",
  "Job",
  "MlflowServer",
  "NetworkPolicy",
  "PersistentVolumeClaim",
  "Pod",
  "PodDisruptionBudget",
  "ReplicaSet",
  "Service",
  "ServiceAccount",
];

/** A value and its encodings. */
function writings(value: string): string[] {
  const encoded = encodeURIComponent(value);
  const base64 = Buffer.from(value).toString("base64");
  const inJson = JSON.stringify(value).slice(1, -1);
  return [value, inJson, encoded, encoded.replaceAll("%", "%%"), base64, Buffer.from(base64).toString("base64")];
}

/** Everything that other users may read: objects except Secrets, the metadata of Secrets, the log, and the API server's log. */
async function readable(stage: Fixture, since: number): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const kind of openKinds) {
    for (const object of await stage.objects.list(kind))
      found[`${kind}/${object.metadata.name}`] = JSON.stringify(object);
  }
  for (const { metadata } of await stage.objects.list("Secret")) {
    const isUsers = metadata.labels?.[label.managedBy] === undefined;
    if (!isUsers) found[`metadata of Secret/${metadata.name}`] = JSON.stringify(metadata);
  }
  found["the log"] = JSON.stringify(stage.operator().log);
  found["the audit log"] = JSON.stringify(await auditLog(stage.cluster).calls({ since, user: stage.identity.user }));
  const { body } = await stage.cluster.request("GET", `/api/v1/namespaces/${stage.namespace}/events`);
  found["events"] = body;
  return found;
}

async function assertConfidential(stage: Fixture, since: number, values: readonly string[]): Promise<void> {
  assert.ok(values.every((value) => value.length >= 8));
  const places = await readable(stage, since);
  assert.ok(Object.keys(places).length > 8, Object.keys(places).join());
  for (const [place, text] of Object.entries(places)) {
    for (const value of values) {
      for (const writing of writings(value)) assert.ok(!text.includes(writing), `${place} shows ${value}: ${text}`);
    }
  }
}

/** The encoded values of the Secret with the keys of a server, without the version of one. */
function generatedKeys({ data = {} }: Secret): string[] {
  const { [dataKeys.kekVersion]: version, ...keys } = data;
  assert.equal(Buffer.from(version ?? "", "base64").toString(), "1");
  return Object.values(keys);
}

describe("secret values", { skip: onK3s(), concurrency: 3 }, () => {
  before(async () => void (await sharedControlPlane()));

  test("are only in Secrets: not in objects, events, status, logs or paths", async (context) => {
    const stage = await fixture(context);
    const since = await stage.mark();
    const { objects } = stage;
    await objects.create("Secret", secret("database", { username: "mlflow", password: passwords.database }));
    await objects.create("Secret", secret("auth-database", { username: "auth", password: passwords.auth }));
    await objects.create("Secret", secret("administrator", { username: "root", password: passwords.admin }));
    const bucket = { AWS_ACCESS_KEY_ID: passwords.bucketId, AWS_SECRET_ACCESS_KEY: passwords.bucketKey };
    await objects.create("Secret", secret("bucket", bucket));
    await objects.create("Secret", secret("more", { a: passwords.variable, B: passwords.source }));
    await stage.apply(server("mlflow", spec));
    await stage.ready("mlflow", 60);
    // Events and lines of the log follow the status.
    await stage.quiet();

    const session = generatedKeys(await objects.the("Secret", "mlflow-session"));
    const generated = session.map((text) => Buffer.from(text, "base64").toString());
    const store = (await objects.the("Secret", "mlflow-store")).data?.["backend-store-uri"] ?? "";
    const values = [...Object.values(passwords), ...generated, Buffer.from(store, "base64").toString()];
    await assertConfidential(stage, since, values);

    // In generated Secrets they have the encoding of MLflow's parsers.
    assert.equal(new URL(Buffer.from(store, "base64").toString()).password, percentEncoded(passwords.database));
    const ini = Buffer.from(
      (await objects.the("Secret", "mlflow-auth-config")).data?.["basic_auth.ini"] ?? "",
      "base64",
    );
    const [, uri = ""] = /^database_uri = (.*)$/m.exec(ini.toString()) ?? [];
    assert.equal(decodeURIComponent(new URL(uri.replaceAll("%%", "%")).password), passwords.auth);

    // Programs that fail quote their input, which must not be passed on.
    const [quoted] = [`psycopg2.OperationalError: password "${passwords.database}" ${passwords.auth}`];
    stage.kubelet.decide(() => ({ does: "exits", exitCode: 1, message: quoted }));
    await objects.patch("Secret", "database", { stringData: { username: "another" } });
    await stage.stalled("CrashLooping");
    await stage.quiet();
    const places = await readable(stage, since);
    for (const [place, text] of Object.entries(places)) {
      if (!place.startsWith("Pod/"))
        assert.ok(!text.includes("tracking-%-db"), `${place} quotes the output of the program`);
    }
    stage.kubelet.decide(healthy);
    await stage.ready("mlflow", 60);
  });

  test("that were generated are only in Secrets", async (context) => {
    const stage = await fixture(context);
    const since = await stage.mark();
    await stage.apply(server());
    await stage.ready("mlflow", 60);
    const { username: _, ...admin } = (await stage.objects.the("Secret", "mlflow-admin")).data ?? {};
    const session = generatedKeys(await stage.objects.the("Secret", "mlflow-session"));
    const values = [...Object.values(admin), ...session].map((text) => Buffer.from(text, "base64").toString());
    await assertConfidential(stage, since, values);
    assert.equal(values.length, 5);
  });

  test("that are invalid are not quoted in messages", async (context) => {
    const stage = await fixture(context);
    const since = await stage.mark();
    const wrong = ["short-pw1", "not-a-uri-but-s3cret", "no-fernet-key-s3cret"];
    const [password = "", uri = "", webhook = ""] = wrong;
    await stage.objects.create("Secret", secret("admin", { username: "root", password }));
    await stage.objects.create("Secret", secret("uri", { uri }));
    const keys = { "flask-secret-key": "f".repeat(32), "kek-passphrase": "k".repeat(32), "webhook-key": webhook };
    await stage.objects.create("Secret", secret("session", keys));
    await stage.apply(server("a", { "spec.authentication.basic.adminCredentialsSecretRef": { name: "admin" } }));
    await stage.apply(
      server("b", { ...onPostgresql, "spec.backendStore": { uriSecretRef: { name: "uri", key: "uri" } } }),
    );
    await stage.apply(server("c", { "spec.server.sessionSecretRef": { name: "session" } }));
    for (const name of ["a", "b", "c"]) await stage.stalled("InvalidSecret", name);
    // An event is recorded after the status.
    await eventually(async () => assert.equal((await stage.objects.list("Event")).length, 3));
    await assertConfidential(stage, since, wrong);
  });
});

test("nothing was forbidden", { skip: onK3s() }, nothingWasForbidden);

/** A fully percent-encoded password after the WHATWG parser. */
function percentEncoded(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}
