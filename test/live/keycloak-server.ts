import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { request } from "node:https";
import { keycloakImage } from "../cluster/keycloak.ts";
import { newCa, newCertificate, newIntermediate } from "../control-plane/certificates.ts";
import { startPod } from "./dependency.ts";
import { addressOf, type LiveFixture } from "./live-fixture.ts";
import { waitUntil } from "./wait-until.ts";

/** A Keycloak of the namespace, which pods and this machine reach at one URL. */
export interface KeycloakServer {
  /** Without a path; the issuer of a realm is `<url>/realms/<realm>`. */
  readonly url: string;
  /** PEM of the root CA certificate, and of the intermediate one, which Keycloak does not send along with its own. */
  readonly ca: { readonly root: string; readonly intermediate: string };
  /** Calls the admin API, such as `PUT /admin/realms/ml`, which must succeed. */
  readonly admin: (method: string, path: string, body: object) => Promise<void>;
  /** An access token of a realm, by the parameters of its token endpoint. */
  readonly token: (realm: string, parameters: Readonly<Record<string, string>>) => Promise<string>;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

const [name, port] = ["keycloak", 8443];

/** Starts it in production mode, over TLS, with an empty database in memory. */
export async function startKeycloak(fixture: LiveFixture): Promise<KeycloakServer> {
  const image = await fixture.cluster.image(await keycloakImage());
  await fixture.objects.create("Service", {
    metadata: { name },
    spec: { selector: { app: name }, ports: [{ name: "https", port }] },
  });
  const address = await addressOf(fixture.objects, name);
  const url = `https://${address}:${port}`;
  const root = await newCa("root of keycloak");
  const intermediate = await newIntermediate(root, "intermediate of keycloak");
  const own = await newCertificate(intermediate, { name, alternativeNames: [`IP:${address}`, `DNS:${name}`] });
  const ca = { root: root.certificate, intermediate: intermediate.certificate };
  const password = randomBytes(12).toString("hex");
  await startPod(fixture, {
    name,
    port,
    container: {
      image,
      env: Object.entries({
        TLS_CERTIFICATE: own.certificate,
        TLS_KEY: own.key,
        KC_HOSTNAME: url,
        KC_HTTPS_PORT: String(port),
        KC_CACHE: "local",
        KC_BOOTSTRAP_ADMIN_USERNAME: "admin",
        KC_BOOTSTRAP_ADMIN_PASSWORD: password,
      }).map(([name, value]) => ({ name, value })),
    },
    dataPath: "/opt/keycloak/data",
    user: 1000,
    cpu: "500m",
  });
  const trusted = `${ca.intermediate}${ca.root}`;
  const token: KeycloakServer["token"] = async (realm, parameters) => {
    const path = `${url}/realms/${realm}/protocol/openid-connect/token`;
    const form = { "content-type": "application/x-www-form-urlencoded" };
    const { status, body } = await sent("POST", path, trusted, form, new URLSearchParams(parameters).toString());
    assert.equal(status, 200, `${path}: ${body}`);
    return JSON.parse(body).access_token;
  };
  const login = { grant_type: "password", client_id: "admin-cli", username: "admin", password };
  await waitUntil(() => token("master", login), 300);
  return {
    url,
    ca,
    token,
    admin: async (method, path, content) => {
      const headers = { authorization: `Bearer ${await token("master", login)}`, "content-type": "application/json" };
      const { status, body } = await sent(method, `${url}${path}`, trusted, headers, JSON.stringify(content));
      assert.ok(status >= 200 && status < 300, `${method} ${path}: ${status} ${body}`);
    },
  };
}

function sent(
  method: string,
  url: string,
  ca: string,
  headers: Readonly<Record<string, string>>,
  content: string,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method, ca, headers, agent: false, timeout: 300_000 });
    outgoing.on("timeout", () => outgoing.destroy(new Error(`${method} ${url} had no answer in time.`)));
    outgoing.on("error", reject);
    outgoing.on("response", (incoming) => {
      let body = "";
      incoming.setEncoding("utf8").on("data", (text: string) => {
        body += text;
      });
      incoming.on("error", reject);
      incoming.on("end", () => resolve({ status: incoming.statusCode ?? 0, body }));
    });
    outgoing.end(content);
  });
}
