import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { MlflowServerStatus } from "../../../src/api/server.ts";
import { changed, type Document, smallest } from "../../api/documents.ts";
import { examples } from "../../api/examples.ts";
import type { ClusterAccess } from "../../control-plane/cluster-access.ts";
import { sharedControlPlane } from "../../control-plane/shared.ts";
import { comparable, installDefinition } from "./verdict.ts";

const namespace = "admission-kubectl";
const definitionFile = join(import.meta.dirname, "../../../crds/mlflowservers.yaml");

const status: MlflowServerStatus = {
  observedGeneration: 1,
  conditions: [
    {
      type: "Ready",
      status: "False",
      reason: "SecretNotFound",
      message: "Secret a does not exist: create it",
      observedGeneration: 1,
      lastTransitionTime: "2026-01-01T00:00:00Z",
    },
  ],
  url: "https://platform.example.com/clusters/c1/mlflow",
  serviceURL: "http://mlflow.team-a:5000",
  externalURL: "https://platform.example.com/clusters/c1/mlflow",
  backendStore: "SQLite",
  artifactStore: "PersistentVolume",
  version: "3.17.2",
  authentication: "Basic",
  adminCredentialsSecretRef: { name: "mlflow-admin" },
  replicas: 1,
  readyReplicas: 0,
  selector: "mlflow-operator.dev/server=mlflow",
};

