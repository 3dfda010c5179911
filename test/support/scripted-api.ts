import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { KubeObject } from "../../src/kube/object.ts";

/** Answers with fixed content on the paths of the API server, for output that a real one cannot be made to give quickly. */
export interface ScriptedApi {
  readonly kubeconfigPath: string;
  /** `METHOD path` of each request, without the query. */
  readonly requests: readonly string[];
  /** Sends a watch event to the open watches of a path. */
  readonly send: (path: string, type: "ADDED" | "MODIFIED" | "DELETED", object: KubeObject) => void;
  /** The number of open watches of a path. */
  readonly watches: (path: string) => number;
}

/** What a path answers: an object, the items of a list, a text, or a status code. */
export type ScriptedAnswer = KubeObject | readonly KubeObject[] | string | number;

/** Starts it until the test ends. A path that is not in the table answers with 404. */
export async function scriptedApi(
  context: TestContext,
  answers: Readonly<Record<string, ScriptedAnswer>>,
): Promise<ScriptedApi> {
  const requests: string[] = [];
  const open = new Map<string, ServerResponse[]>();
  const server = createServer(({ method, url = "" }, response) => {
    const { pathname, searchParams } = new URL(url, "http://localhost");
    requests.push(`${method} ${pathname}`);
    const answer = answers[pathname] ?? 404;
    if (typeof answer === "number") {
      const reason = answer === 403 ? "Forbidden" : "NotFound";
      response.writeHead(answer, { "content-type": "application/json" });
      response.end(JSON.stringify({ kind: "Status", code: answer, reason, message: `${reason}: ${pathname}` }));
    } else if (searchParams.get("watch") === "true") {
      response.writeHead(200, { "content-type": "application/json" }).flushHeaders();
      open.set(pathname, [...(open.get(pathname) ?? []), response]);
    } else if (typeof answer === "string") {
      response.writeHead(200, { "content-type": "text/plain" }).end(answer);
    } else {
      const body = "metadata" in answer ? answer : { metadata: { resourceVersion: "1" }, items: answer };
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const directory = await mkdtemp(join(tmpdir(), "mlflow-operator-kubeconfig-"));
  context.after(async () => {
    server.close();
    server.closeAllConnections();
    await rm(directory, { recursive: true });
  });
  const { port } = server.address() as AddressInfo;
  const kubeconfigPath = join(directory, "config");
  const config = {
    apiVersion: "v1",
    kind: "Config",
    "current-context": "test",
    contexts: [{ name: "test", context: { cluster: "test", user: "test", namespace: "ml" } }],
    clusters: [{ name: "test", cluster: { server: `http://127.0.0.1:${port}`, "insecure-skip-tls-verify": true } }],
    users: [{ name: "test", user: {} }],
  };
  await writeFile(kubeconfigPath, JSON.stringify(config));
  return {
    kubeconfigPath,
    requests,
    send: (path, type, object) => {
      for (const response of open.get(path) ?? []) response.write(`${JSON.stringify({ type, object })}\n`);
    },
    watches: (path) => open.get(path)?.length ?? 0,
  };
}
