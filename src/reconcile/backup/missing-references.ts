import type { Reference } from "../../features/common/reference.ts";
import type { NamespacedMeta } from "../../kube/object.ts";
import type { Cause } from "../cause.ts";
import type { Cluster } from "../cluster.ts";

/** The causes because of which a pod of a backup could not be created: a Secret or ConfigMap, or a key of it, is missing. */
export async function missingReferences(
  cluster: Pick<Cluster, "secret" | "configMap">,
  { metadata: { namespace } }: { readonly metadata: NamespacedMeta },
  references: readonly Reference[],
  effect: string,
): Promise<Cause[]> {
  const causes: Cause[] = [];
  for (const { kind, name, keys, path } of references) {
    const read = kind === "Secret" ? cluster.secret : cluster.configMap;
    const object = await read(namespace, name, new Set(keys));
    const missing = keys.filter((key) => object?.data?.[key] === undefined);
    if (missing.length === 0) continue;
    const what =
      object === undefined
        ? `names ${kind} ${name}, which does not exist in namespace ${namespace}, so ${effect}. Create it with the`
        : `needs more of ${kind} ${name} in namespace ${namespace}, so ${effect}. Add the`;
    const reasons =
      kind === "Secret"
        ? (["SecretNotFound", "SecretKeyMissing"] as const)
        : (["ConfigMapNotFound", "ConfigMapKeyMissing"] as const);
    causes.push({
      reason: reasons[object === undefined ? 0 : 1],
      message: `${path} ${what} ${missing.length === 1 ? "key" : "keys"} ${missing.join(", ")}.`,
    });
  }
  return causes;
}
