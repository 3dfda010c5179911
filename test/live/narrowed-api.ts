import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { Agent, request } from "node:https";
import { label } from "../../src/kube/names.ts";
import type { ClusterAccess } from "../control-plane/cluster-access.ts";

export interface NarrowedApi {
  readonly url: string;
  readonly close: () => void;
}

/**
 * Starts a proxy of the API server, on loopback, for an operator of all namespaces: reads are limited to the servers of one
 * namespace and their objects, so that the operator ignores other tests in the cluster. Writes are forwarded unchanged.
 */
export async function narrowedApi(cluster: ClusterAccess, namespace: string): Promise<NarrowedApi> {
  const agent = new Agent({ keepAlive: true, ca: await readFile(cluster.caFile) });
  const server = createServer((incoming: IncomingMessage, outgoing: ServerResponse) => {
    const path = incoming.method === "GET" ? narrowed(incoming.url ?? "/", namespace) : (incoming.url ?? "/");
    const { host: _, connection: __, ...headers } = incoming.headers;
    const onward = request(new URL(path, cluster.url), { method: incoming.method, agent, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      // Otherwise the headers wait for the first event, and the operator closes a watch of a kind without events.
      outgoing.flushHeaders();
      answer.pipe(outgoing);
      answer.on("error", () => outgoing.destroy());
    });
    onward.on("error", () => outgoing.destroy());
    outgoing.on("close", () => onward.destroy());
    incoming.pipe(onward);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the proxy has no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
      agent.destroy();
    },
  };
}

/** Returns a URL that lists one namespace instead of all, or selects cluster-scoped objects of servers in that namespace. */
function narrowed(url: string, namespace: string): string {
  const { pathname, searchParams } = new URL(url, "http://api");
  const collection = /^(\/api\/v1|\/apis\/[^/]+\/[^/]+)\/([a-z]+)$/.exec(pathname);
  const [, root, plural] = collection ?? [];
  if (root === undefined || plural === undefined || plural === "namespaces") return url;
  // Few tests create them, for their own servers.
  if (plural === "mlflowworkspaceaccesses") return url;
  if (["clusterrolebindings", "rolebindings"].includes(plural)) {
    const own = `${label.serverNamespace}=${namespace}`;
    searchParams.set("labelSelector", [searchParams.get("labelSelector"), own].filter(Boolean).join(","));
    return `${pathname}?${searchParams}`;
  }
  return `${root}/namespaces/${namespace}/${plural}?${searchParams}`;
}
