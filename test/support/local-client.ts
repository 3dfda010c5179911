import assert from "node:assert/strict";
import type { Server } from "node:http";
import { type ApiClient, apiClient } from "../../src/kube/client/api-client.ts";
import type { Fence } from "../../src/kube/client/fence.ts";

/** Returns a client for a local server, without credentials. */
export function localClient(server: Server, fence?: Fence): ApiClient {
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const credentials = {
    server: new URL(`http://127.0.0.1:${address.port}`),
    headers: {},
    tls: { rejectUnauthorized: true },
  };
  return apiClient({
    credentials: { current: async () => credentials, rejected: () => {} },
    userAgent: "test",
    ...(fence !== undefined && { fence }),
  });
}
