import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { connect } from "node:net";
import type { TestContext } from "node:test";
import { gatewayHost } from "../cluster/gateway/install-gateway.ts";
import { type OidcIssuer, startOidcIssuer } from "../support/oidc/oidc-issuer.ts";
import { type WebSession, webSession } from "../support/oidc/web-session.ts";
import { type Attempting, attemptsAt } from "./access-table.ts";
import { type ForwardingTarget, forwarding } from "./forward.ts";
import { type LiveFixture, liveFixture } from "./live-fixture.ts";

/** A fixture with an issuer, its CA and its client secret. */
export interface ProxyFixture extends LiveFixture {
  readonly issuer: OidcIssuer;
  /** `spec.authentication.oauth2Proxy` for this issuer. */
  readonly proxy: Readonly<Record<string, unknown>> & { readonly issuerURL: string };
  /** Attempts to write a run at a server. */
  readonly attempts: (server: string) => Promise<Attempting>;
  /** The URL of the server for browsers on this machine, after `forward`. */
  readonly browserUrl: string;
  /** Forwards `browserUrl` to a server's Service, as `kubectl port-forward` does, or to another target. */
  readonly forward: (server: string, elsewhere?: ForwardingTarget) => Promise<void>;
  /** The path prefix of additional redirect URLs, at `browserUrl` and at the Gateway with TLS. */
  readonly prefix: string;
  readonly browser: () => WebSession;
}

export const clientSecret = "of-the-client-mlflow";
export const bearer = (token: string) => [`Authorization: Bearer ${token}`];

export async function proxyFixture(context: TestContext, { isWide = false } = {}): Promise<ProxyFixture> {
  const fixture = await liveFixture(context, { withProxy: true, isWide });
  const forwarder = await forwarding(context);
  const browserUrl = `http://localhost:${forwarder.port}`;
  const prefix = `/clusters/${fixture.namespace}/mlflow`;
  const issuer = await startOidcIssuer({
    address: fixture.cluster.hostAddress,
    clients: [
      {
        id: "mlflow",
        secret: clientSecret,
        redirectUris: [browserUrl, `${browserUrl}${prefix}`, `https://${gatewayHost}${prefix}`].map(
          (base) => `${base}/oauth2/callback`,
        ),
      },
      { id: "pipeline", secret: "of-pipeline", audience: "mlflow", groups: ["mlflow"], email: "pipeline@example.com" },
      { id: "unrelated", secret: "of-unrelated", audience: "mlflow", groups: ["others"] },
    ],
    people: [
      { login: "alice", password: "of-alice", groups: ["mlflow"] },
      { login: "bob", password: "of-bob", groups: ["others"] },
      // The tokens of this user do not fit into one cookie.
      { login: "dora", password: "of-dora", groups: ["others", ...Array.from({ length: 120 }, () => randomUUID())] },
    ],
  });
  context.after(() => issuer.close());
  await fixture.objects.create("ConfigMap", { metadata: { name: "issuer-ca" }, data: { "ca.crt": issuer.ca } });
  await fixture.objects.create("Secret", { metadata: { name: "client" }, stringData: { secret: clientSecret } });
  const address = async (server: string) => {
    const { spec } = await fixture.objects.the("Service", server);
    assert.ok(spec.clusterIP !== undefined);
    return spec.clusterIP;
  };
  return {
    ...fixture,
    issuer,
    proxy: {
      issuerURL: issuer.url,
      clientID: "mlflow",
      authorization: { allAuthenticatedUsers: {} },
      clientSecretRef: { name: "client", key: "secret" },
      ca: { configMapRef: { name: "issuer-ca" } },
      redirectURL: `${browserUrl}/oauth2/callback`,
    },
    attempts: async (server) => attemptsAt(await address(server), server),
    browserUrl,
    prefix,
    forward: async (server, elsewhere) =>
      forwarder.forwardTo(elsewhere ?? { address: await address(server), port: 5000 }),
    browser: () => webSession({ ca: issuer.ca, addresses: { localhost: "127.0.0.1" } }),
  };
}

/** Asserts that MLflow's own port is not reachable: it listens on loopback only. */
export async function assertUnreachable(fixture: LiveFixture, server: string): Promise<void> {
  const pods = await fixture.pods(server);
  assert.ok(pods.length > 0);
  for (const { status } of pods) {
    const host = status?.podIP;
    assert.ok(host !== undefined);
    await assert.rejects(connected(host, 5000), /ECONNREFUSED/);
    await connected(host, 4180);
  }
}

function connected(host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, host, () => {
      socket.destroy();
      resolve();
    });
    socket.on("error", reject);
  });
}
