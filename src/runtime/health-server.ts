import { once } from "node:events";
import { createServer, type Server } from "node:http";

export interface HealthSources {
  /** Why a restart of the process helps; undefined if it does not, such as while the API server is unavailable. */
  readonly unhealthyBecause: () => string | undefined;
  /** A line for each reason why it is not ready; undefined if it is ready. */
  readonly notReadyBecause: () => string | undefined;
  readonly metrics: () => Promise<{ text: string; contentType: string }>;
}

export interface HealthServer {
  readonly port: number;
  close(): void;
}

/**
 * Serves `/healthz`, `/readyz` and `/metrics`, without an address on all addresses of the IP families that the node has. Rejects if the port
 * is not available.
 */
export async function healthServer(
  address: string | undefined,
  port: number,
  sources: HealthSources,
): Promise<HealthServer> {
  const server: Server = createServer((request, response) => {
    const answer = (status: number, text: string, contentType = "text/plain; charset=utf-8") =>
      response.writeHead(status, { "content-type": contentType }).end(`${text}\n`);
    if (request.method !== "GET" && request.method !== "HEAD") return answer(405, "method not allowed");
    switch (request.url?.split("?")[0]) {
      case "/healthz": {
        const reason = sources.unhealthyBecause();
        return reason === undefined ? answer(200, "ok") : answer(500, reason);
      }
      case "/readyz": {
        const reason = sources.notReadyBecause();
        return reason === undefined ? answer(200, "ok") : answer(503, reason);
      }
      case "/metrics":
        return sources.metrics().then(
          ({ text, contentType }) => answer(200, text.trimEnd(), contentType),
          () => answer(500, "cannot collect metrics"),
        );
      default:
        return answer(404, "not found: use /healthz, /readyz or /metrics");
    }
  });
  server.listen({ port, ...(address !== undefined && { host: address }) });
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
