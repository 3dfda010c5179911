import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { V1Container } from "@kubernetes/client-node";
import { insteadOf, isReserved, reservedPrefixes, reservedVariables } from "../../src/api/environment.ts";
import { validate } from "../../src/api/validation.ts";
import { changed, type Document, type Json, rightDocuments } from "../api/documents.ts";
import { all, configMap, deploymentOf, environmentOf, inputs, secret, server } from "../support/fixtures.ts";
import { allowedVariables } from "./allowed-variables.ts";
import { undecided } from "./undecided.ts";

const read: string[] = JSON.parse(readFileSync(join(import.meta.dirname, "variables.json"), "utf8")).variables;

/** Variables that C libraries and programs of the image read, which are not in Python sources. */
const ofLibraries = [
  ...["LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH", "GCONV_PATH", "GLIBC_TUNABLES", "LOCPATH", "NLSPATH"],
  ...["HOSTALIASES", "LOCALDOMAIN", "RES_OPTIONS", "OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_ENGINES"],
  ...["SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE", "BASH_ENV", "ENV", "KRB5_CONFIG", "KRB5CCNAME"],
  ...["PGHOSTADDR", "PGSERVICEFILE", "PGSSLKEY", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONINSPECT"],
];

describe("environment variables", () => {
  test("each variable that a package in the image reads is reserved or known to be harmless", () => {
    assert.ok(read.length > 600);
    assert.deepEqual(undecided(read), []);
  });

  test("each allowed variable is read by a package and not reserved", () => {
    const known = new Set(read);
    assert.deepEqual(
      [...allowedVariables].filter((name) => !known.has(name) || isReserved(name)),
      [],
    );
    for (const { allowed = [] } of Object.values(reservedPrefixes))
      for (const name of allowed) {
        assert.ok(known.has(name), `nothing reads ${name}`);
        assert.equal(insteadOf(name), undefined, name);
      }
  });

  test("variables of C libraries that load code, resolve hosts or trust certificates are reserved", () => {
    assert.deepEqual(
      ofLibraries.filter((name) => !isReserved(name)),
      [],
    );
  });

  test("every setting of the plugins is reserved, and so are unknown ones of their families", () => {
    const settings = [
      "CACHE_REDIS_URL",
      "SCIM_RATE_LIMIT_PER_MINUTE",
      "OIDC_GROUP_DETECTION_PLUGIN",
      "SESSION_COOKIE_NAME",
    ];
    for (const name of [
      ...settings,
      "OIDC_NEW",
      "MLFLOW_NEW",
      "UVICORN_NEW",
      "AWS_NEW",
      "MLFLOW_K8S_NEW",
      "FLASK_DEBUG",
    ])
      assert.ok(insteadOf(name), name);
  });

  test("each reserved variable has a remedy, which validation reports", () => {
    for (const name of [
      ...Object.keys(reservedVariables),
      "GUNICORN_CMD_ARGS",
      "OIDC_NEW",
      "AWS_PROFILE",
      "MLFLOW_NEW",
    ]) {
      const document = changed(rightDocuments["smallest"] as Document, {
        "spec.server": { env: [{ name, value: "x" }] },
      });
      const result = validate(document);
      assert.ok("problems" in result, name);
      const [problem = ""] = result.problems.filter((each) => each.startsWith("spec.server.env[0].name: "));
      assert.ok(problem.includes(`${name} cannot be set here: ${insteadOf(name)}`), problem);
    }
    for (const name of ["OPENAI_API_KEY", "HTTPS_PROXY", "MLFLOW_HTTP_REQUEST_TIMEOUT", "AWS_MAX_ATTEMPTS", "TEAM"]) {
      const document = changed(rightDocuments["smallest"] as Document, {
        "spec.server": { env: [{ name, value: "x" }] },
      });
      assert.ok("server" in validate(document), name);
    }
  });
});

describe("variables that builders set", () => {
  const containersOf = (document: Document): V1Container[] => {
    const result = validate(document);
    assert.ok("server" in result, JSON.stringify(result));
    const references = ["s", "c", "P"].flatMap((name) => [
      secret(name, { AWS_REGION: "x", SESSION_COOKIE_NAME: "x", A: "x", E: "x" }),
      configMap(name, { AWS_REGION: "x", MLFLOW_HOST: "x", B: "x", E: "y" }),
    ]);
    const objects = all(inputs(result.server, references));
    return objects.flatMap((each) =>
      each.kind === "Deployment" || each.kind === "Job"
        ? [...(each.spec.template.spec?.initContainers ?? []), ...(each.spec.template.spec?.containers ?? [])]
        : [],
    );
  };

  test("no container has a variable twice, with any content of the sources of envFrom", () => {
    for (const [title, document] of Object.entries(rightDocuments)) {
      const envFrom: Json = [{ secretRef: { name: "s" } }, { configMapRef: { name: "c" } }];
      const env = [{ name: "A", value: "1" }];
      for (const each of [document, changed(document, { "spec.server.env": env, "spec.server.envFrom": envFrom })])
        for (const container of containersOf(each)) {
          const names = (container.env ?? []).map(({ name }) => name);
          assert.deepEqual(names, [...new Set(names)], `${title}: ${container.name}`);
          assert.equal(container.envFrom, undefined);
        }
    }
  });

  test("every variable that a builder sets in MLflow's container is reserved, so that server.env cannot set it again", () => {
    for (const document of Object.values(rightDocuments)) {
      const own = changed(document, { "spec.server.env": undefined, "spec.server.envFrom": undefined });
      for (const container of containersOf(own).filter(({ name }) => ["mlflow", "check-artifacts"].includes(name)))
        for (const { name } of container.env ?? []) assert.ok(isReserved(name) || name === "PROGRAM", name);
    }
  });
});

describe("server.envFrom", () => {
  const of = (references: Parameters<typeof inputs>[1], settings: object) =>
    environmentOf(deploymentOf(inputs(server({ server: settings }), references)));

  test("each key becomes one variable: env overrides it, and a later source an earlier one", () => {
    const references = [
      secret("keys", { OPENAI_API_KEY: "k", SHARED: "1", "tls.crt": "x" }),
      configMap("more", { SHARED: "2" }),
    ];
    const envFrom = [{ secretRef: { name: "keys" } }, { configMapRef: { name: "more" } }];
    const found = of(references, { envFrom, env: [{ name: "OWN", value: "o" }] });
    assert.equal(found["OPENAI_API_KEY"], "keys/OPENAI_API_KEY");
    assert.ok(!("tls.crt" in found));
    assert.equal(found["OWN"], "o");
    const container = deploymentOf(inputs(server({ server: { envFrom } }), references)).spec.template.spec
      ?.containers[0];
    assert.deepEqual(container?.env?.find(({ name }) => name === "SHARED")?.valueFrom, {
      configMapKeyRef: { name: "more", key: "SHARED" },
    });
    assert.equal(of(references, { envFrom, env: [{ name: "SHARED", value: "3" }] })["SHARED"], "3");
  });

  test("sets no reserved variable", () => {
    const references = [secret("keys", { MLFLOW_HOST: "x", LD_PRELOAD: "x", SSL_CERT_FILE: "x", GATEWAY: "x" })];
    const found = of(references, { envFrom: [{ secretRef: { name: "keys" } }] });
    assert.equal(found["GATEWAY"], "keys/GATEWAY");
    for (const name of ["MLFLOW_HOST", "LD_PRELOAD", "SSL_CERT_FILE"]) assert.notEqual(found[name], `keys/${name}`);
  });
});

describe("an HTTP proxy in server.env", () => {
  type Variable = { name: string; value?: string; valueFrom?: { secretKeyRef: { name: string; key: string } } };

  /** The variables of all containers of the pods, by the name of the container. */
  function containersWith(env: readonly Variable[], more: Readonly<Record<string, Json>> = {}, namespace = "team-a") {
    const proxy = changed(rightDocuments["proxied"] as Document, {
      "spec.server.env": JSON.parse(JSON.stringify(env)),
      "metadata.namespace": namespace,
      ...more,
    });
    const result = validate(proxy);
    assert.ok("server" in result, JSON.stringify(result));
    const manifests = all(inputs(result.server));
    const pods = manifests.flatMap((each) => (each.kind === "Deployment" ? [each.spec.template.spec] : []));
    const containers = pods.flatMap((pod) => [...(pod?.containers ?? []), ...(pod?.initContainers ?? [])]);
    const values = new Map(
      containers.map((each) => [each.name, new Map((each.env ?? []).map((variable) => [variable.name, variable]))]),
    );
    return { manifests, value: (container: string, name: string) => values.get(container)?.get(name) };
  }

  const proxy = { name: "HTTPS_PROXY", value: "http://proxy.corp:3128" };
  const ofPod = "localhost,127.0.0.1,::1,kubernetes.default,.svc,.cluster.local";

  test("also applies to oauth2-proxy and the check of the issuers, and never to names of the cluster or the API server", () => {
    const { value } = containersWith([proxy, { name: "NO_PROXY", value: "minio.corp" }]);
    for (const name of ["mlflow", "oauth2-proxy", "issuers"]) {
      for (const variable of ["HTTPS_PROXY", "https_proxy"])
        assert.equal(value(name, variable)?.value, proxy.value, name);
      for (const variable of ["NO_PROXY", "no_proxy"])
        assert.equal(
          value(name, variable)?.value,
          `minio.corp,${ofPod},$(KUBERNETES_SERVICE_HOST)`,
          `${name} ${variable}`,
        );
    }
  });

  test("is in both spellings, each with its own value if the spec has both", () => {
    const secret = { secretKeyRef: { name: "proxy", key: "url" } };
    const { value } = containersWith([
      { name: "http_proxy", value: "http://lower.corp" },
      { name: "HTTPS_PROXY", valueFrom: secret },
      { name: "ALL_PROXY", value: "http://a.corp" },
      { name: "all_proxy", value: "http://b.corp" },
    ]);
    for (const name of ["mlflow", "oauth2-proxy", "issuers"]) {
      assert.equal(value(name, "HTTP_PROXY")?.value, "http://lower.corp");
      assert.deepEqual(value(name, "https_proxy")?.valueFrom, secret);
      assert.deepEqual(
        [value(name, "ALL_PROXY")?.value, value(name, "all_proxy")?.value],
        ["http://a.corp", "http://b.corp"],
      );
    }
  });

  test("does not apply to Services in the namespace of the server that the spec names", () => {
    const noProxy = (endpointURL: string) => {
      const store = { s3: { bucket: "models", region: "eu", endpointURL } };
      return containersWith([proxy], { "spec.artifactStore": store }).value("mlflow", "NO_PROXY")?.value;
    };
    for (const [url, host] of [
      ["http://minio:9000", "minio"],
      ["https://minio.team-a", "minio.team-a"],
    ] as const)
      assert.equal(noProxy(url), `${ofPod},${host},$(KUBERNETES_SERVICE_HOST)`);
    for (const url of ["https://s3.example.com", "https://example.com", "http://minio.storage:9000", "http://10.1.2.3"])
      assert.equal(noProxy(url), `${ofPod},$(KUBERNETES_SERVICE_HOST)`, url);
  });

  test("leaves NO_PROXY from a Secret, text that looks like a variable, and servers without a proxy unchanged", () => {
    const secret = { secretKeyRef: { name: "proxy", key: "no" } };
    const { value } = containersWith([proxy, { name: "NO_PROXY", valueFrom: secret }]);
    assert.deepEqual(value("oauth2-proxy", "no_proxy"), { name: "no_proxy", valueFrom: secret });
    const escaped = containersWith([proxy, { name: "no_proxy", value: "$(HOME)" }]).value("mlflow", "NO_PROXY")?.value;
    assert.match(escaped ?? "", /^\$\$\(HOME\),/);
    const without = containersWith([{ name: "NO_PROXY", value: "a" }]);
    assert.equal(without.value("mlflow", "NO_PROXY")?.value, "a");
    assert.equal(without.value("mlflow", "no_proxy"), undefined);
  });

  for (const [url, port] of [
    ["http://proxy.corp:3128", 3128],
    ["proxy.corp:8080", 8080],
    ["http://proxy.corp", 80],
  ] as const)
    test(`${url} can be reached with restricted egress`, () => {
      const { manifests } = containersWith([{ name: "https_proxy", value: url }], {
        "spec.networkPolicy": { egress: {} },
      });
      const policy = manifests.find(({ kind }) => kind === "NetworkPolicy");
      assert.ok(policy?.kind === "NetworkPolicy");
      const ports = (policy.spec.egress ?? []).flatMap((rule) => (rule.ports ?? []).map((each) => each.port));
      assert.ok(ports.includes(port), ports.join());
    });

  for (const name of ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"])
    test(`with a password in ${name} is rejected without printing it`, () => {
      const value = "http://user:hunter2@proxy.corp:3128";
      const result = validate(changed(rightDocuments["proxied"] as Document, { "spec.server.env": [{ name, value }] }));
      assert.ok("problems" in result);
      const problems = result.problems.join();
      assert.match(problems, /spec\.server\.env\[0\]\.value.*use valueFrom\.secretKeyRef/);
      assert.doesNotMatch(problems, /hunter2/);
    });
});
