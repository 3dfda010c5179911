import { setTimeout as sleep } from "node:timers/promises";
import type { Answer, ClusterAccess } from "../test/control-plane/cluster-access.ts";

/** Makes a request as the administrator. Returns the parsed response; throws if it is rejected. */
export async function adminRequest<T>(
  cluster: ClusterAccess,
  method: string,
  path: string,
  body?: unknown,
  contentType = "application/json",
): Promise<T> {
  const headers = { "content-type": contentType };
  const options = { ...(body !== undefined && { body }), headers, timeoutMilliseconds: 60_000 };
  const answer = await withRetries(method, () => cluster.request(method, path, options));
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.body}`);
  return JSON.parse(answer.body);
}

/** Retries after a freeze or restart of the API server, which closes persistent connections. */
async function withRetries(method: string, attempt: () => Promise<Answer>): Promise<Answer> {
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
