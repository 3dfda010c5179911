import { lookup } from "node:dns/promises";
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { connect, getCACertificates } from "node:tls";
import { messageOf } from "../../kube/errors.ts";
import { excerpt, excerptWithoutStop } from "../../kube/excerpt.ts";
import type { Read } from "../live/read.ts";
import type { AnswerFacts, EndpointFacts, IssuerFacts, TlsFacts } from "./facts.ts";

export interface ProbeOptions {
  /** CA certificates in addition to those that this machine trusts, in PEM. */
  readonly ca: readonly string[];
  /** Limit of each request. */
  readonly seconds: number;
  readonly now: () => Date;
}

/** Needs no credential with any authentication method. */
const healthPath = "/health";
/** Needs a credential with every method but none. It reads one experiment. */
const apiPath = "/api/2.0/mlflow/experiments/get?experiment_id=0";

/** Tries the external URL of a server as a client without credentials. Never throws. */
export async function probeEndpoint(url: string, options: ProbeOptions): Promise<EndpointFacts> {
  const { hostname, port, protocol } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, "");
  const addresses = await attempted(options.seconds, `${host} cannot be resolved`, async () => {
    const found = await lookup(host, { all: true });
    return found.map(({ address }) => address);
  });
  if ("notRead" in addresses) {
    const notRead = { notRead: addresses.notRead };
    return { url, addresses, tls: protocol === "https:" ? notRead : undefined, health: notRead, api: notRead };
  }
  const base = url.replace(/\/$/, "");
  const [tls, health, api] = await Promise.all([
    protocol === "https:"
      ? attempted(options.seconds, `The TLS handshake with ${host} failed`, (signal) =>
          handshake(host, Number(port || 443), options, signal),
        )
      : undefined,
    answer(`${base}${healthPath}`, options),
    answer(`${base}${apiPath}`, options),
  ]);
  return { url, addresses, tls, health, api };
}

/** Reads the discovery document of an issuer. Never throws. */
export async function probeIssuer(
  { issuer, url, path }: Pick<IssuerFacts, "issuer" | "url" | "path">,
  options: ProbeOptions,
): Promise<IssuerFacts> {
  const document = await attempted(options.seconds, `${url} cannot be read`, async (signal) => {
    const { status, body } = await fetched(url, options, signal, true);
    return { status, issuer: issuerIn(body) };
  });
  return { issuer, url, path, document };
}

function issuerIn(body: string): string | undefined {
  try {
    const document: unknown = JSON.parse(body);
    if (typeof document !== "object" || document === null || !("issuer" in document)) return undefined;
    return typeof document.issuer === "string" ? excerpt(document.issuer, 512) : undefined;
  } catch {
    return undefined;
  }
}

/** The result of `work` within a time limit, or its failure as a sentence. */
async function attempted<T>(
  seconds: number,
  failure: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<Read<T>> {
  const signal = AbortSignal.timeout(seconds * 1000);
  const late = Promise.withResolvers<never>();
  signal.addEventListener("abort", () => late.reject(new Error(`no answer within ${seconds} seconds`)));
  try {
    return { value: await Promise.race([work(signal), late.promise]) };
  } catch (error) {
    return { notRead: `${failure}: ${excerptWithoutStop(messageOf(error)) || "no details"}` };
  }
}

function answer(url: string, options: ProbeOptions): Promise<Read<AnswerFacts>> {
  return attempted(options.seconds, `${url} does not answer`, async (signal) => {
    const { status, date } = await fetched(url, options, signal, false);
    const sent = Date.parse(date ?? "");
    const skewSeconds = Number.isNaN(sent) ? undefined : Math.round((sent - options.now().getTime()) / 1000);
    return { status, skewSeconds };
  });
}

/** No document of an issuer is longer. */
const longestBody = 262_144;

/** Sends a GET request without credentials. The certificate of an endpoint is checked by the handshake; an issuer's here. */
function fetched(
  url: string,
  { ca }: ProbeOptions,
  signal: AbortSignal,
  isVerified: boolean,
): Promise<{ readonly status: number; readonly date: string | undefined; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const request = url.startsWith("https:") ? requestHttps : requestHttp;
    const headers = { Accept: "application/json", "User-Agent": "mlflow-operator-doctor" };
    const tls = isVerified ? { ca: trusted(ca) } : { rejectUnauthorized: false };
    const sent = request(url, { method: "GET", headers, signal, agent: false, ...tls }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => {
        body += text;
        if (body.length > longestBody) response.destroy(new Error("the answer is too long"));
      });
      response.on("error", reject);
      response.on("end", () => resolve({ status: response.statusCode ?? 0, date: response.headers.date, body }));
    });
    sent.on("error", reject).end();
  });
}

/** The CA certificates of this machine, of Node.js, and further ones. */
function trusted(ca: readonly string[]): string[] {
  return [...getCACertificates("default"), ...getCACertificates("system"), ...ca];
}

function handshake(host: string, port: number, { ca }: ProbeOptions, signal: AbortSignal): Promise<TlsFacts> {
  return new Promise((resolve, reject) => {
    const isAddress = /^[\d.]+$|:/.test(host);
    const socket = connect({
      host,
      port,
      ca: trusted(ca),
      rejectUnauthorized: false,
      ...(!isAddress && { servername: host }),
    });
    signal.addEventListener("abort", () => socket.destroy());
    socket.on("error", reject);
    socket.on("secureConnect", () => {
      const certificate = socket.getPeerX509Certificate();
      const error = socket.authorized ? undefined : excerptWithoutStop(String(socket.authorizationError));
      resolve({
        error: error || undefined,
        subject: excerpt(certificate?.subject, 200),
        names: excerpt(certificate?.subjectAltName ?? "", 500),
        validFrom: certificate?.validFrom ?? "",
        validTo: certificate?.validTo ?? "",
      });
      socket.end();
    });
  });
}
