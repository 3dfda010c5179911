import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { dump, load, loadAll } from "js-yaml";
import { isObject } from "../../src/api/structure.ts";
import { runCommand } from "../support/command-line.ts";

const tokenUrl = ["--token-url", "https://id.example.com/token"];

const run = (args: readonly string[], stdin = "") => runCommand(["otel-config", ...args], { stdin });

/** A server with these fields of the spec, as a manifest. */
function server(spec: object): string {
  return dump({
    apiVersion: "mlflow-operator.dev/v1alpha1",
    kind: "MlflowServer",
    metadata: { name: "tracking", namespace: "ml" },
    spec: {
      version: "3.17.2",
      backendStore: { sqlite: {} },
      artifactStore: { persistentVolume: {} },
      ...spec,
    },
  });
}

const ask = (spec: object, args: readonly string[] = []) =>
  run(["-f", "-", "--experiment", "1", ...args], server(spec));

/** A value deep in a document, by the keys that lead there. */
function at(document: unknown, ...keys: readonly string[]): unknown {
  return keys.reduce<unknown>((value, key) => (isObject(value) ? value[key] : undefined), document);
}

const exporter = (text: string) => at(load(text), "exporters", "otlp_http/mlflow");

/** The extension with the credential, and the name that the exporter refers to. */
function credential(text: string): [name: unknown, settings: unknown] {
  const name = at(exporter(text), "auth", "authenticator");
  return [name, at(load(text), "extensions", String(name))];
}

const oidc = {
  discoveryURL: "https://id.example.com/realms/ml/.well-known/openid-configuration",
  clientID: "mlflow",
  clientSecretRef: { name: "client", key: "secret" },
  userGroup: "mlflow",
  adminGroup: "mlflow-admin",
};
const proxy = { issuerURL: "https://id.example.com", clientID: "mlflow", authorization: { allAuthenticatedUsers: {} } };
const viaProxy = { ...proxy, acceptServiceAccountTokens: {} };

const password = {
  client_auth: { username_file: "/etc/otelcol/credential/username", password_file: "/etc/otelcol/credential/password" },
};
const client = {
  token_url: "https://id.example.com/token",
  client_id_file: "/etc/otelcol/credential/client-id",
  client_secret_file: "/etc/otelcol/credential/client-secret",
  timeout: "10s",
};
const token = { filename: "/var/run/secrets/mlflow/token" };

/** By authentication method: the spec, and the credential of the collector. */
const methods: Readonly<Record<string, readonly [spec: object, name: string | undefined, settings?: object]>> = {
  basic: [{ authentication: { basic: {} } }, "basicauth/mlflow", password],
  ldap: [
    {
      authentication: {
        ldap: {
          url: "ldaps://ldap.example.com/dc=example",
          userBind: "uid=%s,dc=example",
          groups: { filter: "(member=%s)", admin: "cn=a", user: "cn=b" },
        },
      },
    },
    "basicauth/mlflow",
    password,
  ],
  oidc: [{ authentication: { oidc } }, "oauth2client/mlflow", client],
  oauth2Proxy: [{ authentication: { oauth2Proxy: proxy } }, "oauth2client/mlflow", client],
  "oauth2Proxy that accepts tokens of ServiceAccounts": [
    { authentication: { oauth2Proxy: viaProxy } },
    "bearertokenauth/mlflow",
    token,
  ],
  "oauth2Proxy with allowedGroups": [
    { authentication: { oauth2Proxy: { ...viaProxy, allowedGroups: ["mlflow"] } } },
    "oauth2client/mlflow",
    client,
  ],
  kubernetes: [{ authentication: { kubernetes: {} } }, "bearertokenauth/mlflow", token],
  "oauth2Proxy with SelfSubjectAccessReview": [
    { authentication: { oauth2Proxy: { ...viaProxy, authorization: { kubernetes: {} } } } },
    "bearertokenauth/mlflow",
    token,
  ],
  "oauth2Proxy with SubjectAccessReview": [
    {
      authentication: {
        oauth2Proxy: { ...proxy, authorization: { kubernetes: { accessReview: "SubjectAccessReview" } } },
      },
    },
    "oauth2client/mlflow",
    client,
  ],
  "oauth2Proxy with SubjectAccessReview and tokens of ServiceAccounts": [
    {
      authentication: {
        oauth2Proxy: { ...viaProxy, authorization: { kubernetes: { accessReview: "SubjectAccessReview" } } },
      },
    },
    "bearertokenauth/mlflow",
    token,
  ],
  "no authentication": [{ authentication: { none: {} } }, undefined],
};

