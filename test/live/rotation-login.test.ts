import assert from "node:assert/strict";
import { test } from "node:test";
import { port, proxyPort } from "../../src/model/names.ts";
import { type KeyPair, newCa, newCertificate } from "../control-plane/certificates.ts";
import { certificateFor } from "../support/oidc/certificate.ts";
import { startOidcIssuer } from "../support/oidc/oidc-issuer.ts";
import { type WebSession, webSession } from "../support/oidc/web-session.ts";
import { testedVersion } from "./live-cluster.ts";
import { addressOf, liveFixture, timeoutSeconds } from "./live-fixture.ts";
import { type Mlflow, mlflowAt } from "./mlflow.ts";
import { startPostgresql } from "./postgresql-server.ts";
import { changeReferences, recordOf, requestRotation } from "./rotations.ts";
import { startS3 } from "./s3-server.ts";
import { steadyLoad } from "./steady-load.ts";
import { waitUntil } from "./wait-until.ts";

/** A server with `oauth2Proxy` and one with `oidc`; also the names of their clients at the issuer. */
const servers = ["proxied", "plugin"] as const;
type Server = (typeof servers)[number];

const search = "/api/2.0/mlflow/experiments/search?max_results=1";
const alice = { login: "alice", password: "of-alice-123456", groups: ["mlflow"] };
const secretOf = (server: Server) => `first-secret-of-${server}`;

