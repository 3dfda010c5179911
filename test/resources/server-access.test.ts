import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { neutralEnvironment } from "../../src/api/environment.ts";
import {
  all,
  deploymentOf,
  environmentOf,
  inputs,
  jobOf,
  postgresql,
  secret,
  secretText,
  server,
} from "../support/fixtures.ts";

const credentials = secret("db", { username: "mlflow", password: "p" });

describe("access to the server", () => {
  test("runs basic authentication with the operator's configuration", () => {
    const deployment = deploymentOf(inputs());
    const container = deployment.spec.template.spec?.containers[0];
    assert.deepEqual(container?.command, ["python", "-P", "-m", "mlflow_operator.start"]);
    assert.deepEqual(container?.args, ["--app-name", "basic-auth"]);
    assert.equal(environmentOf(deployment)["MLFLOW_AUTH_CONFIG_PATH"], "/etc/mlflow/auth/basic_auth.ini");
  });

  test("a server without authentication requires authentication.none", () => {
    const deployment = deploymentOf(inputs(server({ authentication: { none: {} } })));
    assert.deepEqual(deployment.spec.template.spec?.containers[0]?.args, ["--app-name", "mlflow-operator"]);
    assert.equal(environmentOf(deployment)["MLFLOW_AUTH_CONFIG_PATH"], "");
  });

  test("the Service selects the server's pods, never those of a migration", () => {
    const objects = all(inputs());
    const service = objects.find((object) => object.kind === "Service");
    const selector = service?.kind === "Service" ? (service.spec.selector ?? {}) : {};
    const matches = (labels: Record<string, string> = {}) =>
      Object.entries(selector).every(([key, value]) => labels[key] === value);
    assert.ok(matches(deploymentOf(inputs()).spec.template.metadata?.labels));
    assert.ok(!matches(jobOf(inputs()).spec.template.metadata?.labels));
  });

  test("user labels cannot take pods out of the selector", () => {
    const labelled = inputs(server({ pod: { labels: { "mlflow-operator.dev/server": "other", team: "a" } } }));
    const labels = deploymentOf(labelled).spec.template.metadata?.labels;
    assert.equal(labels?.["mlflow-operator.dev/server"], "demo");
    assert.equal(labels?.["team"], "a");
  });

  test("MLflow accepts only the Service's names, localhost and configured hosts", () => {
    const hosts = environmentOf(deploymentOf(inputs()))["MLFLOW_SERVER_ALLOWED_HOSTS"]?.split(",");
    assert.ok(hosts?.includes("demo.team-a.svc.cluster.local:*"));
    assert.ok(hosts?.includes("demo.team-a"));
    assert.ok(!hosts?.some((host) => host.startsWith("*") || host.startsWith("10.")));
    const more = inputs(server({ server: { allowedHosts: ["mlflow.example.com"] } }));
    assert.match(environmentOf(deploymentOf(more))["MLFLOW_SERVER_ALLOWED_HOSTS"] ?? "", /,mlflow\.example\.com$/);
  });
});

describe("envFrom", () => {
  test("cannot set a reserved variable, because env takes precedence", () => {
    const postgres = inputs(server({ backendStore: { postgresql } }), [credentials]);
    for (const each of [inputs(), postgres, inputs(server({ authentication: { none: {} } }))]) {
      const environment = environmentOf(deploymentOf(each));
      const own = ["MLFLOW_HOST", "MLFLOW_BACKEND_STORE_URI", "MLFLOW_SERVER_ALLOWED_HOSTS", "PYTHONPATH"];
      for (const name of [...own, ...Object.keys(neutralEnvironment)]) {
        assert.ok(name in environment, `${name} could be set by envFrom`);
      }
    }
  });

  test("Kubernetes expands no variable in the operator's values", () => {
    const cors = inputs(server({ artifactStore: { s3: { bucket: "models", prefix: "$(HOME)/x" } } }));
    assert.equal(environmentOf(deploymentOf(cors))["MLFLOW_ARTIFACTS_DESTINATION"], "s3://models/$$(HOME)/x");
  });
});

describe("TLS", () => {
  const tls = inputs(server({ server: { tls: { certificateSecretRef: { name: "tls" } } } }), [
    secret("tls", { "tls.crt": "c", "tls.key": "k" }),
  ]);

  test("with a certificate pods, probes and Service use https", () => {
    const deployment = deploymentOf(tls);
    assert.match(environmentOf(deployment)["MLFLOW_UVICORN_OPTS"] ?? "", /--ssl-certfile \/etc\/mlflow\/tls\/tls\.crt/);
    assert.equal(deployment.spec.template.spec?.containers[0]?.readinessProbe?.httpGet?.scheme, "HTTPS");
    const service = all(tls).find((object) => object.kind === "Service");
    assert.equal(service?.kind === "Service" ? service.spec.ports?.[0]?.appProtocol : undefined, "https");
  });

  test("a renewed certificate rolls the pods", () => {
    const renewed = inputs(tls.server, [secret("tls", { "tls.crt": "new", "tls.key": "k" })]);
    const annotations = (each: typeof tls) => deploymentOf(each).spec.template.metadata?.annotations;
    assert.notDeepEqual(annotations(tls), annotations(renewed));
  });
});

