import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { onK3s, sharedControlPlane } from "../../control-plane/shared.ts";
import type { Mark } from "../../support/audit-log.ts";
import { caCertificatePem } from "../../support/ca-certificate-pem.ts";
import { dump } from "../../support/dump.ts";
import { eventually } from "../../support/eventually.ts";
import type { Draft } from "../../support/objects.ts";
import { condition, type Fixture, fixture, nothingWasForbidden, quotaInForce } from "../../support/operator-fixture.ts";
import { databaseSecret, type Modification, onPostgresql, secret, server } from "../../support/servers.ts";

interface Case {
  readonly title: string;
  readonly spec: Modification;
  /** Objects that exist before the server. */
  readonly given?: readonly (readonly ["Secret" | "ConfigMap", Draft])[];
  readonly reason: string;
  /** The message: the object and the fix. */
  readonly says: RegExp;
  readonly fix: (fixture: Fixture) => Promise<unknown>;
}

const put = (content: Readonly<Record<string, string>>, name = "it") => {
  return ({ objects }: Fixture) => objects.patch("Secret", name, { stringData: content });
};

const make = (content: Readonly<Record<string, string>>, name = "it") => {
  return ({ objects }: Fixture) => objects.create("Secret", secret(name, content));
};

const ofDatabase: Modification = {
  ...onPostgresql,
  "spec.backendStore.postgresql.credentialsSecretRef": { name: "it" },
};
const ofUri: Modification = { ...onPostgresql, "spec.backendStore": { uriSecretRef: { name: "it", key: "uri" } } };
const ofAdmin: Modification = { "spec.authentication.basic.adminCredentialsSecretRef": { name: "it" } };
const ofSession: Modification = { "spec.server.sessionSecretRef": { name: "it" } };

const credentials = { username: "mlflow", password: "any" };
const admin = { username: "root", password: "a long password" };
const session = {
  "flask-secret-key": "f".repeat(32),
  "kek-passphrase": "k".repeat(32),
  "webhook-key": `${"w".repeat(43)}=`,
};

const uri = "postgresql+psycopg2://user:password@db.example.com:5432/mlflow";