test("values that users log in with, CA bundles and certificates are changed while clients work", {
  timeout: 3_000_000,
}, async (context) => {
  const fixture = await liveFixture(context, { withProxy: true });
  const { objects, namespace } = fixture;
  const [postgresql, s3] = await Promise.all([startPostgresql(fixture), startS3(fixture)]);
  const url = (server: Server) => `https://${server}.${namespace}:${port}`;
  const issuer = await startOidcIssuer({
    address: fixture.cluster.hostAddress,
    clients: [
      { id: "proxied", secret: secretOf("proxied"), redirectUris: [`${url("proxied")}/oauth2/callback`] },
      { id: "plugin", secret: secretOf("plugin"), redirectUris: [`${url("plugin")}/callback`] },
    ],
    people: [alice],
  });
  context.after(() => issuer.close());
  const cas = [await newCa("servers"), await newCa("servers-next")] as const;
  const nextOfIssuer = await certificateFor(fixture.cluster.hostAddress);
  const all = [...cas.map(({ certificate }) => certificate), issuer.ca, nextOfIssuer.ca].join("");
  await objects.create("ConfigMap", { metadata: { name: "issuer-ca" }, data: { "ca.crt": issuer.ca } });
  await objects.create("Secret", {
    metadata: { name: "certificate" },
    type: "kubernetes.io/tls",
    stringData: await certificateOf(cas[0], namespace),
  });
  for (const server of servers)
    await objects.create("Secret", {
      metadata: { name: `client-of-${server}` },
      stringData: { secret: secretOf(server) },
    });

  const client = (server: Server) => ({
    clientID: server,
    clientSecretRef: { name: `client-of-${server}`, key: "secret" },
    ca: { configMapRef: { name: "issuer-ca" } },
  });
  const common = {
    version: testedVersion,
    replicas: 2,
    artifactStore: { s3: s3.store },
    server: { tls: { certificateSecretRef: { name: "certificate" } } },
  };
  await fixture.apply({
    metadata: { name: "proxied" },
    spec: {
      ...common,
      backendStore: { postgresql: postgresql.database("mlflow") },
      authentication: {
        oauth2Proxy: { ...client("proxied"), issuerURL: issuer.url, authorization: { allAuthenticatedUsers: {} } },
      },
    },
  });
  const discoveryURL = `${issuer.url}/.well-known/openid-configuration`;
  const claims = { scopes: ["openid", "email", "profile", "groups"], usernameClaim: "sub", userGroup: "mlflow" };
  await fixture.apply({
    metadata: { name: "plugin" },
    spec: {
      ...common,
      backendStore: { postgresql: postgresql.database("mlflow_auth") },
      authentication: { oidc: { ...client("plugin"), ...claims, adminGroup: "mlflow-admin", discoveryURL } },
    },
  });
  for (const server of servers) await fixture.ready(server);

  const clientOf = async (server: Server, ca = all): Promise<Mlflow> => {
    const token = await issuer.token(alice.login, server);
    return mlflowAt({ address: await addressOf(objects, server), host: server, secured: { ca }, token });
  };
  const podsOf = async (server: Server) =>
    (await fixture.pods(server)).map(({ metadata, status }) => ({ uid: metadata.uid, address: status?.podIP ?? "" }));
  /** Sends the request to each pod. */
  const statuses = async (server: Server, mlflow: Mlflow) => {
    const listener = server === "proxied" ? proxyPort : port;
    const answers = (await podsOf(server)).map(({ address }) => mlflow.as({ address, listener }).call("GET", search));
    return (await Promise.all(answers)).map(({ status }) => status);
  };
  const browser = async (server: Server) =>
    webSession({ ca: all, addresses: { [`${server}.${namespace}`]: await addressOf(objects, server) } });
  const signIn = async (server: Server, session: WebSession) => {
    const path = server === "proxied" ? "/" : "/login";
    await session.signIn(`${url(server)}${path}`, alice.login, alice.password);
    return sessionStatus(server, session);
  };
  const sessionStatus = async (server: Server, session: WebSession) =>
    (await session.send("GET", `${url(server)}${search}`)).status;
  const newSession = async (server: Server) => {
    const session = await browser(server);
    assert.equal(await signIn(server, session), 200);
    return session;
  };
  const logsIn = (server: Server) => waitUntil(() => newSession(server), timeoutSeconds);

  for (const server of servers) await newSession(server);
  const loads = await Promise.all(servers.map(async (server) => steadyLoad(await clientOf(server))));

  await context.test("the cookie secret of oauth2-proxy: users log in again, and tokens continue", async () => {
    const session = await newSession("proxied");
    await requestRotation(fixture, "proxied", "cookie:1");
    await waitUntil(async () => {
      const { phase, request } = (await recordOf(fixture, "proxied", "cookie")) ?? {};
      assert.deepEqual([phase, request], ["Completed", "1"]);
    }, timeoutSeconds);
    assert.equal(await sessionStatus("proxied", session), 401);
    const page = await session.send("GET", `${url("proxied")}/`);
    assert.equal(page.status, 302);
    assert.ok(String(page.headers["location"]).startsWith(issuer.url), "a page is not redirected to the login");
    assert.equal(await signIn("proxied", session), 200);
  });

  await context.test("the client secrets: sessions continue, and logins work with the new secret", async (step) => {
    const before = await podsOf("proxied");
    const sessions = { proxied: await newSession("proxied"), plugin: await newSession("plugin") };
    for (const server of servers) {
      issuer.changeSecret(server, `second-secret-of-${server}`);
      assert.notEqual(await signIn(server, await browser(server)), 200, "the issuer accepts the former secret");
    }
    const patch = (server: Server) =>
      objects.patch("Secret", `client-of-${server}`, { stringData: { secret: `second-secret-of-${server}` } });
    const began = performance.now();
    await patch("proxied");
    await changeReferences(fixture, ["plugin"], () => patch("plugin"));
    await newSession("plugin");
    await logsIn("proxied");
    step.diagnostic(`oauth2-proxy: a login was seen to work ${Math.round((performance.now() - began) / 1000)} s later`);
    assert.deepEqual(await podsOf("proxied"), before, "oauth2-proxy needs no new pods");
    for (const server of servers) assert.equal(await sessionStatus(server, sessions[server]), 200, server);
  });

  await context.test("the CA of the issuer, by a bundle with both and then with the new one", async () => {
    const useBundle = (bundle: string) =>
      changeReferences(fixture, servers, () => objects.patch("ConfigMap", "issuer-ca", { data: { "ca.crt": bundle } }));
    await useBundle(`${issuer.ca}${nextOfIssuer.ca}`);
    issuer.useCertificate(nextOfIssuer);
    const isTrusted = async () => {
      // Pods request the keys of the issuer again for a token with another one.
      await issuer.rotateKeys(true);
      for (const server of servers) {
        const mlflow = await clientOf(server);
        await waitUntil(async () => assert.deepEqual(await statuses(server, mlflow), [200, 200], server), 120);
        await newSession(server);
      }
    };
    await isTrusted();
    await useBundle(nextOfIssuer.ca);
    await isTrusted();
  });

  await context.test("the certificate of the servers, with one of another CA", async () => {
    const stringData = await certificateOf(cas[1], namespace);
    await changeReferences(fixture, servers, () => objects.patch("Secret", "certificate", { stringData }));
    for (const server of servers) {
      const mlflow = await clientOf(server, cas[1].certificate);
      assert.deepEqual(await statuses(server, mlflow), [200, 200], server);
    }
  });

  for (const [index, { end }] of loads.entries()) {
    const { answered, failed } = await end();
    context.diagnostic(`${servers[index]}: ${answered} requests answered`);
    assert.deepEqual(failed, []);
    assert.ok(answered > 100);
  }
});

/** Returns a certificate for both servers, as the content of a Secret. */
async function certificateOf(ca: KeyPair, namespace: string) {
  const alternativeNames = servers.flatMap((server) => [`DNS:${server}`, `DNS:${server}.${namespace}`]);
  const { certificate, key } = await newCertificate(ca, { name: "servers", alternativeNames });
  return { "tls.crt": certificate, "tls.key": key };
}
