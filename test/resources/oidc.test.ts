import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Oidc } from "../../src/api/fields/oidc.ts";
import type { MlflowServerSpec } from "../../src/api/spec.ts";
import { middlewareFiles } from "../../src/resources/python-programs.ts";
import {
  all,
  deploymentOf,
  environmentOf,
  inputs,
  jobOf,
  postgresql,
  programsOf,
  secret,
  secretText,
  server,
} from "../support/fixtures.ts";

const oidc: Oidc = {
  discoveryURL: "https://id.example.com/realms/ml/.well-known/openid-configuration",
  clientID: "mlflow",
  clientSecretRef: { name: "oidc", key: "secret" },
  userGroup: "mlflow",
  adminGroup: "mlflow-admin",
};
const references = [secret("oidc", { secret: "of-the-client" }), secret("db", { username: "mlflow", password: "p" })];
const of = (change: Partial<Oidc> = {}, spec: Partial<MlflowServerSpec> = {}) =>
  inputs(server({ authentication: { oidc: { ...oidc, ...change } }, ...spec }), references);
const environment = (...args: Parameters<typeof of>) => environmentOf(deploymentOf(of(...args)));

describe("OpenID Connect authentication", () => {
  test("runs the plugin's application, which is ready when the issuer is available", () => {
    const container = deploymentOf(of()).spec.template.spec?.containers[0];
    assert.deepEqual(container?.args, ["--app-name", "oidc-auth"]);
    assert.equal(environment()["PYTHONPATH"], "/etc/mlflow/python");
    const mount = container?.volumeMounts?.find(({ mountPath }) => mountPath === "/etc/mlflow/python");
    assert.equal(mount?.readOnly, true);
    const file = "mlflow_operator/oidc_membership.py";
    assert.equal(programsOf(of())[file], middlewareFiles[file]);
    assert.equal(container?.readinessProbe?.httpGet?.path, "/health/ready");
    assert.equal(container?.livenessProbe?.httpGet?.path, "/health");
  });

  test("accepts tokens for this client, unless another audience is set", () => {
    const usual = environment();
    assert.equal(usual["OIDC_ISSUER"], "https://id.example.com/realms/ml");
    assert.equal(usual["OIDC_AUDIENCE"], "mlflow");
    const other = environment({ issuer: "https://outside.example.com/", audience: "api" });
    assert.deepEqual([other["OIDC_ISSUER"], other["OIDC_AUDIENCE"]], ["https://outside.example.com/", "api"]);
  });

  test("the user name is a claim that users cannot change, and nothing is allowed without a grant", () => {
    assert.equal(environment()["OIDC_USERNAME_FIELD"], "preferred_username");
    assert.equal(environment()["DEFAULT_MLFLOW_PERMISSION"], "NO_PERMISSIONS");
    assert.equal(environment()["OIDC_TRUST_BEARER_GROUP_CLAIMS"], "false");
  });

  test("sets the redirect URL explicitly, and a secure cookie if the URL is https", () => {
    assert.equal(environment()["OIDC_REDIRECT_URI"], "http://demo.team-a:5000/callback");
    assert.equal(environment()["SESSION_COOKIE_SECURE"], "false");
    const outside = environment({ redirectURL: "https://mlflow.example.com:8443/callback" });
    assert.equal(outside["SESSION_COOKIE_SECURE"], "true");
    assert.equal(outside["SESSION_COOKIE_NAME"], "__Host-_team-a_demo");
    assert.equal(environment()["SESSION_COOKIE_NAME"], "_team-a_demo");
    assert.match(outside["MLFLOW_SERVER_ALLOWED_HOSTS"] ?? "", /,mlflow\.example\.com:8443$/);
    assert.equal(outside["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"], "https://mlflow.example.com:8443");
  });

  test("all replicas sign sessions with the same key", () => {
    assert.equal(environment()["SECRET_KEY"], "demo-session/flask-secret-key");
    const own = environment({}, { server: { sessionSecretRef: { name: "keys" } } });
    assert.equal(own["SECRET_KEY"], "keys/flask-secret-key");
  });

  test("users are in the backend store's database, or in a separate file, or in another database", () => {
    const uri = (...args: Parameters<typeof of>) => secretText(of(...args), "demo-auth-config", "oidc-users-db-uri");
    assert.equal(uri(), "sqlite:////mlflow/data/oidc_auth.db");
    assert.match(uri({}, { backendStore: { postgresql } }), /^postgresql\+psycopg2:\/\/mlflow:p@db\.example\.com/);
    const own = { postgresql: { ...postgresql, database: "auth" } };
    assert.match(uri({ database: own }, { backendStore: { postgresql } }), /\/auth\?/);
    assert.equal(environment()["OIDC_USERS_DB_URI"], "demo-auth-config/oidc-users-db-uri");
    assert.equal(environment()["OIDC_ALEMBIC_VERSION_TABLE"], "alembic_version_oidc");
  });

  test("the migration creates the plugin's schema, and needs no administrator", () => {
    const job = environmentOf(jobOf(of()));
    assert.equal(job["AUTH_APPLICATION"], "oidc-auth");
    assert.equal(job["MIGRATION_PACKAGES"], "mlflow_oidc_auth");
    assert.equal(job["AUTH_DATABASE_URI"], "sqlite:////mlflow/data/oidc_auth.db");
    assert.equal(job["MLFLOW_AUTH_ADMIN_USERNAME"], undefined);
    assert.ok(!all(of()).some(({ metadata }) => metadata.name === "demo-admin"));
  });

  test("access tokens are disabled, or have the maximum age of the spec", () => {
    const settings = (change: Partial<Oidc> = {}) => JSON.parse(environment(change)["MLFLOW_OPERATOR_OIDC"] ?? "");
    assert.deepEqual(settings(), { accessTokenSeconds: null });
    assert.deepEqual(settings({ accessTokens: {} }), { accessTokenSeconds: 604_800 });
    assert.deepEqual(settings({ accessTokens: { maxAge: "720h" } }), { accessTokenSeconds: 2_592_000 });
  });

  test("the client secret is in no object, and a change rolls the pods", () => {
    assert.equal(environment()["OIDC_CLIENT_SECRET"], "oidc/secret");
    for (const object of all(of())) assert.ok(!JSON.stringify(object).includes("of-the-client"), object.kind);
    const other = inputs(of().server, [secret("oidc", { secret: "another" })]);
    const annotations = (each: typeof other) => deploymentOf(each).spec.template.metadata?.annotations;
    assert.notDeepEqual(annotations(other), annotations(of()));
  });

  test("a CA bundle is trusted in addition to public CAs", () => {
    const own = of({ ca: { configMapRef: { name: "ca" } } });
    assert.equal(environmentOf(deploymentOf(own))["SSL_CERT_FILE"], "/etc/mlflow/ca/oidc/ca.crt");
    const volumes = deploymentOf(own).spec.template.spec?.volumes ?? [];
    assert.equal(volumes.find(({ name }) => name === "ca-oidc")?.configMap?.name, "ca");
    assert.equal(environment()["SSL_CERT_FILE"], undefined);
  });

  test("a pod waits until the discovery URL answers with the issuer of the tokens", () => {
    const own = of({ ca: { configMapRef: { name: "ca" } }, issuer: "https://outside.example.com" });
    const [programs, check, ...others] = deploymentOf(own).spec.template.spec?.initContainers ?? [];
    assert.deepEqual([programs?.name, check?.name, others], ["programs", "issuers", []]);
    const given = (check?.env ?? []).filter(({ name }) => name !== "MLFLOW_OPERATOR_PROGRAM");
    const variables = Object.fromEntries(given.map(({ name, value }) => [name, JSON.parse(value ?? "")]));
    assert.deepEqual(variables["ISSUERS"], [
      {
        issuer: "https://outside.example.com",
        path: "spec.authentication.oidc.issuer",
        ca: "spec.authentication.oidc.ca",
        discovery: oidc.discoveryURL,
      },
    ]);
    assert.deepEqual(variables["CA_FILES"], ["/etc/mlflow/ca/oidc/ca.crt"]);
    assert.ok(check?.volumeMounts?.some(({ mountPath }) => mountPath === "/etc/mlflow/ca/oidc"));
  });
});