describe("mlflow-operator otel-config", () => {
  for (const [method, [spec, name, settings]] of Object.entries(methods))
    test(`uses the credential that the server accepts: ${method}`, async () => {
      const { code, stdout, stderr } = await ask(spec, name?.startsWith("oauth2client") ? tokenUrl : []);
      assert.equal(code, 0, stderr);
      assert.deepEqual(credential(stdout), [name, settings]);
      const extensions = at(load(stdout), "service", "extensions");
      assert.deepEqual(extensions, ["health_check", ...(name === undefined ? [] : [name])]);
    });

  test("sends traces of one experiment to the server's Service", async () => {
    const { stdout } = await ask({ authentication: { basic: {} } });
    assert.deepEqual(exporter(stdout), {
      traces_endpoint: "http://tracking.ml:5000/v1/traces",
      headers: { "x-mlflow-experiment-id": "1" },
      auth: { authenticator: "basicauth/mlflow" },
    });
  });

  test("sends over TLS where the server has a certificate, with the CA certificate that is named", async () => {
    const spec = { authentication: { basic: {} }, server: { tls: { certificateSecretRef: { name: "tls" } } } };
    const { stdout } = await ask(spec, ["--server-ca", "internal-ca"]);
    assert.equal(at(exporter(stdout), "traces_endpoint"), "https://tracking.ml:5000/v1/traces");
    assert.deepEqual(at(exporter(stdout), "tls"), {
      ca_file: "/etc/otelcol/ca/server/ca.crt",
      include_system_ca_certs_pool: true,
    });
    assert.match((await ask({ authentication: { basic: {} } }, ["--server-ca", "x"])).stderr, /leave it out/);
  });

  test("sets the workspace: the default one, or that of the option; fails where there is neither", async () => {
    const headers = async (workspaces: object, ...args: readonly string[]) =>
      at(exporter((await ask({ authentication: { kubernetes: {} }, workspaces }, args)).stdout), "headers");
    const of = (workspace: string) => ({ "x-mlflow-experiment-id": "1", "x-mlflow-workspace": workspace });
    assert.deepEqual(await headers({ default: "team-a" }), of("team-a"));
    assert.deepEqual(await headers({ default: "team-a" }, "--workspace", "team-b"), of("team-b"));
    const { code, stderr } = await ask({ authentication: { kubernetes: {} }, workspaces: {} });
    assert.deepEqual([code, /--workspace <namespace>/.test(stderr)], [1, true]);
    assert.equal((await ask({ authentication: { basic: {} } }, ["--workspace", "team-a"])).code, 1);
  });

  test("escapes variables in a scope", async () => {
    const { stdout } = await ask({ authentication: { oidc } }, [...tokenUrl, "--scope", `a\${HOME}`]);
    assert.deepEqual(at(credential(stdout)[1], "scopes"), [`a$\${HOME}`]);
  });

  test("says what to set where a value is missing, or where the server would reject the collector", async () => {
    const wrong: [spec: object, args: readonly string[], message: RegExp][] = [
      [{ authentication: { oidc } }, [], /--token-url: it is token_endpoint in https:\/\/id\.example\.com\/realms/],
      [{ authentication: { oidc } }, ["--token-url", "http://id.example.com/token"], /is an https URL/],
      [{ authentication: { basic: {} } }, tokenUrl, /leave out --token-url/],
      [
        { authentication: { oauth2Proxy: { ...proxy, skipJWTBearerTokens: false } } },
        tokenUrl,
        /rejects programs .*leave it out/,
      ],
      [
        {
          authentication: {
            oauth2Proxy: { ...proxy, authorization: { kubernetes: { accessReview: "SubjectAccessReview" } } },
          },
        },
        [...tokenUrl, "--manifests"],
        /--user <name>/,
      ],
    ];
    for (const [spec, args, message] of wrong) {
      const { code, stdout, stderr } = await ask(spec, args);
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr, message);
    }
  });

  test("reports wrong usage and wrong files", async () => {
    const usages = [
      ["--experiment", "1"],
      ["-f", "-"],
      ["-f", "-", "--experiment", "mine"],
      ["--kubeconfig", "x", "--experiment", "1"],
      ["-f", "-", "--kubeconfig", "x", "--experiment", "1"],
      ["-f", "-", "--experiment", "1", "--collector", "agents"],
      ["-f", "-", "--experiment", "1", "--secret", "A b"],
    ];
    for (const args of usages) assert.equal((await run(args)).code, 2, args.join(" "));
    assert.match((await run(["--help"])).stdout, /otel-config \[options\] \[server\]/);
    const none = await run(["-f", "-", "--experiment", "1"], "kind: Secret\n");
    assert.deepEqual([none.code, /no MlflowServer in -/.test(none.stderr)], [1, true]);
    const refused = await ask({ authentication: {} });
    assert.deepEqual([refused.code, /spec\.authentication: /.test(refused.stderr)], [1, true]);
    const two = `${server({ authentication: { basic: {} } })}---\n${server({ authentication: { basic: {} } })}`;
    assert.match((await run(["-f", "-", "--experiment", "1"], two)).stderr, /2 MlflowServers .* name one/);
  });

  test("uses no credential where the identity in the mesh is enough, and sends to the listener for it", async () => {
    const postgresql = { host: "db", database: "mlflow", credentialsSecretRef: { name: "db" } };
    const { stdout } = await ask({
      authentication: { basic: {} },
      backendStore: { postgresql },
      traces: { identity: "Mesh", writers: [{ namespace: "agents", serviceAccount: "otel-collector" }] },
      mesh: { istio: { mode: "Ambient" } },
    });
    assert.equal(at(exporter(stdout), "traces_endpoint"), "http://tracking-traces.ml:4318/v1/traces");
    assert.equal(at(exporter(stdout), "auth"), undefined);
    assert.doesNotMatch(stdout, /Secret|password/);
  });

  test("warns about a collector that is not one of spec.traces.writers", async () => {
    const spec = {
      authentication: { basic: {} },
      traces: { writers: [{ namespace: "agents", serviceAccount: "collector" }] },
      mesh: { istio: { mode: "Ambient" } },
    };
    assert.equal((await ask(spec)).stderr, "");
    const other = await ask(spec, ["--collector", "agents/other"]);
    assert.match(other.stderr, /add \{namespace: agents, serviceAccount: other\}/);
  });
});