describe("secrets", () => {
  const password = "p@:/%#?&'\" $\\x(){}*!ü";
  const of = inputs(server({ backendStore: { postgresql } }), [secret("db", { username: "us:er", password })]);

  test("a password with any characters is unchanged after parsing the URI", () => {
    const uri = new URL(secretText(of, "demo-store", "backend-store-uri"));
    assert.equal(decodeURIComponent(uri.password), password);
    assert.equal(decodeURIComponent(uri.username), "us:er");
    assert.equal(uri.protocol, "postgresql+psycopg2:");
    assert.equal(uri.searchParams.get("sslmode"), "prefer");
  });

  test("percent signs are doubled in the ini file, because configparser expands them", () => {
    const ini = secretText(of, "demo-auth-config", "basic_auth.ini");
    const uri = /^database_uri = (.*)$/m.exec(ini)?.[1] ?? "";
    assert.equal(uri.replaceAll("%%", "%"), secretText(of, "demo-store", "backend-store-uri"));
    assert.doesNotMatch(uri.replaceAll("%%", ""), /%/);
    assert.doesNotMatch(ini, /admin_password/);
  });

  test("MLflow caches a successful password check for a minute, or for passwordCacheTTL", () => {
    const ini = (basic: { passwordCacheTTL?: string }) =>
      secretText(inputs(server({ authentication: { basic } })), "demo-auth-config", "basic_auth.ini");
    assert.match(ini({}), /^auth_cache_ttl_seconds = 60$/m);
    assert.match(ini({ passwordCacheTTL: "0s" }), /^auth_cache_ttl_seconds = 0$/m);
    assert.match(ini({ passwordCacheTTL: "10m" }), /^auth_cache_ttl_seconds = 600$/m);
  });

  test("only Secrets contain secret values", () => {
    const values = [
      password,
      encodeURIComponent(password),
      "flask-secret-key-of-tests",
      "kek-passphrase-of-tests",
      "generated-password",
    ];
    for (const object of all(of).filter(({ kind }) => kind !== "Secret")) {
      const text = JSON.stringify(object);
      for (const value of values) assert.ok(!text.includes(value), `${object.kind} shows ${value}`);
    }
  });

  test("a CA without sslMode results in verify-full", () => {
    const checked = { ...postgresql, ca: { configMapRef: { name: "ca" } } };
    const uri = new URL(
      secretText(
        inputs(server({ backendStore: { postgresql: checked } }), [credentials]),
        "demo-store",
        "backend-store-uri",
      ),
    );
    assert.equal(uri.searchParams.get("sslmode"), "verify-full");
    assert.equal(uri.searchParams.get("sslrootcert"), "/etc/mlflow/ca/tracking/ca.crt");
  });
});

describe("pods", () => {
  test("every pod runs under Pod Security restricted, with a read-only root and no token", () => {
    for (const workload of [deploymentOf(inputs()), jobOf(inputs())]) {
      const spec = workload.spec.template.spec;
      assert.equal(spec?.securityContext?.runAsNonRoot, true);
      assert.equal(spec?.securityContext?.seccompProfile?.type, "RuntimeDefault");
      assert.equal(spec?.automountServiceAccountToken, false);
      assert.equal(spec?.enableServiceLinks, false);
      for (const { securityContext } of spec?.containers ?? []) {
        assert.equal(securityContext?.allowPrivilegeEscalation, false);
        assert.equal(securityContext?.readOnlyRootFilesystem, true);
        assert.deepEqual(securityContext?.capabilities, { drop: ["ALL"] });
      }
    }
  });

  test("job execution is disabled by default", () => {
    assert.equal(environmentOf(deploymentOf(inputs()))["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"], "false");
    const asked = inputs(server({ server: { jobExecution: true } }));
    assert.equal(environmentOf(deploymentOf(asked))["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"], "true");
  });

  test("a volume that only one node can mount requires the Recreate strategy", () => {
    assert.equal(deploymentOf(inputs()).spec.strategy?.type, "Recreate");
    const s3 = inputs(server({ backendStore: { postgresql }, artifactStore: { s3: { bucket: "models" } } }), [
      credentials,
    ]);
    assert.equal(deploymentOf(s3).spec.strategy?.type, "RollingUpdate");
  });

  test("hibernation keeps everything except the pods", () => {
    const kinds = (of: ReturnType<typeof inputs>) => all(of).map(({ kind, metadata }) => `${kind}/${metadata.name}`);
    const asleep = inputs(server({ hibernate: true, replicas: 1 }));
    assert.equal(deploymentOf(asleep).spec.replicas, 0);
    assert.deepEqual(kinds(asleep), kinds(inputs()));
  });
});

describe("retained objects", () => {
  const stored = ["Secret/demo-session", "Secret/demo-admin", "PersistentVolumeClaim/demo"];
  const ownerless = (of: ReturnType<typeof inputs>) =>
    all(of)
      .filter(({ metadata }) => metadata.ownerReferences === undefined)
      .map(({ kind, metadata }) => `${kind}/${metadata.name}`);

  test("Retain: generated Secrets and volumes only", () => {
    assert.deepEqual(ownerless(inputs()).sort(), [...stored].sort());
  });

  test("Delete: nothing", () => {
    assert.deepEqual(ownerless(inputs(server({ deletionPolicy: "Delete" }))), []);
  });

  test("no object has the label with which Argo CD would prune it", () => {
    for (const { metadata } of all(inputs())) assert.ok(!("app.kubernetes.io/instance" in (metadata.labels ?? {})));
  });
});
