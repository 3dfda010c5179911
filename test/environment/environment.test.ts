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

  test("no container has a variable twice, whatever the sources of envFrom contain", () => {
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
  const document = changed(rightDocuments["proxied"] as Document, {
    "spec.server.env": [
      { name: "HTTPS_PROXY", value: "http://proxy.corp:3128" },
      { name: "NO_PROXY", value: "minio.corp" },
    ],
  });

  test("also applies to oauth2-proxy and the check of the issuers, and never to names of the cluster", () => {
    const result = validate(document);
    assert.ok("server" in result, JSON.stringify(result));
    const { containers = [], initContainers = [] } = deploymentOf(inputs(result.server)).spec.template.spec ?? {};
    for (const name of ["mlflow", "oauth2-proxy", "issuers"]) {
      const env = [...containers, ...initContainers].find((each) => each.name === name)?.env ?? [];
      const value = (variable: string) => env.find((each) => each.name === variable)?.value;
      assert.equal(value("HTTPS_PROXY"), "http://proxy.corp:3128", name);
      for (const variable of ["NO_PROXY", "no_proxy"])
        assert.equal(
          value(variable),
          "minio.corp,localhost,127.0.0.1,::1,kubernetes.default,.svc,.cluster.local",
          `${name} ${variable}`,
        );
    }
  });
});