describe("mlflow-operator otel-config --manifests", () => {
  const objects = async (spec: object, args: readonly string[] = []) => {
    const { code, stdout, stderr } = await ask(spec, ["--manifests", ...args]);
    assert.equal(code, 0, stderr);
    return loadAll(stdout);
  };
  const of = (kind: string, all: readonly unknown[]) => all.find((each) => at(each, "kind") === kind);

  test("allows it to write traces in one namespace only, where Kubernetes authorizes requests", async () => {
    const byToken = of("RoleBinding", await objects({ authentication: { kubernetes: {} } }));
    assert.deepEqual(at(byToken, "roleRef", "name"), "mlflow-workspace-trace-writer");
    assert.deepEqual(at(byToken, "metadata", "namespace"), "ml");
    assert.deepEqual(at(byToken, "subjects"), [{ kind: "ServiceAccount", name: "otel-collector", namespace: "ml" }]);
    const byName = of(
      "RoleBinding",
      await objects(
        {
          authentication: {
            oauth2Proxy: { ...proxy, authorization: { kubernetes: { accessReview: "SubjectAccessReview" } } },
          },
        },
        [...tokenUrl, "--user", "c"],
      ),
    );
    assert.deepEqual(at(byName, "subjects"), [{ kind: "User", apiGroup: "rbac.authorization.k8s.io", name: "c" }]);
    assert.equal(of("RoleBinding", await objects({ authentication: { basic: {} } })), undefined);
  });

  test("the projected token has the audience that the server requires", async () => {
    const audience = async (spec: object) => {
      const deployment = JSON.stringify(of("Deployment", await objects(spec)));
      return /"serviceAccountToken":\{[^}]*"audience":"([^"]*)"/.exec(deployment)?.[1];
    };
    assert.equal(await audience({ authentication: { kubernetes: {} } }), undefined);
    const behind = (acceptServiceAccountTokens: object) =>
      audience({
        authentication: { oauth2Proxy: { ...proxy, acceptServiceAccountTokens, authorization: { kubernetes: {} } } },
      });
    assert.equal(await behind({}), "https://kubernetes.default.svc.cluster.local");
    assert.equal(await behind({ audience: "mlflow" }), "mlflow");
  });

  test("its pods are in the mesh of the server, and its NetworkPolicy allows the ports of the mesh", async () => {
    const inMesh = async (mode: string) => {
      const traces = { writers: [{ namespace: "ml", serviceAccount: "otel-collector" }] };
      const all = await objects({ authentication: { basic: {} }, traces, mesh: { istio: { mode } } });
      const labels = at(of("Deployment", all), "spec", "template", "metadata", "labels");
      return [labels, JSON.stringify(of("NetworkPolicy", all)).includes("15008")];
    };
    const own = { "app.kubernetes.io/name": "otel-collector" };
    assert.deepEqual(await inMesh("Ambient"), [{ ...own, "istio.io/dataplane-mode": "ambient" }, true]);
    const [labels, allowsHbone] = await inMesh("Sidecar");
    assert.deepEqual([at(labels, "sidecar.istio.io/inject"), allowsHbone], ["true", false]);
  });

  test("a changed configuration rolls the pod", async () => {
    const hash = async (...args: readonly string[]) => {
      const deployment = of("Deployment", await objects({ authentication: { basic: {} } }, args));
      return at(deployment, "spec", "template", "metadata", "annotations", "checksum/config");
    };
    assert.equal(await hash(), await hash());
    assert.notEqual(await hash(), await hash("--experiment", "2"));
  });

  test("it is what examples/keycloak-collector.yaml has", async () => {
    const example = loadAll(readFileSync("examples/keycloak-collector.yaml", "utf8"));
    const endpoint = "https://keycloak.example.com/realms/ml/protocol/openid-connect/token";
    const args = [
      "-f",
      "examples/keycloak-collector.yaml",
      "--experiment",
      "1",
      "--manifests",
      "--token-url",
      endpoint,
    ];
    const { stdout } = await run(args);
    const printed = loadAll(stdout);
    assert.equal(printed.length, 5);
    assert.deepEqual(example.slice(-printed.length), printed);
  });
});