const cases: readonly Case[] = [
  {
    title: "a missing Secret",
    spec: ofDatabase,
    reason: "SecretNotFound",
    says: /spec\.backendStore\.postgresql\.credentialsSecretRef names Secret it, which does not exist in namespace \S+\. Create it with the keys username, password/,
    fix: make(credentials),
  },
  {
    title: "a missing key",
    spec: ofDatabase,
    given: [["Secret", secret("it", { user: "mlflow", password: "any" })]],
    reason: "SecretKeyMissing",
    says: /needs the key username of Secret it .*which has only password, user\. Add it/,
    fix: put({ username: "mlflow" }),
  },
  {
    title: "a missing Secret of the administrator",
    spec: ofAdmin,
    reason: "SecretNotFound",
    says: /spec\.authentication\.basic\.adminCredentialsSecretRef names Secret it/,
    fix: make(admin),
  },
  {
    title: "a missing session Secret",
    spec: ofSession,
    reason: "SecretNotFound",
    says: /spec\.server\.sessionSecretRef names Secret it/,
    fix: make(session),
  },
  {
    title: "a missing ConfigMap with the CA certificate",
    spec: { ...onPostgresql, "spec.backendStore.postgresql.ca": { configMapRef: { name: "it" } } },
    given: [["Secret", databaseSecret]],
    reason: "ConfigMapNotFound",
    says: /spec\.backendStore\.postgresql\.ca names ConfigMap it, .* Create it with the key ca\.crt/,
    fix: ({ objects }) =>
      objects.create("ConfigMap", { metadata: { name: "it" }, data: { "ca.crt": caCertificatePem } }),
  },
  {
    title: "a ConfigMap without the key",
    spec: { ...onPostgresql, "spec.artifactStore.s3.ca": { configMapRef: { name: "it" } } },
    given: [
      ["Secret", databaseSecret],
      ["ConfigMap", { metadata: { name: "it" }, data: { "tls.crt": caCertificatePem } }],
    ],
    reason: "ConfigMapKeyMissing",
    says: /spec\.artifactStore\.s3\.ca needs the key ca\.crt of ConfigMap it .*only tls\.crt/,
    fix: ({ objects }) => objects.patch("ConfigMap", "it", { data: { "ca.crt": caCertificatePem } }),
  },
  {
    title: "a missing Secret of an environment variable",
    spec: { "spec.server.env": [{ name: "A", valueFrom: { secretKeyRef: { name: "it", key: "a" } } }] },
    reason: "SecretNotFound",
    says: /spec\.server\.env\[A\] names Secret it/,
    fix: make({ a: "b" }),
  },
  {
    title: "a missing source of the environment",
    spec: { "spec.server.envFrom": [{ configMapRef: { name: "it" } }] },
    reason: "ConfigMapNotFound",
    says: /spec\.server\.envFrom\[0\] names ConfigMap it/,
    fix: ({ objects }) => objects.create("ConfigMap", { metadata: { name: "it" }, data: { A: "b" } }),
  },
  {
    title: "an administrator's password that is too short for MLflow",
    spec: ofAdmin,
    given: [["Secret", secret("it", { username: "root", password: "eleven char" })]],
    reason: "InvalidSecret",
    says: /^Secret it: the key password has fewer than 12 characters/,
    fix: put(admin),
  },
  {
    title: "MLflow's previous default password",
    spec: ofAdmin,
    given: [["Secret", secret("it", { username: "root", password: "password1234" })]],
    reason: "InvalidSecret",
    says: /^Secret it: the key password is MLflow's previous default.* choose another/,
    fix: put(admin),
  },
  {
    title: "an administrator's name with a colon",
    spec: ofAdmin,
    given: [["Secret", secret("it", { username: "ro:ot", password: "a long password" })]],
    reason: "InvalidSecret",
    says: /^Secret it: the key username is empty, or contains a colon/,
    fix: put(admin),
  },
  {
    title: "an administrator's password with a line break",
    spec: ofAdmin,
    given: [["Secret", secret("it", { username: "root", password: "a long password\n" })]],
    reason: "InvalidSecret",
    says: /^Secret it: the key password contains a line break .*printf, not echo/,
    fix: put(admin),
  },
  {
    title: "a database user with a line break",
    spec: ofDatabase,
    given: [["Secret", secret("it", { username: "mlflow\n", password: "any" })]],
    reason: "InvalidSecret",
    says: /the key username of Secret it is empty or contains a line break/,
    fix: put(credentials),
  },
  {
    title: "an empty database password",
    spec: ofDatabase,
    given: [["Secret", secret("it", { username: "mlflow", password: "" })]],
    reason: "InvalidSecret",
    says: /the key password of Secret it is empty: write the password/,
    fix: put(credentials),
  },
  {
    title: "a URI with a line break",
    spec: ofUri,
    given: [["Secret", secret("it", { uri: `${uri}\n` })]],
    reason: "InvalidSecret",
    says: /the key uri of Secret it contains a line break .*printf, not echo/,
    fix: put({ uri }),
  },
  {
    title: "an invalid URI",
    spec: ofUri,
    given: [["Secret", secret("it", { uri: "db.example.com" })]],
    reason: "InvalidSecret",
    says: /the key uri of Secret it is not a SQLAlchemy URI such as postgresql/,
    fix: put({ uri }),
  },
  {
    title: "a webhook key that is not a Fernet key",
    spec: ofSession,
    given: [["Secret", secret("it", { ...session, "webhook-key": "not base64 of 32 bytes" })]],
    reason: "InvalidSecret",
    says: /^Secret it: webhook-key is not a Fernet key .*openssl rand/,
    fix: put(session),
  },
  {
    title: "a session key that is too short",
    spec: ofSession,
    given: [["Secret", secret("it", { ...session, "flask-secret-key": "short" })]],
    reason: "InvalidSecret",
    says: /^Secret it: flask-secret-key has fewer than 16 characters/,
    fix: put(session),
  },
  {
    title: "a key-encryption passphrase that is too short",
    spec: ofSession,
    given: [["Secret", secret("it", { ...session, "kek-passphrase": "short" })]],
    reason: "InvalidSecret",
    says: /^Secret it: kek-passphrase has fewer than 16 characters/,
    fix: put(session),
  },
];

/** Asserts that the operator has only written the status and then an event since then. */
function onlySaid(stage: Fixture, since: Mark, title = "writes"): Promise<void> {
  return eventually(async () => {
    const written = (await stage.writes(since)).map(({ resource, subresource }) => `${resource}/${subresource}`);
    assert.deepEqual(new Set(written), new Set(["mlflowservers/status", "events/"]), title);
  });
}

