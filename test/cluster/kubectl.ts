import assert from "node:assert/strict";
import type { Cluster } from "./start-cluster.ts";

/** Applies documents, and takes ownership of their fields. */
export async function applyDocuments(cluster: Cluster, documents: string): Promise<void> {
  await kubectl(cluster, ["apply", "--server-side", "--force-conflicts", "--filename=-"], documents);
}

/** Runs kubectl, which must succeed, and returns its output. */
export async function kubectl(cluster: Cluster, args: readonly string[], stdin?: string): Promise<string> {
  const { code, stdout, stderr } = await cluster.kubectl(args, stdin);
  assert.equal(code, 0, `kubectl ${args.join(" ")}: ${stderr}`);
  return stdout;
}
