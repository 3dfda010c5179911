import { readFile } from "node:fs/promises";
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import { join } from "node:path";
import { TLSSocket } from "node:tls";
import { frontProxyName } from "../control-plane/api-server.ts";
import { issueCertificate } from "../control-plane/certificates.ts";
import type { ClusterAccess } from "../control-plane/cluster-access.ts";

export interface Agents {
  /** Authenticates its clients by request headers. */
  readonly asProxy: Agent;
  /** For requests with a bearer token. */
  readonly withoutIdentity: Agent;
}

/** Connections to the API server of `cluster`. */
export async function agentsFor(cluster: ClusterAccess): Promise<Agents> {
  const { directory, clusterCas } = cluster.address;
  const stem = join(directory, `front-proxy-${crypto.randomUUID()}`);
  await issueCertificate(clusterCas.frontProxies, stem, { name: frontProxyName });
  const [ca, cert, key] = await Promise.all(
    [cluster.caFile, `${stem}.crt`, `${stem}.key`].map((path) => readFile(path)),
  );
  // The API server closes connections after 90 s without requests; such a connection must not be reused.
  const options = { keepAlive: true, timeout: 60_000, ...(ca && { ca }) };
  return {
    asProxy: new Agent({ ...options, ...(cert && { cert }), ...(key && { key }) }),
    withoutIdentity: new Agent(options),
  };
}

/** TLS options of the proxy: a certificate of the cluster's CA, and client certificates are requested. */
export async function servingOptions(cluster: ClusterAccess) {
  const { directory, clusterCas } = cluster.address;
  const stem = join(directory, `fault-proxy-${crypto.randomUUID()}`);
  await issueCertificate(clusterCas.serving, stem, {
    name: "fault-proxy",
    alternativeNames: ["IP:127.0.0.1", "DNS:localhost"],
  });
  return {
    cert: await readFile(`${stem}.crt`),
    key: await readFile(`${stem}.key`),
    ca: await readFile(`${clusterCas.clients}.crt`),
    requestCert: true,
    rejectUnauthorized: false,
    keepAliveTimeout: 600_000,
    requestTimeout: 0,
  };
}

/** User and groups in the client certificate; empty if it is not signed by the client CA. */
export function certified({ socket }: IncomingMessage): { names: readonly string[]; groups: readonly string[] } {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return { names: [], groups: [] };
  const { CN, O } = socket.getPeerCertificate().subject;
  return { names: [CN].flat().filter(isText), groups: [O].flat().filter(isText) };
}

const isText = (value: unknown): value is string => typeof value === "string";

/** Forwards a request. Resolves with the headers of the response. `user` is empty without a client certificate. */
export function forward(
  url: string,
  agents: Agents,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  user: string,
): Promise<IncomingMessage> {
  const headers = endToEnd(incoming.headers);
  // Clients must not set the headers of an authenticating proxy.
  for (const name of Object.keys(headers)) if (name.startsWith("x-remote-")) delete headers[name];
  const identity = user ? { "x-remote-user": user, "x-remote-group": [...certified(incoming).groups] } : {};
  return new Promise((resolve, reject) => {
    const upstream = httpsRequest(new URL(incoming.url ?? "/", url), {
      method: incoming.method,
      agent: user ? agents.asProxy : agents.withoutIdentity,
      headers: { ...headers, ...identity },
    });
    upstream.on("response", resolve);
    upstream.on("error", reject);
    // If the client closes its connection, its request is aborted, as without a proxy.
    outgoing.on("close", () => upstream.destroy());
    incoming.pipe(upstream);
  });
}

/** Removes hop-by-hop headers (RFC 9110, 7.6.1). */
export function endToEnd(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const { connection, "keep-alive": keepAlive, "transfer-encoding": transferEncoding, host, ...rest } = headers;
  return rest;
}