describe("a failed precondition", { skip: onK3s(), concurrency: 4 }, () => {
  before(async () => void (await sharedControlPlane()));

  for (const { title, spec, given = [], reason, says, fix } of cases) {
    test(`${title}: nothing is applied until it is fixed`, async (context) => {
      const stage = await fixture(context);
      for (const [kind, draft] of given) await stage.objects.create(kind, draft);
      const before = await dump(stage.objects);
      const since = await stage.mark();
      await stage.apply(server("mlflow", spec));
      const stalled = await stage.stalled(reason);
      const { message } = condition(stalled, "Stalled");
      assert.match(message, says);
      const ready = condition(stalled, "Ready");
      assert.deepEqual([ready.status, ready.reason, ready.message], ["False", reason, message]);
      assert.equal(condition(stalled, "Reconciling").status, "False");
      assert.deepEqual(await dump(stage.objects), before);
      await onlySaid(stage, since);
      await fix(stage);
      const fixed = await stage.ready("mlflow", 60);
      assert.equal(fixed.metadata.generation, stalled.metadata.generation);
    });
  }

  const wrongChanges: readonly (readonly [title: string, change: Modification, reason: string])[] = [
    ["a missing Secret", { "spec.authentication.basic.adminCredentialsSecretRef": { name: "none" } }, "SecretNotFound"],
    ["a missing ConfigMap", { "spec.server.envFrom": [{ configMapRef: { name: "none" } }] }, "ConfigMapNotFound"],
    [
      "a password that is too short",
      { "spec.authentication.basic.adminCredentialsSecretRef": { name: "short" } },
      "InvalidSecret",
    ],
    ["an older version", { "spec.version": "3.16.1" }, "DowngradeRejected"],
  ];

  test("an invalid new spec does not change running pods", async (context) => {
    const stage = await fixture(context);
    await stage.objects.create("Secret", databaseSecret);
    await stage.objects.create("Secret", secret("short", { username: "root", password: "short" }));
    await stage.apply(server("mlflow", onPostgresql, { "spec.replicas": 2 }));
    await stage.ready("mlflow", 60);
    const state = async () => ({
      objects: await dump(stage.objects),
      generation: (await stage.objects.the("Deployment", "mlflow")).metadata.generation,
      pods: (await stage.objects.list("Pod")).map(({ metadata }) => metadata.uid),
    });
    const before = await state();
    for (const [title, change, reason] of wrongChanges) {
      const since = await stage.mark();
      await stage.apply(server("mlflow", onPostgresql, { "spec.replicas": 2, "spec.server.workers": 3 }, change));
      const stalled = await stage.stalled(reason);
      assert.deepEqual(await state(), before, title);
      assert.equal(condition(stalled, "Available").status, "True", title);
      // The schema is newer than that of an older version.
      assert.equal(
        condition(stalled, "DatabaseReady").status,
        reason === "DowngradeRejected" ? "False" : "True",
        title,
      );
      await onlySaid(stage, since, title);
    }
    await stage.apply(server("mlflow", onPostgresql, { "spec.replicas": 2 }));
    await stage.ready("mlflow", 60);
    assert.deepEqual(await state(), before);
  });

  test("a Secret that is deleted while the server runs stalls it, and the pods keep running", async (context) => {
    const stage = await fixture(context);
    await stage.objects.create("Secret", databaseSecret);
    await stage.apply(server("mlflow", onPostgresql));
    await stage.ready("mlflow", 60);
    const before = await stage.objects.the("Deployment", "mlflow");
    await stage.objects.remove("Secret", "database");
    const stalled = await stage.stalled("SecretNotFound");
    assert.equal(condition(stalled, "Available").status, "True");
    await stage.objects.create("Secret", databaseSecret);
    await stage.ready("mlflow", 60);
    assert.deepEqual((await stage.objects.the("Deployment", "mlflow")).metadata.generation, before.metadata.generation);
  });

  test("optional references can be missing, and are used when they are created", async (context) => {
    const stage = await fixture(context);
    const optional = { name: "it", optional: true };
    await stage.apply(
      server("mlflow", {
        "spec.server.env": [{ name: "A", valueFrom: { secretKeyRef: { ...optional, key: "a" } } }],
        "spec.server.envFrom": [{ secretRef: optional }, { configMapRef: optional }],
      }),
    );
    await stage.ready("mlflow", 60);
    const { generation } = (await stage.objects.the("Deployment", "mlflow")).metadata;
    await stage.objects.create("Secret", secret("it", { a: "b" }));
    await eventually(async () => {
      assert.notEqual((await stage.objects.the("Deployment", "mlflow")).metadata.generation, generation);
    });
    await stage.ready("mlflow", 60);
  });

  test("a quota that rejects an apply is reported until it is gone", async (context) => {
    const stage = await fixture(context, { expectsForbidden: true });
    await quotaInForce(stage.objects, "no-services", { services: "0" }, "Service", { ports: [{ port: 80 }] });
    await stage.apply(server());
    const stalled = await stage.stalled("ApplyRejected", "mlflow", 60);
    assert.match(condition(stalled, "Stalled").message, /services is forbidden|exceeded quota/);
    await stage.objects.remove("ResourceQuota", "no-services");
    await stage.ready("mlflow", 60);
  });
});

test("nothing was forbidden", { skip: onK3s() }, nothingWasForbidden);
