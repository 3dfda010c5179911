import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Ldap } from "../../src/api/fields/ldap.ts";
import type { MlflowServer } from "../../src/api/server.ts";
import { validate } from "../../src/api/validation.ts";
import { referencesOf } from "../../src/features/references.ts";
import { resolve } from "../../src/features/resolve.ts";
import type { ConfigMap, Secret } from "../../src/kube/manifests.ts";
import type { SessionKeys } from "../../src/model/inputs.ts";
import { combined } from "../../src/reconcile/cause.ts";
import { failedChecks } from "../../src/reconcile/preflight-checks.ts";
import { examples } from "../api/examples.ts";
import { caCertificatePem } from "../support/ca-certificate-pem.ts";
import { configMap, inputs, postgresql, secret, server } from "../support/fixtures.ts";

const directory: Ldap = {
  url: "ldaps://ldap.example.com/dc=test",
  userBind: "uid=%s,dc=test",
  groups: { filter: "(member=%s)", admin: "cn=a,dc=test", user: "cn=u,dc=test" },
};

const causes = (of: MlflowServer, ...references: (Secret | ConfigMap)[]) => {
  const all = inputs(of, references);
  const { installation } = all;
  return failedChecks({
    server: of,
    owned: [],
    references: all.references,
    model: resolve(all),
    installation,
    unmanaged: [],
    granted: [],
    isMutatedByAdmission: () => false,
    now: new Date(0),
  });
};
const cause = (...args: Parameters<typeof causes>) => causes(...args)[0];
const reason = (...args: Parameters<typeof cause>) => cause(...args)?.reason;

describe("a missing reference", () => {
  const withDatabase = server({ backendStore: { postgresql } });
  const db = { username: "mlflow", password: "p" };

  test("reports nothing if all references exist", () => {
    assert.equal(cause(server()), undefined);
    assert.equal(cause(withDatabase, secret("db", db)), undefined);
  });

  test("is a Secret: the message names it, the field and the keys to add", () => {
    const found = cause(withDatabase);
    assert.equal(found?.reason, "SecretNotFound");
    assert.match(
      found?.message ?? "",
      /spec\.backendStore\.postgresql\.credentialsSecretRef names Secret db.*keys username, password/,
    );
  });

  test("is a key: the message lists the existing keys and no values", () => {
    const found = cause(withDatabase, secret("db", { username: "mlflow", pass: "hidden" }));
    assert.equal(found?.reason, "SecretKeyMissing");
    assert.match(found?.message ?? "", /password of Secret db.*only pass, username/);
    assert.doesNotMatch(found?.message ?? "", /hidden/);
  });

  test("is a ConfigMap or its key", () => {
    const of = server({ backendStore: { postgresql: { ...postgresql, ca: { configMapRef: { name: "ca" } } } } });
    assert.equal(reason(of, secret("db", db)), "ConfigMapNotFound");
    assert.equal(reason(of, secret("db", db), configMap("ca", { "other.crt": "" })), "ConfigMapKeyMissing");
  });

  test("is not reported if it is optional", () => {
    const of = server({ server: { envFrom: [{ secretRef: { name: "extra", optional: true } }] } });
    assert.equal(cause(of), undefined);
  });
});

