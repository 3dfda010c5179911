import { once } from "node:events";
import { createServer, request } from "node:http";

/** A local gateway that routes one prefix, and keeps or strips it. It has no other route. */
export interface Gateway {
  readonly close: () => void;
}

export async function openGateway(
  port: number,
  target: () => number,
  prefix: string,
  mode: "passes" | "strips",
): Promise<Gateway> {
  const server = createServer((incoming, outgoing) => {
    const url = incoming.url ?? "";
    const rest = url.slice(prefix.length);
    if (!url.startsWith(prefix) || !/^(?:[/?]|$)/.test(rest)) return void outgoing.writeHead(404).end("no route");
    const path = mode === "passes" ? url : rest.startsWith("/") ? rest : `/${rest}`;
    const { method, headers } = incoming;
    const further = request({ host: "127.0.0.1", port: target(), method, path, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    further.on("error", () => outgoing.destroy());
    incoming.pipe(further);
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
