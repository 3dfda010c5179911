import { isObject } from "../api/structure.ts";
import type { KubeObject } from "../kube/object.ts";

/** Fields of metadata that the API server sets at each write. */
const volatile = ["managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"];

/**
 * A live object and the object after a dry run, as they are compared: without status and volatile metadata, and with the data of
 * Secrets masked, as kubectl diff does.
 */
export function comparable(
  live: KubeObject | undefined,
  applied: KubeObject | undefined,
): { readonly live: object | undefined; readonly applied: object | undefined } {
  const pair = { live: live && withoutVolatile(live), applied: applied && withoutVolatile(applied) };
  if ((live ?? applied)?.kind !== "Secret") return pair;
  return { live: masked(pair.live, pair.applied, "before"), applied: masked(pair.applied, pair.live, "after") };
}

function withoutVolatile(object: KubeObject): Record<string, unknown> {
  const { apiVersion, kind, metadata, ...rest } = object;
  const kept = Object.entries(metadata).filter(([key]) => !volatile.includes(key));
  const fields = Object.entries(rest).filter(([key]) => key !== "status");
  return { apiVersion, kind, metadata: Object.fromEntries(kept), ...Object.fromEntries(fields) };
}

function masked(
  object: Record<string, unknown> | undefined,
  other: Record<string, unknown> | undefined,
  when: "before" | "after",
): Record<string, unknown> | undefined {
  if (object === undefined) return undefined;
  const { data } = object;
  const others = isObject(other?.["data"]) ? other["data"] : {};
  if (!isObject(data)) return object;
  const text = (key: string, value: unknown) => (!(key in others) || others[key] === value ? "***" : `*** (${when})`);
  return { ...object, data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, text(key, value)])) };
}
