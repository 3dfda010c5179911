import { readFile } from "node:fs/promises";
import type { Log } from "../../src/runtime/log.ts";
import { type Operator, operator } from "../../src/runtime/operator.ts";
import { settings } from "../../src/settings.ts";
import type { ClusterAccess } from "../control-plane/cluster-access.ts";
import { objects } from "../support/objects.ts";
import { type Installation, releaseName } from "./installation.ts";

/** Runs the operator in this process as the release's ServiceAccount, by the arguments that its Deployment has. */
export async function operatorOf(
  cluster: ClusterAccess,
  { namespace }: Installation,
): Promise<Operator & { readonly messages: readonly string[] }> {
  const { spec } = await objects(cluster, namespace).the("Deployment", releaseName);
  const [, ...args] = spec.template.spec?.containers[0]?.args ?? [];
  const credentials = {
    server: new URL(cluster.url),
    headers: { Authorization: `Bearer ${await cluster.tokenFor(namespace, releaseName)}` },
    tls: { ca: await readFile(cluster.caFile, "utf8"), rejectUnauthorized: true },
  };
  const messages: string[] = [];
  const running = await operator({
    ...settings(args, { KUBERNETES_SERVICE_HOST: "-", KUBERNETES_SERVICE_PORT: "-", POD_NAMESPACE: namespace }),
    healthAddress: "127.0.0.1",
    healthPort: 0,
    version: "test",
    credentials: { current: async () => credentials, refused: () => {} },
    log: logInto(messages),
  });
  return { ...running, messages };
}

function logInto(messages: string[]): Log {
  const write = (_fields: unknown, message?: unknown): void => void messages.push(String(message));
  return { debug: write, info: write, warn: write, error: write };
}
