import assert from "node:assert/strict";
import type { Cluster } from "./start-cluster.ts";

/** Applies documents as they are published, whoever has had their fields before. */
export async function applied(cluster: Cluster, documents: string): Promise<void> {
  await kubectl(cluster, ["apply", "--server-side", "--force-conflicts", "--filename=-"], documents);
}

/** Runs kubectl, which must succeed, and gives its output. */
export async function kubectl(cluster: Cluster, args: readonly string[], stdin?: string): Promise<string> {
  const { code, stdout, stderr } = await cluster.kubectl(args, stdin);
  assert.equal(code, 0, `kubectl ${args.join(" ")}: ${stderr}`);
  return stdout;
}