describe("an invalid value", () => {
  const admin = server({ authentication: { basic: { adminCredentialsSecretRef: { name: "admin" } } } });
  const uri = server({ backendStore: { uriSecretRef: { name: "uri", key: "uri" } } });

  test("is an administrator's password that MLflow rejects", () => {
    const of = (password: string, username = "root") => cause(admin, secret("admin", { username, password }));
    assert.match(of("short")?.message ?? "", /fewer than 12 characters/);
    assert.match(of("password1234")?.message ?? "", /previous default/);
    assert.match(of("long-enough-but\n")?.message ?? "", /line break/);
    assert.match(of("long-enough-password", "ro:ot")?.message ?? "", /username/);
    assert.equal(of("long-enough-password"), undefined);
    const named = server({
      authentication: { basic: { adminCredentialsSecretRef: { name: "admin", passwordKey: "its-password" } } },
    });
    const found = cause(named, secret("admin", { username: "root", "its-password": "short" }));
    assert.match(found?.message ?? "", /the key its-password has fewer than 12/);
    assert.equal(
      reason(named, secret("admin", { username: "root", password: "long-enough-password" })),
      "SecretKeyMissing",
    );
  });

  test("is a URI with a line break, which could add lines to the ini file", () => {
    const of = (text: string) => reason(uri, secret("uri", { uri: text }));
    assert.equal(of("postgresql://u:p@db/mlflow\nauthorization_function = evil:f"), "InvalidSecret");
    assert.equal(of("postgresql://u:p@db/mlflow\n"), "InvalidSecret");
    assert.equal(of("db.example.com"), "InvalidSecret");
    assert.equal(of("postgresql+psycopg2://u:p@db/mlflow"), undefined);
  });

  test("is a session key that MLflow cannot use", () => {
    const of = server({ server: { sessionSecretRef: { name: "keys" } } });
    const keys = (webhook: string, more: Partial<SessionKeys> = {}) => {
      const all = inputs(of, [secret("keys", { "flask-secret-key": "", "kek-passphrase": "", "webhook-key": "" })]);
      const session = { flaskSecretKey: "f".repeat(32), kekPassphrase: "k".repeat(32), webhookKey: webhook, ...more };
      const { installation, references } = all;
      return failedChecks({
        server: of,
        owned: [],
        references,
        model: resolve({ ...all, session }),
        installation,
        unmanaged: [],
        granted: [],
        isMutatedByAdmission: () => false,
        now: new Date(0),
      })[0];
    };
    assert.match(keys("nonsense")?.message ?? "", /not a Fernet key/);
    const fernet = `${"A".repeat(43)}=`;
    assert.equal(keys(fernet), undefined);
    const kekPassphrase = "o".repeat(32);
    const problem = (more: Partial<SessionKeys>) => keys(fernet, more)?.message ?? "";
    assert.match(problem({ accepted: { kekPassphrase } }), /kek-version is missing/);
    assert.match(problem({ kekVersion: "2", accepted: { kekPassphrase } }), /accepted-kek-version is missing/);
    assert.match(problem({ kekVersion: "two" }), /kek-version is not a number/);
    assert.match(problem({ kekVersion: "2", accepted: { kekPassphrase, kekVersion: "2" } }), /are the same/);
    assert.equal(problem({ kekVersion: "2", accepted: { kekPassphrase, kekVersion: "1" } }), "");
    assert.match(problem({ accepted: { webhookKey: "short" } }), /accepted-webhook-key is not a Fernet key/);
  });

  test("is a source of envFrom that changes the artifact location", () => {
    const of = server({ server: { envFrom: [{ configMapRef: { name: "extra" }, prefix: "MLFLOW_" }] } });
    const found = cause(of, configMap("extra", { S3_ENDPOINT_URL: "http://elsewhere", OTHER: "1" }));
    assert.equal(found?.reason, "ReservedVariable");
    assert.match(found?.message ?? "", /ConfigMap\/extra.*MLFLOW_S3_ENDPOINT_URL/);
    assert.equal(
      cause(of, configMap("extra", { HOST: "0.0.0.0", HTTP_REQUEST_TIMEOUT: "9" })),
      undefined,
      "what env overrides is harmless",
    );
  });

  test("is a certificate that is not PEM", () => {
    const of = server({ server: { tls: { certificateSecretRef: { name: "tls" } } } });
    const found = cause(of, secret("tls", { "tls.crt": "no certificate", "tls.key": "no key" }));
    assert.equal(found?.reason, "InvalidSecret");
    assert.match(found?.message ?? "", /Secret tls.*in PEM/);
  });

  test("is a CA bundle without certificates, in a Secret, a ConfigMap or the spec", () => {
    const database = server({ backendStore: { postgresql: { ...postgresql, ca: { configMapRef: { name: "ca" } } } } });
    const of = (pem: string) =>
      cause(database, secret("db", { username: "u", password: "p" }), configMap("ca", { "ca.crt": pem }));
    assert.equal(of(caCertificatePem), undefined);
    assert.equal(of(`# two of them\n${caCertificatePem}${caCertificatePem}`), undefined);
    for (const wrong of [
      "",
      "PEM",
      "LS0tLS1CRUdJTg==",
      caCertificatePem.replace("MII", "MIJ"),
      `${caCertificatePem}${caCertificatePem.replace("MII", "")}`,
    ])
      assert.equal(of(wrong)?.reason, "InvalidCertificateAuthority", wrong);
    assert.match(
      of("PEM")?.message ?? "",
      /key ca\.crt of ConfigMap ca, which spec\.backendStore\.postgresql\.ca names/,
    );
    const inline = server({
      authentication: { ldap: { ...directory, ca: { certificates: "-----BEGIN CERTIFICATE-----" } } },
    });
    assert.match(cause(inline)?.message ?? "", /spec\.authentication\.ldap\.ca\.certificates must be PEM/);
  });

  test("is a pair of bind credentials that no directory accepts", () => {
    const search = { filter: "(uid=%s)", bindCredentialsSecretRef: { name: "searcher" } };
    const searching = server({ authentication: { ldap: { ...directory, userBind: undefined, search } } });
    const of = (username: string, password: string) =>
      cause(searching, secret("searcher", { username, password }))?.message;
    assert.equal(of("cn=a,dc=b", "any thing"), undefined);
    assert.equal(cause(searching)?.reason, "SecretNotFound");
    assert.match(of("searcher", "x") ?? "", /username must be a DN/);
    assert.match(of("cn=a,dc=b\n", "x") ?? "", /line break/);
    assert.match(of("cn=a,dc=b", "") ?? "", /password is empty/);
    assert.match(of("cn=a,dc=b", "hidden\n") ?? "", /password ends with a line break/);
    assert.doesNotMatch(of("cn=a,dc=b", "hidden\n") ?? "", /hidden/);
  });

  test("is a client secret with a line break or without content", () => {
    const clientSecretRef = { name: "oidc", key: "secret" };
    const discoveryURL = "https://id.example.com/.well-known/openid-configuration";
    const oidc = { discoveryURL, clientID: "mlflow", clientSecretRef, userGroup: "u", adminGroup: "a" };
    const of = (text: string) => cause(server({ authentication: { oidc } }), secret("oidc", { secret: text }))?.message;
    assert.equal(of("any thing"), undefined);
    assert.match(of("hidden\n") ?? "", /^the key secret of Secret oidc contains a line break/);
    assert.match(of("") ?? "", /is empty/);
  });
});

