import { createHash } from "node:crypto";
import type { Manifest } from "../kube/manifests.ts";
import { annotation } from "../kube/names.ts";

/**
 * Returns the manifest with a hash of its field paths in an annotation. The operator compares values with the cluster, which does
 * not detect a field that was removed from the manifest. Then the hash differs, the manifest is applied, and the API server prunes
 * the field. Only paths are hashed, so the hash reveals no secret.
 */
export function withAppliedFieldsHash<T extends Manifest>(manifest: T): T {
  const hash = createHash("sha256").update(paths(manifest, "").join("\n")).digest("hex").slice(0, 16);
  const { metadata } = manifest;
  return {
    ...manifest,
    metadata: { ...metadata, annotations: { ...metadata.annotations, [annotation.appliedFieldsHash]: hash } },
  };
}

function paths(value: unknown, path: string): string[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => paths(item, `${path}[${nameOf(item) ?? index}]`));
  if (typeof value === "object" && value !== null) {
    return Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([key, item]) => paths(item, `${path}/${key}`));
  }
  return value === undefined ? [] : [path];
}

/** Items of containers, env, volumes and ports are identified by name, so that their order does not change the hash. */
function nameOf(item: unknown): string | undefined {
  if (typeof item !== "object" || item === null || !("name" in item)) return undefined;
  return typeof item.name === "string" ? item.name : undefined;
}
