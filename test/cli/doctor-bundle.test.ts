import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { dump, load } from "js-yaml";
import type { MlflowServer } from "../../src/api/server.ts";
import { type BundleFacts, supportBundle } from "../../src/cli/doctor/bundle.ts";
import { redactedObject, redaction } from "../../src/cli/doctor/redaction.ts";
import type { KubeObject } from "../../src/kube/object.ts";
import { runCommand } from "../support/command-line.ts";
import { scriptedApi } from "../support/scripted-api.ts";

/** Values of the kinds that Secrets have, new in each run. */
function generatedSecrets(): Record<string, string> {
  const hex = randomBytes(16).toString("hex");
  return {
    password: `pa%ss @:/?#[]"'\\${hex}`,
    short: randomBytes(3).toString("hex"),
    token: randomBytes(24).toString("base64url"),
    uri: `postgresql://mlflow:${encodeURIComponent(`p@ss/${hex}`)}@db.example.com/mlflow`,
    ini: `[mlflow]\nadmin_username = admin\nadmin_password = ${randomUUID()}\n`,
    ".dockerconfigjson": JSON.stringify({ auths: { "ghcr.io": { username: "mlflow", password: `registry-${hex}` } } }),
    "key.json": JSON.stringify({
      type: "service_account",
      private_key: `-----BEGIN PRIVATE KEY-----\n${randomBytes(48).toString("base64")}\n-----END PRIVATE KEY-----\n`,
    }),
    connection: `DefaultEndpointsProtocol=https;AccountName=mlflow;AccountKey=${randomBytes(32).toString("base64")};EndpointSuffix=core.windows.net`,
    key: `-----BEGIN PRIVATE KEY-----\n${randomBytes(48).toString("base64")}\n-----END PRIVATE KEY-----\n`,
  };
}

/** The parts of a value that must not appear, with their usual encodings. */
function forms(value: string): string[] {
  const password = /:\/\/[^:]*:([^@]+)@/.exec(value)?.[1];
  const setting = /admin_password = (\S+)/.exec(value)?.[1];
  const body = /KEY-----(?:\n|\\n)([\w+/=]+)(?:\n|\\n)/.exec(value)?.[1];
  const registry = /"(registry-\w+)"/.exec(value)?.[1];
  const account = /AccountKey=([^;]+)/.exec(value)?.[1];
  return [value, password, password && decodeURIComponent(password), setting, body, registry, account].flatMap(
    (part) => (part === undefined ? [] : [part, encodeURIComponent(part), Buffer.from(part).toString("base64")]),
  );
}

const object = (kind: string, more: object): KubeObject => ({
  apiVersion: "v1",
  kind,
  metadata: { name: "mlflow", annotations: {} },
  ...more,
});

const emptyBundle: BundleFacts = {
  version: "test",
  created: "2026-06-01T00:00:00Z",
  server: object("MlflowServer", { spec: {} }) as MlflowServer,
  findings: [],
  objects: [],
  events: [],
  logs: [],
  notRead: [],
};

