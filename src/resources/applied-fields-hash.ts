import { createHash } from "node:crypto";
import type { Manifest } from "../kube/manifests.ts";
import { annotation } from "../kube/names.ts";

/**
 * The manifest with a hash of its field paths in an annotation. Values are compared with the cluster one by one; what
 * that cannot see is a field that a former manifest had and this one has no more. Then the shape differs, the manifest
 * is applied, and the API server prunes the field. Only paths are hashed, so nothing secret can be guessed from it.
 */
export function withAppliedFieldsHash<T extends Manifest>(manifest: T): T {
  const shape = createHash("sha256").update(paths(manifest, "").join("\n")).digest("hex").slice(0, 16);
  const { metadata } = manifest;
  return {
    ...manifest,
    metadata: { ...metadata, annotations: { ...metadata.annotations, [annotation.appliedFieldsHash]: shape } },
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

/** Items of containers, env, volumes and ports are told apart by name, so that an order is no shape. */
function nameOf(item: unknown): string | undefined {
  if (typeof item !== "object" || item === null || !("name" in item)) return undefined;
  return typeof item.name === "string" ? item.name : undefined;
}
