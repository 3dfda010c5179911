import { connect } from "node:net";

export interface RawAnswer {
  /** 0: the connection was closed without an answer. */
  readonly status: number;
  readonly contentType: string;
  readonly location: string;
  /** The name of the gateway in tests (`x-gateway`). */
  readonly gateway: string;
  readonly body: string;
}

export interface RawTarget {
  /** Default: loopback. */
  readonly host?: string;
  /** The header Host. Default: mlflow. */
  readonly name?: string;
  /** JSON. */
  readonly body?: string;
}

/** A raw request: header lines and path are sent unchanged, because an HTTP client would normalize them. */
export function raw(port: number, method: string, path: string, lines: readonly string[] = [], to: RawTarget = {}) {
  const { host = "127.0.0.1", name = "mlflow", body = "" } = to;
  const length = body === "" ? [] : ["Content-Type: application/json", `Content-Length: ${Buffer.byteLength(body)}`];
  return new Promise<RawAnswer>((resolve, reject) => {
    const socket = connect(port, host);
    let text = "";
    socket.setTimeout(60_000, () => socket.destroy(new Error(`${method} ${path} had no answer in time.`)));
    socket.setEncoding("latin1").on("data", (chunk: string) => {
      text += chunk;
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(parsed(text)));
    const own = lines.some((line) => /^connection:/i.test(line)) ? [] : ["Connection: close"];
    socket.write(
      [`${method} ${path} HTTP/1.1`, `Host: ${name}`, ...own, ...length, ...lines, "", body].join("\r\n"),
      "latin1",
    );
  });
}

function parsed(text: string): RawAnswer {
  const [head = "", ...rest] = text.split("\r\n\r\n");
  const header = (name: string) => new RegExp(`^${name}: *(.*)$`, "im").exec(head.replaceAll("\r", ""))?.[1] ?? "";
  return {
    status: Number(/^HTTP\/1\.[01] (\d+)/.exec(head)?.[1] ?? 0),
    contentType: header("content-type"),
    location: header("location"),
    gateway: header("x-gateway"),
    body: rest.join("\r\n\r\n"),
  };
}