describe("the support bundle of mlflow-operator doctor", () => {
  test("contains no generated secret, wherever it appears", () => {
    const secrets = generatedSecrets();
    const values = Object.values(secrets);
    const everywhere = values.flatMap((value) => [
      `before ${value} after`,
      `url=${encodeURIComponent(value)}`,
      `x${Buffer.from(value).toString("base64")}y`,
      JSON.stringify({ message: value }),
    ]);
    const bundle = supportBundle(
      {
        ...emptyBundle,
        server: object("MlflowServer", { spec: { server: { extraArgs: everywhere } } }) as MlflowServer,
        findings: [{ check: "Events", findings: [{ result: "ok", message: everywhere.join(" ") }] }],
        objects: [
          object("Secret", { data: { password: Buffer.from(secrets["password"] ?? "").toString("base64") } }),
          object("ConfigMap", { data: { settings: everywhere.join("\n"), [values[0] ?? ""]: "x" } }),
          object("Deployment", { spec: { command: everywhere, env: values.map((value) => ({ name: "X", value })) } }),
        ],
        events: everywhere.map((message) => ({ message })),
        logs: [
          {
            pod: "mlflow-1",
            container: "mlflow",
            isPrevious: false,
            lines: [...everywhere, ...values.flatMap((value) => value.split("\n"))],
          },
        ],
        notRead: everywhere,
      },
      [secrets],
    );
    const text = dump(bundle, { lineWidth: -1 });
    for (const value of values)
      for (const form of forms(value)) assert.ok(!text.includes(form), `${form} is in the bundle`);
    assert.doesNotMatch(text, /kind: Secret\n/);
  });

  test("contains no text that looks like a secret, without knowing any", () => {
    const secret = randomBytes(18).toString("hex");
    const redact = redaction([]);
    const jwt = `eyJhbGciOiJSUzI1NiJ9.${secret}.${secret}`;
    for (const text of [
      `postgresql://mlflow:${secret}@db/mlflow`,
      `redis://:${secret}@redis:6379`,
      `Authorization: Bearer ${secret}`,
      `authorization: Basic ${Buffer.from(`admin:${secret}`).toString("base64")}`,
      `Cookie: _oauth2_proxy=${secret}; other=${secret}`,
      `"password": "${secret}"`,
      `MLFLOW_TRACKING_PASSWORD=${secret}`,
      `client_secret=${secret}&grant_type=client_credentials`,
      `GET /oauth2/callback?code=${secret}&state=${secret} HTTP/1.1`,
      `https://bucket.s3.amazonaws.com/x?X-Amz-Signature=${secret}&X-Amz-Credential=${secret}`,
      `aws_secret_access_key = ${secret}`,
      `AccountName=mlflow;AccountKey=${secret};EndpointSuffix=core.windows.net`,
      `-----BEGIN RSA PRIVATE KEY-----\n${secret}\n-----END RSA PRIVATE KEY-----`,
      `token ${jwt} is expired`,
    ]) {
      const found = redact(text);
      assert.ok(!found.includes(secret) && !found.includes(Buffer.from(`admin:${secret}`).toString("base64")), found);
    }
  });

  test("keeps what is needed to help: names, references, settings and ordinary log lines", () => {
    const redact = redaction([{ username: "mlflow", host: "db", password: "long-password-1" }]);
    for (const text of [
      "2026/06/01 12:00:00 INFO mlflow.server: Started server process [7]",
      "Secret/database does not exist",
      "http://mlflow.ml:5000/health",
      "GET /api/2.0/mlflow/experiments/search?max_results=10 HTTP/1.1 200",
    ])
      assert.equal(redact(text), text);
    const spec = {
      backendStore: { postgresql: { host: "db", credentialsSecretRef: { name: "database", passwordKey: "password" } } },
      volumes: [{ name: "auth", secret: { secretName: "mlflow-auth-config" } }],
      automountServiceAccountToken: false,
      containers: [{ env: [{ name: "MLFLOW_WORKERS", value: "4" }] }],
    };
    assert.deepEqual(redactedObject(spec, redact), spec);
  });

  test("leaves out managedFields, the annotation of kubectl, and values of a user's variables", () => {
    const found = redactedObject(
      {
        metadata: {
          managedFields: [{ manager: "kubectl" }],
          annotations: { "kubectl.kubernetes.io/last-applied-configuration": "{}", other: "kept" },
        },
        env: [
          { name: "COMPANY_SETTING", value: "x" },
          { name: "MLFLOW_API_TOKEN", value: "x" },
          { name: "FROM_SECRET", valueFrom: { secretKeyRef: { name: "s", key: "k" } } },
        ],
        stringData: { password: "x" },
        args: ["--port", "80", "--client-secret", "x", "--token-file", "/etc/token", "--api-key=x"],
      },
      redaction([]),
    );
    assert.deepEqual(found, {
      metadata: { annotations: { other: "kept" } },
      env: [
        { name: "COMPANY_SETTING", value: "***" },
        { name: "MLFLOW_API_TOKEN", value: "***" },
        { name: "FROM_SECRET", valueFrom: { secretKeyRef: { name: "s", key: "k" } } },
      ],
      stringData: { password: "***" },
      args: ["--port", "80", "--client-secret", "***", "--token-file", "/etc/token", "--api-key=***"],
    });
  });

  test("is written with the logs into a new file, without the values of the Secrets that the server uses", async (context) => {
    const secrets = generatedSecrets();
    const namespace = "/api/v1/namespaces/ml";
    const server = object("MlflowServer", {
      metadata: { name: "mlflow", namespace: "ml", generation: 1 },
      spec: {
        version: "3.17.2",
        replicas: 1,
        backendStore: { uriSecretRef: { name: "database", key: "uri" } },
        artifactStore: { s3: { bucket: "models" } },
        authentication: { basic: {} },
      },
    });
    const data = Object.fromEntries(
      Object.entries(secrets).map(([key, value]) => [key, Buffer.from(value).toString("base64")]),
    );
    const admin = randomBytes(12).toString("base64url");
    const api = await scriptedApi(context, {
      "/apis/mlflow-operator.dev/v1alpha1/namespaces/ml/mlflowservers/mlflow": server,
      [`${namespace}/secrets/database`]: object("Secret", { data }),
      [`${namespace}/secrets/mlflow-admin`]: object("Secret", {
        data: { password: Buffer.from(admin).toString("base64") },
      }),
      [`${namespace}/secrets/mlflow-session`]: 403,
      [`${namespace}/pods`]: [
        object("Pod", {
          metadata: { name: "mlflow-1", namespace: "ml", labels: { "app.kubernetes.io/component": "server" } },
          spec: { containers: [{ name: "mlflow" }] },
        }),
      ],
      [`${namespace}/pods/mlflow-1/log`]: `first line\n${Object.values(secrets).join("\n")}\nadmin has ${admin}\nlast line\n`,
      [`${namespace}/services`]: [object("Service", { spec: {} })],
      [`${namespace}/configmaps`]: 403,
    });
    const path = join(dirname(api.kubeconfigPath), "bundle.yaml");
    const unread = "You are not allowed to get Secret/mlflow-session in namespace ml";
    const environment = { kubeconfig: api.kubeconfigPath };
    const { code, stdout, stderr } = await runCommand(["doctor", "mlflow", "--bundle", path], { environment });
    assert.equal(code, 1, stderr);
    const text = await readFile(path, "utf8");
    for (const value of [...Object.values(secrets), admin])
      for (const form of forms(value))
        for (const output of [text, stdout, stderr]) assert.ok(!output.includes(form), `${form} is in ${output}`);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    const bundle = load(text) as { logs: { text: string }[]; objects: KubeObject[]; notRead: string[] };
    assert.match(bundle.logs[0]?.text ?? "", /^first line\n[\s\S]*\nadmin has \*\*\*\nlast line$/);
    assert.deepEqual(
      bundle.objects.map(({ kind }) => kind),
      ["Service", "Pod"],
    );
    assert.ok(bundle.notRead.includes(unread), bundle.notRead.join());
    assert.ok(stderr.includes(`${unread}: what looks like a secret is removed`), stderr);
    assert.ok(bundle.notRead.includes("You are not allowed to list configmaps in namespace ml"), bundle.notRead.join());
    assert.deepEqual(
      api.requests.filter((request) => !request.startsWith("GET ")),
      [],
    );
    const again = await runCommand(["doctor", "mlflow", "--bundle", path], { environment });
    assert.equal(again.code, 1);
    assert.match(again.stderr, /the support bundle cannot be written: .*EEXIST/);
  });

  test("is checked as far as possible for a spec that this program does not support", async (context) => {
    const api = await scriptedApi(context, {
      "/apis/mlflow-operator.dev/v1alpha1/namespaces/ml/mlflowservers/mlflow": object("MlflowServer", {
        metadata: { name: "mlflow", namespace: "ml", generation: 1 },
        spec: {
          version: "3.17.2",
          replicas: 1,
          backendStore: { future: {} },
          artifactStore: { s3: { bucket: "models" } },
          authentication: { future: {} },
        },
      }),
    });
    const environment = { kubeconfig: api.kubeconfigPath };
    const { code, stdout } = await runCommand(["doctor", "mlflow"], { environment });
    assert.equal(code, 1);
    assert.match(
      stdout,
      /^not checked {2}References +The spec has what this version of the program does not support: spec\./m,
    );
    assert.match(stdout, /^PROBLEM {6}Generation +MlflowServer\/mlflow: No operator has reported on the server\.$/m);
  });
});
