import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { request } from "node:https";
import { after, before, test } from "node:test";
import { createRemoteJWKSet, customFetch, jwtVerify } from "jose";
import { certificateFor } from "./certificate.ts";
import { type OidcIssuer, startOidcIssuer } from "./oidc-issuer.ts";
import { webSession } from "./web-session.ts";

const people = [{ login: "alice", password: "of-alice", groups: ["mlflow"] }];
const redirectUri = "https://mlflow.example.com/callback";
const clients = [
  { id: "mlflow", secret: "of-mlflow", redirectUris: [redirectUri] },
  { id: "public", redirectUris: [redirectUri] },
  { id: "pipeline", secret: "of-pipeline", groups: ["mlflow"], audience: "mlflow" },
];

let issuer: OidcIssuer;
before(async () => {
  issuer = await startOidcIssuer({ clients, people });
});
after(() => issuer.close());

test("signs a user in with the authorization code and PKCE, and refreshes the session", async () => {
  const verifier = randomBytes(32).toString("base64url");
  const query = new URLSearchParams({
    client_id: "mlflow",
    redirect_uri: redirectUri,
    response_type: "code",
    scope: "openid email groups offline_access",
    state: "of-the-test",
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
  });
  const session = webSession({ ca: issuer.ca });
  const form = await session.open(`${issuer.url}/auth?${query}`);
  const wrong = await session.send("POST", form.url.href, { login: "alice", password: "guessed" });
  assert.equal(wrong.status, 401);
  let answer = await session.send("POST", form.url.href, { login: "alice", password: "of-alice" });
  answer = await session.send("GET", new URL(String(answer.headers["location"]), issuer.url).href);
  const code = new URL(String(answer.headers["location"])).searchParams.get("code");
  assert.ok(code !== null, answer.body);

  const exchange = { grant_type: "authorization_code", code, redirect_uri: redirectUri, code_verifier: verifier };
  const tokens = await token("mlflow:of-mlflow", exchange);
  const { payload } = await verified(tokens["id_token"], "mlflow");
  assert.deepEqual([payload.sub, payload["email"], payload["groups"]], ["alice", "alice@example.com", ["mlflow"]]);
  const refreshed = await token("mlflow:of-mlflow", {
    grant_type: "refresh_token",
    refresh_token: String(tokens["refresh_token"]),
  });
  assert.equal((await verified(refreshed["id_token"], "mlflow")).payload.sub, "alice");
});

for (const client of ["public", "mlflow"])
  test(`the client ${client} must use PKCE`, async () => {
    const query = `client_id=${client}&redirect_uri=${encodeURIComponent(redirectUri)}&response_type=code&scope=openid`;
    const { headers } = await webSession({ ca: issuer.ca }).send("GET", `${issuer.url}/auth?${query}`);
    assert.match(String(headers["location"]), /error=invalid_request/);
  });

test("issues a JWT for client credentials", async () => {
  const { payload } = await verified(await issuer.clientToken("pipeline", "of-pipeline"), "mlflow");
  assert.deepEqual([payload.sub, payload["groups"]], ["pipeline", ["mlflow"]]);
});

test("a token is valid only if the issuer signed it and its key is published", async () => {
  const valid = await issuer.token("alice", "mlflow");
  await verified(valid, "mlflow");
  await assert.rejects(verified(valid, "another"));
  await assert.rejects(verified(await issuer.token("alice", "mlflow", { signedBy: "other-key" }), "mlflow"));
  await assert.rejects(verified(await issuer.token("alice", "mlflow", { signedBy: "none" }), "mlflow"));
  await assert.rejects(verified(await issuer.token("alice", "mlflow", { claims: { exp: 1 } }), "mlflow"));
  await issuer.rotateKeys(true);
  await verified(valid, "mlflow");
  await issuer.rotateKeys(false);
  await assert.rejects(verified(valid, "mlflow"));
  await verified(await issuer.token("alice", "mlflow"), "mlflow");
});

test("is unreachable while it is suspended, and works again afterwards", async () => {
  const { url } = issuer;
  await issuer.suspend();
  await assert.rejects(fetched(`${url}/jwks`));
  await issuer.resume();
  assert.equal((await fetched(`${url}/.well-known/openid-configuration`)).status, 200);
});

test("accepts only the changed secret of a client", async () => {
  issuer.changeSecret("pipeline", "changed");
  await assert.rejects(issuer.clientToken("pipeline", "of-pipeline"));
  await verified(await issuer.clientToken("pipeline", "changed"), "mlflow");
});

test("uses a certificate of another CA for new connections", async () => {
  issuer.useCertificate(await certificateFor("127.0.0.1"));
  await assert.rejects(fetched(`${issuer.url}/jwks`), /certificate/);
});

async function verified(text: unknown, audience: string) {
  const keys = createRemoteJWKSet(new URL(`${issuer.url}/jwks`), { [customFetch]: fetched });
  return jwtVerify(String(text), keys, { issuer: issuer.url, audience });
}

async function token(credentials: string, form: Record<string, string>): Promise<Record<string, unknown>> {
  const headers = {
    authorization: `Basic ${Buffer.from(credentials).toString("base64")}`,
    "content-type": "application/x-www-form-urlencoded",
  };
  const answer = await exchange("POST", `${issuer.url}/token`, headers, new URLSearchParams(form).toString());
  assert.equal(answer.status, 200, await answer.clone().text());
  return JSON.parse(await answer.text());
}

const fetched = (url: string) => exchange("GET", url, {}, "");

/** Like fetch, with the CA certificate of the issuer. */
function exchange(method: string, url: string, headers: Record<string, string>, body: string): Promise<Response> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method, headers, ca: issuer.ca, agent: false });
    outgoing.on("error", reject);
    outgoing.on("response", async (incoming) => {
      let text = "";
      for await (const chunk of incoming.setEncoding("utf8")) text += String(chunk);
      resolve(new Response(text, { status: incoming.statusCode ?? 0 }));
    });
    outgoing.end(body);
  });
}
