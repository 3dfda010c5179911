import { readFile } from "node:fs/promises";
import { Agent, request } from "node:https";
import type { ClusterAccess } from "../control-plane/cluster-access.ts";

/** An event of a watch, as the API server sends it: one line of JSON. */
export interface StreamedEvent<T> {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: T & { readonly metadata: { readonly resourceVersion: string } };
}

/**
 * Watches `path` from a resource version as the administrator. Resolves when the watch ends or fails, also if the
 * API server cannot open it; rejects with errors of `onEvent`, and if the resource version has expired.
 */
export function eventStream<T>(
  cluster: ClusterAccess,
  agent: Agent,
  path: string,
  from: string,
  signal: AbortSignal,
  onEvent: (event: StreamedEvent<T>) => void,
): Promise<void> {
  const query = `watch=true&allowWatchBookmarks=true&timeoutSeconds=600&resourceVersion=${from}`;
  const url = new URL(`${path}${path.includes("?") ? "&" : "?"}${query}`, cluster.url);
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { agent, signal });
    outgoing.on("error", () => resolve());
    outgoing.on("response", (incoming) => {
      if (incoming.statusCode !== 200) {
        if (incoming.statusCode === 410) reject(new Error(`Resource version ${from} of ${path} has expired.`));
        incoming.resume().on("close", () => resolve());
        return;
      }
      let rest = "";
      incoming.setEncoding("utf8").on("data", (text: string) => {
        const lines = (rest + text).split("\n");
        rest = lines.pop() ?? "";
        try {
          for (const line of lines) onEvent(JSON.parse(line));
        } catch (error) {
          reject(error);
          outgoing.destroy();
        }
      });
      incoming.on("error", () => resolve());
      incoming.on("end", () => resolve());
    });
    outgoing.end();
  });
}

/** Returns an agent with the administrator's credentials, for watches. */
export async function administratorAgent(cluster: ClusterAccess): Promise<Agent> {
  const config: { users: { user: Record<string, string> }[] } = JSON.parse(
    await readFile(cluster.kubeconfigPath, "utf8"),
  );
  const decoded = (name: string) => Buffer.from(config.users[0]?.user[name] ?? "", "base64");
  return new Agent({
    keepAlive: true,
    ca: await readFile(cluster.caFile),
    cert: decoded("client-certificate-data"),
    key: decoded("client-key-data"),
  });
}
