import { setTimeout as sleep } from "node:timers/promises";
import type { Answer, ClusterAccess } from "../test/control-plane/cluster-access.ts";

/** The answer of the API server to the administrator. Throws when it refuses. */
export async function asked<T>(
  cluster: ClusterAccess,
  method: string,
  path: string,
  body?: unknown,
  contentType = "application/json",
): Promise<T> {
  const headers = { "content-type": contentType };
  const options = { ...(body !== undefined && { body }), headers, timeoutMilliseconds: 60_000 };
  const answer = await waitUntil(method, () => cluster.request(method, path, options));
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.body}`);
  return JSON.parse(answer.body);
}

/** An API server that was frozen or restarted has closed the connections that were kept. */
async function waitUntil(method: string, attempt: () => Promise<Answer>): Promise<Answer> {
  for (let left = method === "POST" ? 0 : 20; ; left -= 1) {
    try {
      return await attempt();
    } catch (error) {
      if (left === 0) throw error;
      await sleep(50);
    }
  }
}

export const mergePatch = "application/merge-patch+json";