describe("an invalid value for oauth2-proxy", () => {
  const proxy = {
    issuerURL: "https://dex.example.com",
    clientID: "mlflow",
    authorization: { allAuthenticatedUsers: {} },
  };
  const client = server({
    authentication: { oauth2Proxy: { ...proxy, clientSecretRef: { name: "client", key: "secret" } } },
  });

  test("is a client secret with a trailing line break or without content", () => {
    for (const text of ["secret\n", ""]) {
      const found = cause(client, secret("client", { secret: text }));
      assert.equal(found?.reason, "InvalidSecret", JSON.stringify(text));
      assert.match(found?.message ?? "", /key secret of Secret client/);
    }
    assert.equal(cause(client, secret("client", { secret: "secret" })), undefined);
  });

  test("is a CA bundle without certificates", () => {
    const of = server({ authentication: { oauth2Proxy: { ...proxy, ca: { configMapRef: { name: "ca" } } } } });
    const broken = "-----BEGIN CERTIFICATE-----\nreplace\n-----END CERTIFICATE-----\n";
    for (const text of ["", "certificates", broken]) {
      const found = cause(of, configMap("ca", { "ca.crt": text }));
      assert.equal(found?.reason, "InvalidCertificateAuthority", text);
      assert.match(found?.message ?? "", /ca\.crt of ConfigMap ca/);
    }
  });

  test("is a user's cookie secret that is not a key; without the proxy it is not needed", () => {
    const keys = { "flask-secret-key": "f".repeat(16), "kek-passphrase": "k".repeat(16), "webhook-key": "x" };
    const settings = { sessionSecretRef: { name: "own" } };
    const own = server({ authentication: { oauth2Proxy: proxy }, server: settings });
    assert.equal(reason(own, secret("own", keys)), "SecretKeyMissing");
    const found = inputs(own, [secret("own", { ...keys, "cookie-secret": "short" })]);
    const { installation, references } = found;
    const observed = {
      ...{
        server: own,
        owned: [],
        unmanaged: [],
        granted: [],
        references,
        installation,
        isMutatedByAdmission: () => false,
        now: new Date(0),
      },
      model: resolve({ ...found, session: { ...found.session, cookieSecret: "short" } }),
    };
    assert.match(failedChecks(observed)[0]?.message ?? "", /cookie-secret is not 32 letters and digits/);
    assert.equal(reason(server({ authentication: { none: {} }, server: settings }), secret("own", keys)), undefined);
  });
});

