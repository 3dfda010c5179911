import { Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { port } from "../../src/model/names.ts";

/** The CA of a server with TLS. */
export interface Secured {
  /** PEM of the CA. */
  readonly ca: string;
}

export interface MlflowAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface MlflowRequest {
  /** Text is sent unchanged, other values as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * A client of one MLflow server, which reuses connections for GET only: a request that writes cannot be retried if the server
 * closes the connection at the same time, after its keep-alive timeout or when its pod ends.
 */
export interface Mlflow {
  /** Sends a request; every status is a result. */
  readonly call: (method: string, path: string, request?: MlflowRequest) => Promise<MlflowAnswer>;
  /** Sends a request that must return 200; returns the parsed answer. */
  readonly json: (method: string, path: string, body?: unknown) => Promise<Record<string, unknown>>;
  /** Returns a client for the same server with another login, or another address. */
  readonly as: (other: Partial<MlflowAddress>) => Mlflow;
}

export interface MlflowAddress {
  /** The address of a Service or a pod. */
  readonly address: string;
  /** The port, if it is not that of the Service. */
  readonly listener?: number;
  /** The Service's name, sent as Host with the port. */
  readonly host: string;
  readonly login?: { readonly username: string; readonly password: string };
  /** A token of an issuer, instead of a login. */
  readonly token?: string;
  readonly secured?: Secured;
}

export function mlflowAt(where: MlflowAddress): Mlflow {
  const { address, host, secured, listener = port } = where;
  const agent = secured ? new HttpsAgent({ keepAlive: true, ca: secured.ca }) : new HttpAgent({ keepAlive: true });
  const send = secured ? httpsRequest : httpRequest;
  const authorization = credentialOf(where);

  const call: Mlflow["call"] = (method, path, { body, headers } = {}) =>
    new Promise((resolve, reject) => {
      const isText = typeof body === "string";
      const text = body === undefined ? undefined : isText ? body : JSON.stringify(body);
      const outgoing = send({
        agent: method === "GET" ? agent : false,
        host: address,
        port: listener,
        method,
        path,
        ...(secured && { servername: host, ca: secured.ca }),
        headers: {
          host: `${host}:${port}`,
          ...(authorization !== undefined && { authorization }),
          ...(body !== undefined && !isText && { "content-type": "application/json" }),
          ...(text !== undefined && { "content-length": String(Buffer.byteLength(text)) }),
          ...headers,
        },
        timeout: 60_000,
      });
      outgoing.on("timeout", () => outgoing.destroy(new Error(`${method} ${path} timed out.`)));
      // The server can close a kept connection just when it is reused: the request did not arrive, so it is sent again.
      outgoing.on("error", (error) =>
        outgoing.reusedSocket && "code" in error && error.code === "ECONNRESET"
          ? resolve(call(method, path, { body, ...(headers && { headers }) }))
          : reject(error),
      );
      outgoing.on("response", (incoming) => {
        let answer = "";
        incoming.setEncoding("utf8").on("data", (chunk: string) => {
          answer += chunk;
        });
        incoming.on("error", reject);
        incoming.on("end", () =>
          resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: answer }),
        );
      });
      outgoing.end(text);
    });

  return {
    call,
    json: async (method, path, body) => {
      const answer = await call(method, path, body === undefined ? {} : { body });
      if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${answer.body}`);
      return JSON.parse(answer.body);
    },
    as: (other) => mlflowAt({ ...where, ...other }),
  };
}

function credentialOf({ login, token }: MlflowAddress): string | undefined {
  if (token !== undefined) return `Bearer ${token}`;
  return login && `Basic ${Buffer.from(`${login.username}:${login.password}`).toString("base64")}`;
}
