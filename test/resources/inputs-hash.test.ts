import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { resolve } from "../../src/features/resolve.ts";
import type { Inputs } from "../../src/model/inputs.ts";
import { configMap, deploymentOf, inputs, jobOf, postgresql, secret, server } from "../support/fixtures.ts";

const inputsHash = (of: Inputs) => resolve(of).inputsHash;

const withDatabase = (password: string) =>
  inputs(server({ backendStore: { postgresql } }), [secret("db", { username: "mlflow", password })]);

describe("the annotation that rolls pods", () => {
  test("changes only with the content of a Secret or ConfigMap", () => {
    const settings = server({ server: { envFrom: [{ configMapRef: { name: "settings" } }] } });
    const one = inputs(settings, [configMap("settings", { A: "1" })]);
    const two = inputs(settings, [configMap("settings", { A: "2" })]);
    assert.notEqual(inputsHash(one), inputsHash(two));
    assert.notEqual(inputsHash(withDatabase("a")), inputsHash(withDatabase("b")));
    assert.equal(inputsHash(withDatabase("a")), inputsHash(withDatabase("a")));
  });

  test("does not depend on the order of keys", () => {
    const settings = server({ server: { envFrom: [{ configMapRef: { name: "settings" } }] } });
    const one = inputs(settings, [configMap("settings", { A: "1", B: "2" })]);
    const two = inputs(settings, [configMap("settings", { B: "2", A: "1" })]);
    assert.equal(inputsHash(one), inputsHash(two));
  });

  test("cannot be used to guess passwords without the server's key", () => {
    const of = withDatabase("a");
    const other = { ...of, session: { ...of.session, flaskSecretKey: "another-key" } };
    assert.notEqual(inputsHash(of), inputsHash(other));
    const plain = createHash("sha256").update("a").digest("hex");
    assert.notEqual(inputsHash(of), plain.slice(0, 32));
  });
});

describe("the name of the migration Job", () => {
  const nameOf = (...args: Parameters<typeof inputs>) => jobOf(inputs(...args)).metadata.name;
  const database = (more = {}) => server({ backendStore: { postgresql: { ...postgresql, ...more } } });
  const db = secret("db", { username: "mlflow", password: "a" });

  test("is the same for another password, so that a rotation starts no migration", () => {
    assert.equal(nameOf(database(), [db]), nameOf(database(), [secret("db", { username: "other", password: "b" })]));
  });

  test("differs for another version, image or database", () => {
    const base = nameOf(database(), [db]);
    const others = [
      nameOf(database({ host: "elsewhere.example.com" }), [db]),
      nameOf(database({ database: "other" }), [db]),
      nameOf(server({ ...database().spec, version: "3.16.1" }), [db]),
      nameOf(server({ ...database().spec, image: { tag: "mine" } }), [db]),
    ];
    assert.equal(new Set([base, ...others]).size, others.length + 1);
  });

  test("depends on the host in a URI, not on user and password", () => {
    const uri = server({ backendStore: { uriSecretRef: { name: "uri", key: "uri" } } });
    const of = (text: string) => nameOf(uri, [secret("uri", { uri: text })]);
    assert.equal(of("postgresql://a:b@host/db"), of("postgresql://c:d@host/db"));
    assert.notEqual(of("postgresql://a:b@host/db"), of("postgresql://a:b@other/db"));
  });

  test("is a valid DNS label for the longest name of a server", () => {
    const longest = server({}, { metadata: { name: "a".repeat(40), namespace: "team-a", uid: "u" } });
    assert.ok(nameOf(longest).length <= 63);
    assert.ok(deploymentOf(inputs(longest)).metadata.name.length <= 63);
  });
});
