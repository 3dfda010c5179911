import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import type { Log } from "../../src/runtime/log.ts";
import { type Operator, operator } from "../../src/runtime/operator.ts";
import { settings } from "../../src/settings.ts";
import type { ClusterAccess } from "../control-plane/cluster-access.ts";
import { eventually } from "../support/eventually.ts";
import { objects } from "../support/objects.ts";
import { type Installation, may, releaseName } from "./installation.ts";

/**
 * Runs the operator in this process as the release's ServiceAccount, with the arguments of its Deployment, when the roles of
 * the release are in force.
 */
export async function operatorOf(
  cluster: ClusterAccess,
  { namespace, user }: Installation,
): Promise<Operator & { readonly messages: readonly string[] }> {
  const { spec } = await objects(cluster, namespace).the("Deployment", releaseName);
  const [, ...args] = spec.template.spec?.containers[0]?.args ?? [];
  const credentials = {
    server: new URL(cluster.url),
    headers: { Authorization: `Bearer ${await cluster.tokenFor(namespace, releaseName)}` },
    tls: { ca: await readFile(cluster.caFile, "utf8"), rejectUnauthorized: true },
  };
  const chosen = settings(args, {
    KUBERNETES_SERVICE_HOST: "-",
    KUBERNETES_SERVICE_PORT: "-",
    POD_NAMESPACE: namespace,
  });
  const lease = { group: "coordination.k8s.io", namespace, name: releaseName };
  await eventually(async () => assert.ok(await may(cluster, user, "get", "leases", lease)));
  for (const each of chosen.namespaces ?? [undefined]) {
    const where = { group: "mlflow-operator.dev", ...(each !== undefined && { namespace: each }) };
    await eventually(async () => assert.ok(await may(cluster, user, "list", "mlflowservers", where)));
  }
  const messages: string[] = [];
  const running = await operator({
    ...chosen,
    healthAddress: "127.0.0.1",
    healthPort: 0,
    version: "test",
    credentials: { current: async () => credentials, rejected: () => {} },
    log: logInto(messages),
  });
  return { ...running, messages };
}

function logInto(messages: string[]): Log {
  const write = (_fields: unknown, message?: unknown): void => void messages.push(String(message));
  return { debug: write, info: write, warn: write, error: write };
}