describe("several problems", () => {
  const of = server({
    backendStore: { postgresql },
    authentication: { basic: { adminCredentialsSecretRef: { name: "admin" } } },
    server: {
      tls: { certificateSecretRef: { name: "tls" } },
      env: [{ name: "A", valueFrom: { secretKeyRef: { name: "a", key: "a" } } }],
    },
  });

  test("are all reported, in the order of the checks", () => {
    const found = causes(of, secret("admin", { username: "root", password: "short" }), secret("a", { b: "" }));
    assert.deepEqual(
      found.map(({ reason }) => reason),
      ["SecretNotFound", "SecretNotFound", "SecretKeyMissing", "InvalidSecret"],
    );
    const [first, ...others] = found;
    assert.ok(first !== undefined);
    const { reason, message } = combined([first, ...others]);
    assert.equal(reason, "SecretNotFound");
    assert.match(
      message,
      /^4 problems: \(1\) spec\.backendStore.*\(2\) .*Secret tls.*\(3\) .*key a .*\(4\) Secret admin/,
    );
  });

  test("have a message of bounded length; a single one keeps its message", () => {
    const one = { reason: "InvalidSecret", message: "m".repeat(900) } as const;
    assert.deepEqual(combined([one]), one);
    const { message } = combined([one, ...Array.from({ length: 40 }, () => one)]);
    assert.match(message, /^41 problems: /);
    assert.ok(message.length <= 4096);
    const brief = combined([one, ...Array.from({ length: 40 }, () => ({ ...one, message: "m" }))]);
    assert.match(brief.message, /; and 31 more$/);
  });

  test("of each example: all missing references are reported, each once", async () => {
    for (const { file, documents } of await examples()) {
      for (const result of documents.map((document) => validate(document))) {
        if (!("server" in result)) continue;
        const wanted = referencesOf(result.server.spec).filter(({ optional }) => !optional);
        const names = (reference: (typeof wanted)[number]) => `${reference.kind} ${reference.name}`;
        const found = causes(result.server);
        for (const { reason } of found) assert.match(reason, /^(Secret|ConfigMap)NotFound$/, file);
        for (const reference of wanted)
          assert.ok(
            found.some(({ message }) => message.includes(names(reference))),
            `${file}: ${names(reference)}`,
          );
        const empty = [...new Map(wanted.map((each) => [names(each), each])).values()].map(({ kind, name }) =>
          kind === "Secret" ? secret(name, {}) : configMap(name, {}),
        );
        for (const { reason } of causes(result.server, ...empty))
          assert.match(reason, /^(Secret|ConfigMap)KeyMissing$/, file);
      }
    }
  });
});
