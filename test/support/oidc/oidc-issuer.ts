import { once } from "node:events";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import { createServer as createHttpsServer, Server as HttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { JWTPayload } from "jose";
import { freePort } from "../../control-plane/free-port.ts";
import { eventually } from "../eventually.ts";
import { type Certificate, certificateFor } from "./certificate.ts";
import { clientToken } from "./client-token.ts";
import { claimsOf, type Person } from "./person.ts";
import { type IssuerClient, provider } from "./provider.ts";
import { signIn } from "./sign-in.ts";
import { type SigningKey, signingKey, unsigned } from "./signing-key.ts";

export interface OidcIssuerOptions {
  /** Where it listens: `cluster.hostAddress` for pods; by default loopback. */
  readonly address?: string;
  readonly scheme?: "https" | "http";
  readonly clients: readonly IssuerClient[];
  readonly people: readonly Person[];
  /** Default: an hour. */
  readonly tokenSeconds?: number;
}

/** Differences of a token from a valid one. */
export interface TokenForm {
  /** Claims that replace the default ones; undefined removes a claim. */
  readonly claims?: JWTPayload;
  /** Another key, or no signature. */
  readonly signedBy?: "issuer" | "other-key" | "none";
}

/** An OpenID Connect issuer (oidc-provider) with the same URL for pods, browsers and programs. */
export interface OidcIssuer {
  /** The issuer in tokens. Discovery is at `<url>/.well-known/openid-configuration`. */
  readonly url: string;
  /** PEM of its first CA certificate; empty over http. */
  readonly ca: string;
  /** Returns a valid ID token for this user and client, or one with the differences in `form`. */
  readonly token: (login: string, clientId: string, form?: TokenForm) => Promise<string>;
  /** Requests a token with client credentials. */
  readonly clientToken: (clientId: string, secret: string) => Promise<string>;
  /** Changes the signing key; with `keepOld`, the previous keys stay published. */
  readonly rotateKeys: (keepOld: boolean) => Promise<void>;
  /** Uses a certificate of another CA for new connections, and closes idle ones. */
  readonly useCertificate: (certificate: Certificate) => void;
  /** Accepts only this secret of a client from now on. */
  readonly changeSecret: (clientId: string, secret: string) => void;
  /** Closes all connections and accepts none until `resume`. */
  readonly suspend: () => Promise<void>;
  readonly resume: () => Promise<void>;
  /** Number of requests by path. */
  readonly asked: ReadonlyMap<string, number>;
  readonly close: () => Promise<void>;
}

export async function startOidcIssuer(options: OidcIssuerOptions): Promise<OidcIssuer> {
  const { address = "127.0.0.1", scheme = "https", people, tokenSeconds = 3600 } = options;
  let { clients } = options;
  const certificate = scheme === "https" ? await certificateFor(address) : undefined;
  const asked = new Map<string, number>();
  let answer: RequestListener = () => {};
  const listener: RequestListener = (incoming, outgoing) => {
    const path = incoming.url?.split("?")[0] ?? "";
    asked.set(path, (asked.get(path) ?? 0) + 1);
    answer(incoming, outgoing);
  };
  const server = certificate === undefined ? createHttpServer(listener) : createHttpsServer(certificate, listener);
  const listen = async (port: number) => {
    server.listen(port, address);
    await once(server, "listening");
  };
  const suspend = async () => {
    if (!server.listening) return;
    server.close();
    server.closeAllConnections();
    await once(server, "close");
  };
  // Not an ephemeral port: an outgoing connection could use it before `resume`.
  await eventually(async () => listen(await freePort()));
  const { port } = bound(server.address());
  const url = `${scheme}://${address}:${port}`;

  const use = (keys: readonly SigningKey[]) => {
    const issuer = provider({ url, clients, people, keys, tokenSeconds });
    const callback = issuer.callback();
    answer = (incoming, outgoing) => {
      const own = incoming.url?.startsWith("/interaction/");
      const done = own ? signIn(issuer, people, incoming, outgoing) : callback(incoming, outgoing);
      Promise.resolve(done).catch((error: unknown) => outgoing.writeHead(500).end(String(error)));
    };
    return keys;
  };
  let keys = use([await signingKey()]);
  const otherKey = await signingKey();

  return {
    url,
    ca: certificate?.ca ?? "",
    asked,
    token: async (login, clientId, { claims = {}, signedBy = "issuer" } = {}) => {
      const person = people.find((each) => each.login === login);
      if (person === undefined) throw new Error(`The issuer has no user ${login}.`);
      const now = Math.floor(Date.now() / 1000);
      const defaults = { iss: url, aud: clientId, iat: now, exp: now + tokenSeconds, ...claimsOf(person) };
      const all = { ...defaults, ...claims };
      if (signedBy === "none") return unsigned(all);
      const key = signedBy === "issuer" ? keys[0] : otherKey;
      if (key === undefined) throw new Error("The issuer has no key.");
      return key.signed(all);
    },
    clientToken: (clientId, secret) => clientToken(`${url}/token`, certificate?.ca, clientId, secret),
    rotateKeys: async (keepOld) => {
      keys = use([await signingKey(), ...(keepOld ? keys : [])]);
    },
    useCertificate: (next) => {
      if (!(server instanceof HttpsServer)) throw new Error("The issuer has no certificate.");
      server.setSecureContext(next);
      server.closeIdleConnections();
    },
    changeSecret: (clientId, secret) => {
      clients = clients.map((client) => (client.id === clientId ? { ...client, secret } : client));
      keys = use(keys);
    },
    suspend,
    resume: () => listen(port),
    close: suspend,
  };
}

function bound(address: string | AddressInfo | null): AddressInfo {
  if (address === null || typeof address === "string") throw new Error("The issuer has no port.");
  return address;
}