describe("MlflowServers by kubectl", () => {
  let cluster: ClusterAccess;
  const kubectl = (args: readonly string[], input?: unknown) =>
    cluster.kubectl(
      ["--namespace", namespace, ...args],
      input === undefined || typeof input === "string" ? input : JSON.stringify(input),
    );
  const stored = async (name: string): Promise<Document> => {
    const document = changed(smallest, { "metadata.name": name });
    const { code, stderr } = await kubectl(["apply", "-f", "-"], document);
    assert.equal(code, 0, stderr);
    return document;
  };
  before(async () => {
    cluster = await sharedControlPlane();
    await installDefinition(cluster);
    await cluster.kubectl(["create", "namespace", namespace]);
  });
  after(() => cluster.kubectl(["delete", "namespace", namespace, "--wait=false"]));

  test("the API server accepts the generated CustomResourceDefinition without a warning", async () => {
    const definition = await readFile(definitionFile, "utf8");
    const { code, stderr } = await kubectl(["apply", "--server-side", "--force-conflicts", "-f", "-"], definition);
    assert.equal(stderr, "");
    assert.equal(code, 0);
  });

  test("the schema is structural, and its names are accepted", async () => {
    const { stdout } = await kubectl([
      "get",
      "crd",
      "mlflowservers.mlflow-operator.dev",
      "-o",
      "jsonpath={range .status.conditions[*]}{.type}={.status} {end}",
    ]);
    assert.deepEqual(stdout.trim().split(" ").toSorted(), ["Established=True", "NamesAccepted=True"]);
  });

  test("kubectl shows all errors together, each with its fix", async () => {
    const document = changed(smallest, { "spec.replicas": 2, "spec.authentication": {} });
    const { code, stderr } = await kubectl(["apply", "-f", "-"], document);
    assert.equal(code, 1);
    assert.equal(
      comparable(stderr.trim()),
      [
        'The MlflowServer "mlflow" is invalid: ',
        "* spec.replicas: Invalid value: replicas above 1 need a database that pods can share: use backendStore.postgresql or mysql, or replicas: 1",
        "* spec.replicas: Invalid value: replicas above 1 need an artifact store that pods can share: use a bucket, or persistentVolume.accessModes: [ReadWriteMany], or replicas: 1",
        "* spec.authentication: Invalid value: set exactly one of basic, ldap, oidc, kubernetes, oauth2Proxy, none: write basic: {} for users with passwords, ldap for users of a directory, oidc for users of an OpenID Connect issuer, kubernetes: {} for bearer tokens of Kubernetes, or oauth2Proxy for sign-in in front of MLflow; for a server without authentication write none: {}",
      ].join("\n"),
    );
  });

  test("a required field is required by the OpenAPI schema", async () => {
    const document = changed(smallest, { "spec.authentication": undefined });
    const { code, stderr } = await kubectl(["apply", "-f", "-"], document);
    assert.equal(code, 1);
    assert.match(stderr, /spec\.authentication: Required value/);
  });

  test("kubectl rejects a misspelled field by default", async () => {
    const { code, stderr } = await kubectl(["apply", "-f", "-"], changed(smallest, { "spec.hibernated": true }));
    assert.equal(code, 1);
    assert.match(stderr, /unknown field "spec\.hibernated"/);
  });

  test("quantities are accepted in all usual forms, except a fraction without quotes, which is reported with its field", async () => {
    const written = (cpu: string) => `
apiVersion: mlflow-operator.dev/v1alpha1
kind: MlflowServer
metadata: { name: amounts }
spec:
  version: 3.17.2
  backendStore: { sqlite: {} }
  artifactStore: { persistentVolume: {} }
  authentication: { basic: {} }
  pod:
    resources:
      requests: { cpu: ${cpu}, memory: 2Gi }
      limits: { cpu: 4, memory: 4294967296, nvidia.com/gpu: 1 }
`;
    for (const cpu of ["2", "2.0", '"0.5"', "500m"]) {
      const { code, stderr } = await kubectl(["apply", "-f", "-"], written(cpu));
      assert.deepEqual([code, stderr], [0, ""], cpu);
    }
    const half = await kubectl(["apply", "-f", "-"], written("0.5"));
    assert.equal(half.code, 1);
    assert.match(half.stderr, /spec\.pod\.resources\.requests\.cpu in body must be of type integer,string: "number"/);
  });

  test("short name, category and columns; more columns with -o wide", async () => {
    const document = await stored("columns");
    const answer = await cluster.request(
      "PATCH",
      `/apis/mlflow-operator.dev/v1alpha1/namespaces/${namespace}/mlflowservers/columns/status?fieldManager=test&fieldValidation=Strict`,
      {
        body: { apiVersion: document["apiVersion"], kind: document["kind"], status },
        headers: { "content-type": "application/apply-patch+yaml" },
      },
    );
    assert.equal(answer.status, 200, answer.body);
    const rows = async (...args: string[]) =>
      (await kubectl(["get", ...args])).stdout.split("\n").map((line) => line.trim().split(/\s+/));
    const [head, row] = await rows("mlf", "columns");
    assert.deepEqual(head, ["NAME", "READY", "REASON", "VERSION", "REPLICAS", "URL", "AGE"]);
    assert.deepEqual(row?.slice(0, 6), ["columns", "False", "SecretNotFound", "3.17.2", "0", status.url]);
    const [wideHead, wideRow] = await rows("mlflowserver", "columns", "-o", "wide");
    assert.deepEqual(wideHead?.slice(0, 7), head);
    assert.deepEqual(wideHead?.slice(7), ["AUTH", "DATABASE", "ARTIFACTS", "EXTERNAL-URL"]);
    assert.deepEqual(wideRow?.slice(7), ["Basic", "SQLite", "PersistentVolume", status.externalURL]);
    assert.match((await kubectl(["get", "mlops"])).stdout, /columns/);
  });

  test("kubectl scale works or reports why not", async () => {
    await stored("scaled");
    const up = await kubectl(["scale", "mlf/scaled", "--replicas=2"]);
    assert.equal(up.code, 1);
    assert.match(up.stderr, /spec\.replicas: Invalid value: .*use backendStore\.postgresql or mysql, or replicas: 1/);
    assert.equal((await kubectl(["scale", "mlf/scaled", "--replicas=0"])).code, 0);
  });

  test("kubectl explain describes fields and which are required", async () => {
    const { stdout } = await kubectl(["explain", "mlflowserver.spec.backendStore"]);
    assert.match(stdout, /The database of experiments, runs, traces and models/);
    assert.match(stdout, /connectionCheck\s<boolean>/);
    assert.match(
      (await kubectl(["explain", "mlflowserver.spec"])).stdout,
      /version\s<string> -required-\s+Version of MLflow/,
    );
  });

  test("every example is accepted unchanged", async () => {
    for (const { file, path, documents } of await examples()) {
      const named = [...JSON.stringify(documents).matchAll(/"metadata":\{[^{}]*"namespace":"([^"]+)"/g)].map(
        ([, of]) => of,
      );
      for (const of of new Set(named)) if (of !== undefined) await cluster.kubectl(["create", "namespace", of]);
      const place = named.length === 0 ? ["--namespace", namespace] : [];
      const { code, stderr } = await cluster.kubectl([...place, "apply", "-f", path]);
      assert.equal(code, 0, `${file}: ${stderr}`);
      assert.equal(stderr, "", file);
    }
  });
});
