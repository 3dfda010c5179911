import { once } from "node:events";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { JWTPayload } from "jose";
import { freePort } from "../../control-plane/free-port.ts";
import { eventually } from "../eventually.ts";
import { certificateFor } from "./certificate.ts";
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

/** How a token that the issuer might have made differs from a good one. */
export interface TokenForm {
  /** Claims in place of the usual ones; undefined takes one away. */
  readonly claims?: JWTPayload;
  /** By a key that is not the issuer's, or by none. */
  readonly signedBy?: "issuer" | "stranger" | "nobody";
}

/** An OpenID Connect issuer (oidc-provider) that pods, browsers and programs reach at one and the same URL. */
export interface OidcIssuer {
  /** The issuer as it stands in tokens. Discovery is at `<url>/.well-known/openid-configuration`. */
  readonly url: string;
  /** PEM of the authority of its certificate; empty over http. */
  readonly ca: string;
  /** A good identity token for this person and client, or one that differs in what `form` says. */
  readonly token: (login: string, clientId: string, form?: TokenForm) => Promise<string>;
  /** A token that a program gets for itself, by its client credentials. */
  readonly clientToken: (clientId: string, secret: string) => Promise<string>;
  /** Signs with a new key from now on; `keepOld` says whether it still publishes the former ones. */
  readonly rotateKeys: (keepOld: boolean) => Promise<void>;
  /** Takes no more connections, and drops those that there are, until `resume`. */
  readonly suspend: () => Promise<void>;
  readonly resume: () => Promise<void>;
  /** How often each path has been asked for. */
  readonly asked: ReadonlyMap<string, number>;
  readonly close: () => Promise<void>;
}

export async function startOidcIssuer(options: OidcIssuerOptions): Promise<OidcIssuer> {
  const { address = "127.0.0.1", scheme = "https", clients, people, tokenSeconds = 3600 } = options;
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
  // Not of the kernel's choice: of its own ports an outgoing connection could have taken this one when it is resumed.
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
  const stranger = await signingKey();

  return {
    url,
    ca: certificate?.ca ?? "",
    asked,
    token: async (login, clientId, { claims = {}, signedBy = "issuer" } = {}) => {
      const person = people.find((each) => each.login === login);
      if (person === undefined) throw new Error(`The issuer knows nobody called ${login}.`);
      const now = Math.floor(Date.now() / 1000);
      const usual = { iss: url, aud: clientId, iat: now, exp: now + tokenSeconds, ...claimsOf(person) };
      const all = { ...usual, ...claims };
      if (signedBy === "nobody") return unsigned(all);
      const key = signedBy === "issuer" ? keys[0] : stranger;
      if (key === undefined) throw new Error("The issuer has no key.");
      return key.signed(all);
    },
    clientToken: (clientId, secret) => clientToken(`${url}/token`, certificate?.ca, clientId, secret),
    rotateKeys: async (keepOld) => {
      keys = use([await signingKey(), ...(keepOld ? keys : [])]);
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
