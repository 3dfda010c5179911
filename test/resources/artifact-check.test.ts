import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MlflowServerSpec } from "../../src/api/spec.ts";
import { inputs, jobOf, secret, server } from "../support/fixtures.ts";

const s3 = { bucket: "models", credentialsSecretRef: { name: "s3" } };
const keys = (secretKey: string) => secret("s3", { AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: secretKey });
const job = (artifactStore: MlflowServerSpec["artifactStore"], secretKey = "a", more: Partial<MlflowServerSpec> = {}) =>
  jobOf(inputs(server({ artifactStore, ...more }), [keys(secretKey)]));
const checkOf = (...args: Parameters<typeof job>) => job(...args).spec.template.spec?.initContainers?.[0];

describe("the check of the artifact store", () => {
  test("runs before the migration if MLflow itself writes to a bucket", () => {
    assert.equal(checkOf({ s3 })?.name, "check-artifacts");
    assert.equal(checkOf({ s3, access: "Direct" }), undefined);
    assert.equal(checkOf({ s3, connectionCheck: false }), undefined);
    assert.equal(checkOf({ persistentVolume: {} }), undefined);
  });

  test("has the same variables as the server, including neutralized ones", () => {
    const env = [{ name: "AWS_STS_REGIONAL_ENDPOINTS", value: "regional" }];
    const check = checkOf({ s3 }, "a", { server: { env } });
    const value = (name: string) => check?.env?.find((variable) => variable.name === name)?.value;
    assert.equal(value("MLFLOW_ARTIFACTS_DESTINATION"), "s3://models");
    assert.equal(value("AWS_STS_REGIONAL_ENDPOINTS"), "regional");
    assert.equal(value("PYTHONPATH"), "");
  });

  test("runs again for another bucket and other credentials, without revealing them in its name", () => {
    const name = job({ s3 }).metadata.name;
    assert.equal(job({ s3 }).metadata.name, name);
    assert.notEqual(job({ s3: { ...s3, bucket: "others" } }).metadata.name, name);
    assert.notEqual(job({ s3 }, "b").metadata.name, name);
    const other = inputs(server({ artifactStore: { s3 } }), [keys("a")]);
    const rekeyed = jobOf({ ...other, session: { ...other.session, flaskSecretKey: "another-key" } });
    assert.notEqual(rekeyed.metadata.name, name, "the name is a plain hash of the credentials");
  });
});
