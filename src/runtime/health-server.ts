import { once } from "node:events";
import { createServer, type Server } from "node:http";

export interface HealthSources {
  /** Whether the process works as it should; restarting it would help where not. */
  readonly healthy: () => boolean;
  /** What it waits for, or undefined when it is ready. */
  readonly notReadyBecause: () => string | undefined;
  readonly metrics: () => Promise<{ text: string; contentType: string }>;
}

export interface HealthServer {
  readonly port: number;
  close(): void;
}

/** `/healthz`, `/readyz` and `/metrics`; nothing else is served. Rejects when the port cannot be had. */
export async function healthServer(address: string, port: number, sources: HealthSources): Promise<HealthServer> {
  const server: Server = createServer((request, response) => {
    const answer = (status: number, text: string, contentType = "text/plain; charset=utf-8") =>
      response.writeHead(status, { "content-type": contentType }).end(`${text}\n`);
    if (request.method !== "GET" && request.method !== "HEAD") return answer(405, "method not allowed");
    switch (request.url?.split("?")[0]) {
      case "/healthz":
        return sources.healthy() ? answer(200, "ok") : answer(500, "the event loop or the watches have stopped");
      case "/readyz": {
        const reason = sources.notReadyBecause();
        return reason === undefined ? answer(200, "ok") : answer(503, reason);
      }
      case "/metrics":
        return sources.metrics().then(
          ({ text, contentType }) => answer(200, text.trimEnd(), contentType),
          () => answer(500, "the metrics cannot be collected"),
        );
      default:
        return answer(404, "not found: /healthz, /readyz and /metrics are served");
    }
  });
  server.listen(port, address);
  await once(server, "listening");
  const bound = server.address();
  return {
    port: typeof bound === "object" && bound !== null ? bound.port : port,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
