import { Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { port } from "../../src/resources/names.ts";

/** What a server over TLS is checked against. */
export interface Secured {
  /** PEM of the authority. */
  readonly ca: string;
}

export interface MlflowAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface MlflowRequest {
  /** Sent as it is if it is text, else as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * A client of one MLflow server, which keeps its connections, but for what may change something: such a request could not be sent
 * again where the server ends the connection just then, as it does after some seconds and with its pod.
 */
export interface Mlflow {
  /** Any call; every status is an answer. */
  readonly call: (method: string, path: string, request?: MlflowRequest) => Promise<MlflowAnswer>;
  /** A call that must be answered with 200; gives the parsed answer. */
  readonly json: (method: string, path: string, body?: unknown) => Promise<Record<string, unknown>>;
  /** The same server by other words: another login, or another pod's address. */
  readonly as: (other: Partial<MlflowAddress>) => Mlflow;
}

export interface MlflowAddress {
  /** Where to connect: a Service's address, or a pod's. */
  readonly address: string;
  /** The Service's name, sent as Host with the port. */
  readonly host: string;
  readonly login?: { readonly username: string; readonly password: string };
  readonly secured?: Secured;
}

export function mlflowAt(where: MlflowAddress): Mlflow {
  const { address, host, login, secured } = where;
  const agent = secured ? new HttpsAgent({ keepAlive: true, ca: secured.ca }) : new HttpAgent({ keepAlive: true });
  const send = secured ? httpsRequest : httpRequest;
  const authorization = login && `Basic ${Buffer.from(`${login.username}:${login.password}`).toString("base64")}`;

  const call: Mlflow["call"] = (method, path, { body, headers } = {}) =>
    new Promise((resolve, reject) => {
      const isText = typeof body === "string";
      const text = body === undefined ? undefined : isText ? body : JSON.stringify(body);
      const outgoing = send({
        agent: method === "GET" ? agent : false,
        host: address,
        port,
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
      outgoing.on("timeout", () => outgoing.destroy(new Error(`${method} ${path} had no answer in time.`)));
      // A kept connection may end just as it is used again: no server got that request, and clients ask again.
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
