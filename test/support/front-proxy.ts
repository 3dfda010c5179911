import { readFile } from "node:fs/promises";
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import { join } from "node:path";
import { TLSSocket } from "node:tls";
import { frontProxyName } from "../control-plane/api-server.ts";
import { issueCertificate } from "../control-plane/certificates.ts";
import type { ClusterAccess } from "../control-plane/cluster-access.ts";

export interface Agents {
  /** Vouches for its clients by name. */
  readonly asProxy: Agent;
  /** For requests that carry a token of their own. */
  readonly asNobody: Agent;
}

/** Connections to the API server of `cluster`. */
export async function agentsFor(cluster: ClusterAccess): Promise<Agents> {
  const { directory, authorities } = cluster.address;
  const stem = join(directory, `front-proxy-${crypto.randomUUID()}`);
  await issueCertificate(authorities.frontProxies, stem, { name: frontProxyName });
  const [ca, cert, key] = await Promise.all(
    [cluster.caFile, `${stem}.crt`, `${stem}.key`].map((path) => readFile(path)),
  );
  // The API server closes connections that idle for 90 s; one that it is just closing must not be used.
  const options = { keepAlive: true, timeout: 60_000, ...(ca && { ca }) };
  return {
    asProxy: new Agent({ ...options, ...(cert && { cert }), ...(key && { key }) }),
    asNobody: new Agent(options),
  };
}

/** How the proxy serves: with a certificate that who trusts `cluster` trusts, asking clients for theirs. */
export async function servingOptions(cluster: ClusterAccess) {
  const { directory, authorities } = cluster.address;
  const stem = join(directory, `fault-proxy-${crypto.randomUUID()}`);
  await issueCertificate(authorities.serving, stem, {
    name: "fault-proxy",
    alternativeNames: ["IP:127.0.0.1", "DNS:localhost"],
  });
  return {
    cert: await readFile(`${stem}.crt`),
    key: await readFile(`${stem}.key`),
    ca: await readFile(`${authorities.clients}.crt`),
    requestCert: true,
    rejectUnauthorized: false,
    keepAliveTimeout: 600_000,
    requestTimeout: 0,
  };
}

/** Common name and organisations of the client certificate, which are user and groups; none if it is not of the clients' authority. */
export function certified({ socket }: IncomingMessage): { names: readonly string[]; groups: readonly string[] } {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return { names: [], groups: [] };
  const { CN, O } = socket.getPeerCertificate().subject;
  return { names: [CN].flat().filter(isText), groups: [O].flat().filter(isText) };
}

const isText = (value: unknown): value is string => typeof value === "string";

/** Sends the request of a client on; resolves with the head of the answer. `user` is empty for who has no certificate. */
export function forward(
  url: string,
  agents: Agents,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  user: string,
): Promise<IncomingMessage> {
  const headers = endToEnd(incoming.headers);
  // Nobody gets in by claiming to have been vouched for.
  for (const name of Object.keys(headers)) if (name.startsWith("x-remote-")) delete headers[name];
  const vouched = user ? { "x-remote-user": user, "x-remote-group": [...certified(incoming).groups] } : {};
  return new Promise((resolve, reject) => {
    const upstream = httpsRequest(new URL(incoming.url ?? "/", url), {
      method: incoming.method,
      agent: user ? agents.asProxy : agents.asNobody,
      headers: { ...headers, ...vouched },
    });
    upstream.on("response", resolve);
    upstream.on("error", reject);
    // A client that goes away takes its request with it, as it would on a connection of its own.
    outgoing.on("close", () => upstream.destroy());
    incoming.pipe(upstream);
  });
}

/** Headers that concern one connection are each side's own (RFC 9110, 7.6.1). */
export function endToEnd(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const { connection, "keep-alive": keepAlive, "transfer-encoding": transferEncoding, host, ...rest } = headers;
  return rest;
}
