import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { artifactStore as schema } from "../../src/api/fields/artifact-store.ts";
import type { MlflowServerSpec } from "../../src/api/spec.ts";
import { validate } from "../../src/api/validation.ts";
import { artifactStorageOf } from "../../src/features/artifacts/index.ts";
import { referencesOf } from "../../src/features/references.ts";
import { resolve } from "../../src/features/resolve.ts";
import { failedChecks } from "../../src/reconcile/preflight-checks.ts";
import { rightDocuments } from "../api/documents.ts";
import { all, configMap, deploymentOf, environmentOf, inputs, jobOf, secret, server } from "../support/fixtures.ts";

type Store = MlflowServerSpec["artifactStore"];

/** Each kind of store with each of its alternatives: those of the documents of the tests of validation. */
const stores: readonly (readonly [string, Partial<MlflowServerSpec>])[] = Object.entries(rightDocuments).flatMap(
  ([name, document]) => {
    const result = validate(document);
    return "server" in result ? [[name, { artifactStore: result.server.spec.artifactStore }] as const] : [];
  },
);

const keyFile = JSON.stringify({
  type: "service_account",
  client_email: "a@b",
  private_key: "k",
  token_uri: "https://c",
});
const connectionString =
  "DefaultEndpointsProtocol=https;AccountName=models;AccountKey=a2V5;EndpointSuffix=core.windows.net";
const accessKey = Buffer.alloc(64, "k").toString("base64");

const podsOf = (spec: Partial<MlflowServerSpec>, ...references: Parameters<typeof inputs>[1][]) => {
  const of = inputs(server(spec), references.flat() as Parameters<typeof inputs>[1]);
  return { deployment: deploymentOf(of), job: jobOf(of) };
};
const environment = (artifactStore: Store, more: Partial<MlflowServerSpec> = {}) =>
  environmentOf(podsOf({ artifactStore, ...more }).deployment);
const gcs = { bucket: "models" };
const azureBlob = { storageAccount: "models", container: "mlflow" };

describe("every artifact store", () => {
  const kinds = Object.keys(schema.shape).filter((field) =>
    stores.some(([, { artifactStore }]) => typeof artifactStore?.[field as keyof Store] === "object"),
  );

  test("is among the documents of the tests", () => {
    for (const kind of ["persistentVolume", "s3", "gcs", "azureBlob"]) assert.ok(kinds.includes(kind), kind);
  });

  for (const [name, spec] of stores)
    test(`${name}: pods mount and read what the store references, and nothing else of it`, () => {
      const { deployment, job } = podsOf(spec);
      const storage = artifactStorageOf(server(spec).spec);
      for (const { name: object, kind, keys } of storage.references) {
        const text = JSON.stringify(deployment.spec.template.spec);
        assert.ok(text.includes(`"${object}"`), `${kind} ${object}`);
        for (const key of keys) assert.ok(text.includes(`"${key}"`), key);
      }
      assert.deepEqual(
        referencesOf(server(spec).spec).filter(({ path }) => path.startsWith("spec.artifactStore")),
        storage.references,
      );
      const names = (deployment.spec.template.spec?.containers[0]?.env ?? []).map((each) => each.name);
      assert.equal(new Set(names).size, names.length, "a variable is set twice");
      for (const { url } of storage.urls) assert.ok(URL.canParse(url), url);
      // The check has the variables of the server, and a name that MLflow expands is set before it.
      const check = job.spec.template.spec?.initContainers?.find((each) => each.name === "check-artifacts");
      for (const env of [deployment.spec.template.spec?.containers[0]?.env, check?.env]) {
        const at = (variable: string) => (env ?? []).findIndex((each) => each.name === variable);
        const [destination] = (env ?? []).filter((each) => each.name === "MLFLOW_ARTIFACTS_DESTINATION");
        for (const [, variable = ""] of (destination?.value ?? "").matchAll(/\$\(([A-Z_]+)\)/g))
          assert.ok(at(variable) >= 0 && at(variable) < at("MLFLOW_ARTIFACTS_DESTINATION"), variable);
      }
    });
});

