import { Agent, request } from "node:http";

export interface Call {
  readonly method?: "GET" | "POST" | "DELETE";
  readonly path: string;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Returns a client of one server with up to `connections` persistent connections. */
export function httpClient(port: number, headers: Readonly<Record<string, string>>, connections = 1) {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const send = ({ method = "POST", path, body, headers: more }: Call) =>
    new Promise<Answer>((resolve, reject) => {
      const text = body === undefined ? "" : JSON.stringify(body);
      const own = {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(text),
        ...headers,
        ...more,
      };
      const outgoing = request({ host: "127.0.0.1", port, agent, method, path, headers: own }, (incoming) => {
        const parts: Buffer[] = [];
        incoming.on("data", (part: Buffer) => parts.push(part));
        incoming.on("end", () => resolve({ status: incoming.statusCode ?? 0, body: Buffer.concat(parts).toString() }));
        incoming.on("error", reject);
      });
      outgoing.on("error", reject);
      outgoing.end(text);
    });
  return {
    send,
    /** Rejects with the response unless it is 200. */
    sent: async (call: Call): Promise<string> => {
      const { status, body } = await send(call);
      if (status !== 200) throw new Error(`${call.path}: ${status} ${body.slice(0, 300)}`);
      return body;
    },
    close: () => agent.destroy(),
  };
}