describe("Google Cloud Storage", () => {
  test("reads the key of a service account from a file", () => {
    const { MLFLOW_ARTIFACTS_DESTINATION, GOOGLE_APPLICATION_CREDENTIALS, API_ENDPOINT_OVERRIDE } = environment({
      gcs: { ...gcs, prefix: "a/b", endpointURL: "https://c", credentialsSecretRef: { name: "google", key: "k.json" } },
    });
    assert.equal(MLFLOW_ARTIFACTS_DESTINATION, "gs://models/a/b");
    assert.equal(GOOGLE_APPLICATION_CREDENTIALS, "/etc/mlflow/gcs/credentials.json");
    assert.equal(API_ENDPOINT_OVERRIDE, "https://c");
  });

  test("uses Workload Identity without a key, which needs the metadata service", () => {
    const env = environment({ gcs });
    assert.equal(env["GOOGLE_APPLICATION_CREDENTIALS"], undefined);
    assert.equal(env["API_ENDPOINT_OVERRIDE"], undefined);
    assert.equal(policyOf({ artifactStore: { gcs } })?.egress, undefined, "egress is open");
    const text = JSON.stringify(policyOf({ artifactStore: { gcs }, networkPolicy: { egress: {} } })?.egress);
    assert.match(text, /"port":443/);
    assert.match(text, /"port":988.*169\.254\.0\.0\/16/);
  });

  test("with a key the metadata service stays closed", () => {
    const artifactStore = { gcs: { ...gcs, credentialsSecretRef: { name: "google", key: "k" } } };
    assert.match(JSON.stringify(policyOf({ artifactStore })?.egress), /"except":\["169\.254\.0\.0\/16"/);
    assert.doesNotMatch(JSON.stringify(policyOf({ artifactStore, networkPolicy: { egress: {} } })), /988/);
  });
});

describe("Azure Blob Storage", () => {
  test("never sets an empty variable, which MLflow would take as a credential", () => {
    for (const artifactStore of [
      { azureBlob },
      { azureBlob: { ...azureBlob, accessKeySecretRef: { name: "azure", key: "k" } } },
      { azureBlob: { ...azureBlob, connectionStringSecretRef: { name: "azure", key: "k" } } },
    ]) {
      const set = Object.entries(environment(artifactStore)).filter(([name]) => name.startsWith("AZURE_STORAGE_"));
      assert.equal(
        set.length,
        "accessKeySecretRef" in artifactStore.azureBlob || "connectionStringSecretRef" in artifactStore.azureBlob
          ? 1
          : 0,
      );
      for (const [, value] of set) assert.equal(value, "azure/k");
    }
  });

  test("has the domain of its cloud", () => {
    const china = { ...azureBlob, endpointSuffix: "blob.core.chinacloudapi.cn", prefix: "a" } as const;
    const { MLFLOW_ARTIFACTS_DESTINATION } = environment({ azureBlob: china });
    assert.equal(MLFLOW_ARTIFACTS_DESTINATION, "wasbs://mlflow@models.blob.core.chinacloudapi.cn/a");
  });

  test("labels the pods for Workload ID if the ServiceAccount has a client id and the spec no key", () => {
    const annotations = { "azure.workload.identity/client-id": "id" };
    const label = (store: Store, serviceAccount?: object) => {
      const { deployment, job } = podsOf({ artifactStore: store, ...(serviceAccount && { serviceAccount }) });
      const found = [deployment, job].map(
        ({ spec }) => spec.template.metadata?.labels?.["azure.workload.identity/use"],
      );
      assert.equal(found[0], found[1], "the pods of the migration check the store");
      return found[0];
    };
    assert.equal(label({ azureBlob }, { annotations }), "true");
    assert.equal(label({ azureBlob }), undefined);
    assert.equal(
      label({ azureBlob: { ...azureBlob, accessKeySecretRef: { name: "a", key: "k" } } }, { annotations }),
      undefined,
    );
  });
});

describe("a bucket by reference", () => {
  const artifactStore = { s3: { bucketRef: { configMapRef: { name: "claim" } }, prefix: "$(HOME)" } };
  const nameOfJob = (bucket: string) =>
    podsOf({ artifactStore }, [configMap("claim", { BUCKET_NAME: bucket })]).job.metadata.name;

  test("is expanded by Kubernetes, and nothing else is", () => {
    const env = podsOf({ artifactStore }).deployment.spec.template.spec?.containers[0]?.env ?? [];
    assert.deepEqual(env.find(({ name }) => name === "MLFLOW_OPERATOR_BUCKET")?.valueFrom?.configMapKeyRef, {
      name: "claim",
      key: "BUCKET_NAME",
    });
    assert.equal(
      env.find(({ name }) => name === "MLFLOW_ARTIFACTS_DESTINATION")?.value,
      "s3://$(MLFLOW_OPERATOR_BUCKET)/$$(HOME)",
    );
  });

  test("is expanded for the migration too, which creates the Default experiment", () => {
    const env = podsOf({ artifactStore: { ...artifactStore, access: "Direct" } }).job.spec.template.spec?.containers[0]
      ?.env;
    const names = (env ?? []).map(({ name }) => name);
    assert.ok(names.includes("MLFLOW_OPERATOR_BUCKET"));
    assert.ok(names.indexOf("MLFLOW_OPERATOR_BUCKET") < names.indexOf("MLFLOW_DEFAULT_ARTIFACT_ROOT"));
  });

  test("is checked again when the name changes", () => {
    assert.equal(nameOfJob("a-bucket"), nameOfJob("a-bucket"));
    assert.notEqual(nameOfJob("a-bucket"), nameOfJob("another-bucket"));
  });
});

describe("a wrong value is reported with the key, and without the value", () => {
  const wrong: readonly (readonly [string, Store, "InvalidSecret" | "InvalidConfigMap", RegExp, readonly string[]])[] =
    [
      [
        "credentials of Google",
        { gcs: { ...gcs, credentialsSecretRef: { name: "store", key: "value" } } },
        "InvalidSecret",
        /the key value of Secret store must be JSON with the type service_account/,
        ["", "replace-me", "{}", "[]", '"text"', '{"type": "authorized_user"}', `${keyFile}}`],
      ],
      [
        "a connection string",
        { azureBlob: { ...azureBlob, connectionStringSecretRef: { name: "store", key: "value" } } },
        "InvalidSecret",
        /the key value of Secret store must be a connection string/,
        ["", "replace-me", accessKey, `${connectionString}\n`, "AccountName=models", "AccountKey=a2V5"],
      ],
      [
        "a connection string of another account",
        { azureBlob: { ...azureBlob, connectionStringSecretRef: { name: "store", key: "value" } } },
        "InvalidSecret",
        /another storage account than models/,
        [connectionString.replace("=models;", "=other-account;")],
      ],
      [
        "an access key",
        { azureBlob: { ...azureBlob, accessKeySecretRef: { name: "store", key: "value" } } },
        "InvalidSecret",
        /the key value of Secret store must be an access key in base64/,
        ["", "replace-me", `${accessKey}\n`, connectionString],
      ],
      [
        "the name of a bucket in a ConfigMap",
        { s3: { bucketRef: { configMapRef: { name: "store", key: "value" } } } },
        "InvalidConfigMap",
        /the key value of ConfigMap store must be the name of a bucket/,
        ["", "s3://replace-me", "replace-me/path", "Replace-me", "replace-me\n", "replace-me?x"],
      ],
      [
        "the name of a bucket in a Secret",
        { s3: { bucketRef: { secretRef: { name: "store", key: "value" } } } },
        "InvalidSecret",
        /the key value of Secret store must be the name of a bucket/,
        ["", "gs://replace-me", "$(HOME)replace-me"],
      ],
    ];
  const causesOf = (artifactStore: Store, value: string) => {
    const of = server({ artifactStore });
    const references = [configMap("store", { value }), secret("store", { value })];
    const made = inputs(of, references);
    return failedChecks({
      ...{ server: of, owned: [], references: made.references, model: resolve(made), installation: made.installation },
      ...{ unmanaged: [], granted: [], isMutatedByAdmission: () => false, now: new Date(0) },
    });
  };
  for (const [title, store, reason, message, values] of wrong)
    test(title, () => {
      for (const value of values) {
        const found = causesOf(store, value);
        assert.deepEqual(
          found.map((cause) => cause.reason),
          [reason],
          JSON.stringify(value),
        );
        assert.match(found[0]?.message ?? "", message);
        if (value !== "") assert.ok(!(found[0]?.message ?? "").includes(value.trim()), found[0]?.message ?? "");
      }
    });

  test("right values are not reported", () => {
    const right: readonly (readonly [Store, string])[] = [
      [{ gcs: { ...gcs, credentialsSecretRef: { name: "store", key: "value" } } }, keyFile],
      [{ gcs: { ...gcs, credentialsSecretRef: { name: "store", key: "value" } } }, '{"type": "external_account"}'],
      [{ azureBlob: { ...azureBlob, connectionStringSecretRef: { name: "store", key: "value" } } }, connectionString],
      [
        { azureBlob: { ...azureBlob, connectionStringSecretRef: { name: "store", key: "value" } } },
        "BlobEndpoint=https://models.blob.core.windows.net;SharedAccessSignature=sv=1&sig=a",
      ],
      [{ azureBlob: { ...azureBlob, accessKeySecretRef: { name: "store", key: "value" } } }, accessKey],
      [{ s3: { bucketRef: { configMapRef: { name: "store", key: "value" } } } }, "models-1f2e"],
    ];
    for (const [store, value] of right) assert.deepEqual(causesOf(store, value), [], value);
  });
});

describe("an existing claim", () => {
  const artifactStore: Store = { persistentVolume: { existingClaim: "shared", subPath: "team-a" } };

  test("is mounted with its folder, and never created", () => {
    const { deployment, job } = podsOf({ artifactStore });
    for (const { spec } of [deployment, job]) {
      const pod = spec.template.spec;
      assert.deepEqual(pod?.volumes?.find(({ name }) => name === "data")?.persistentVolumeClaim, {
        claimName: "shared",
      });
      assert.deepEqual(
        pod?.containers[0]?.volumeMounts?.find(({ name }) => name === "data"),
        { name: "data", mountPath: "/mlflow/data", subPath: "team-a" },
      );
    }
    assert.ok(all(inputs(server({ artifactStore }))).every(({ kind }) => kind !== "PersistentVolumeClaim"));
  });

  test("is another database if the SQLite file is on it: the migration runs again for another claim or folder", () => {
    const nameOf = (persistentVolume: Store["persistentVolume"]) =>
      podsOf({ artifactStore: { persistentVolume: persistentVolume ?? {} } }).job.metadata.name;
    const names = [
      nameOf({ existingClaim: "shared", subPath: "team-a" }),
      nameOf({ existingClaim: "shared", subPath: "team-b" }),
      nameOf({ existingClaim: "shared" }),
      nameOf({ existingClaim: "other" }),
      nameOf({}),
    ];
    assert.equal(new Set(names).size, names.length);
  });

  test("can be used by several pods at a time only if the spec allows it", () => {
    const strategy = (more: object) =>
      podsOf({
        backendStore: { uriSecretRef: { name: "db", key: "uri" } },
        artifactStore: { persistentVolume: { existingClaim: "shared", ...more } },
      }).deployment.spec.strategy?.type;
    assert.equal(strategy({}), "Recreate");
    assert.equal(strategy({ accessModes: ["ReadWriteMany"] }), "RollingUpdate");
  });
});

function policyOf(spec: Partial<MlflowServerSpec>) {
  const found = all(inputs(server(spec))).find((manifest) => manifest.kind === "NetworkPolicy");
  return found?.kind === "NetworkPolicy" ? found.spec : undefined;
}
