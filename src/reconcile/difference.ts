import { quantityOf } from "../api/quantity.ts";
import { isText } from "../kube/data.ts";
import { rowOf } from "../kube/kinds.ts";
import type { Manifest, Owned } from "../kube/manifests.ts";

/**
 * The path of the first field in which `live` differs from `wanted`, or undefined. Fields that the API server or other clients have
 * added are ignored, except in atomic objects and lists. Empty strings, lists and objects count as absent, because the API server
 * drops them; false and 0 do not, because it keeps them.
 */
export function difference(wanted: unknown, live: unknown, path = "", isAtomic = false): string | undefined {
  if (isEmpty(wanted)) return isEmpty(live) || typeof wanted === "object" ? undefined : path;
  if (Array.isArray(wanted)) return Array.isArray(live) ? listDifference(wanted, live, path, isAtomic) : path;
  if (isRecord(wanted)) {
    if (!isRecord(live)) return path;
    const atomic = isAtomic || atomicObjects.has(fieldName(path));
    for (const [key, value] of Object.entries(wanted)) {
      const found = difference(value, live[key], `${path}.${key}`, atomic);
      if (found !== undefined) return found;
    }
    const added = atomic && Object.keys(live).find((key) => wanted[key] === undefined && !isEmpty(live[key]));
    return added ? `${path}.${added}` : undefined;
  }
  return isText(live, wanted) || (isQuantity(path) && sameQuantity(wanted, live)) ? undefined : path;
}

/** Lists whose items the API server merges by key (x-kubernetes-list-map-keys of the built-in kinds that the operator applies). */
const mapLists: Readonly<Record<string, readonly string[]>> = {
  containers: ["name"],
  env: ["name"],
  imagePullSecrets: ["name"],
  initContainers: ["name"],
  listeners: ["name"],
  ownerReferences: ["uid"],
  ports: ["port", "containerPort", "protocol"],
  topologySpreadConstraints: ["topologyKey", "whenUnsatisfiable"],
  volumeMounts: ["mountPath"],
  volumes: ["name"],
};

/** Atomic objects (x-kubernetes-map-type: atomic), in which a field that another client adds is drift. */
const atomicObjects: ReadonlySet<string> = new Set([
  "configMapKeyRef",
  "fieldRef",
  "labelSelector",
  "nodeSelector",
  "requiredDuringSchedulingIgnoredDuringExecution",
  "secretKeyRef",
  "selector",
]);

/** Atomic lists that the API server completes: of a Service with two families, the second one is optional. */
const completedLists: ReadonlySet<string> = new Set(["ipFamilies"]);

function fieldName(path: string): string {
  return path.slice(path.lastIndexOf(".") + 1);
}

function listDifference(
  wanted: readonly unknown[],
  live: readonly unknown[],
  path: string,
  isAtomic: boolean,
): string | undefined {
  // Ports of a NetworkPolicy or an AuthorizationPolicy are not merged by key, unlike those of a container.
  const keys = isAtomic ? undefined : mapLists[fieldName(path)];
  const isComplete = keys !== undefined || completedLists.has(fieldName(path));
  if (!isComplete && wanted.length !== live.length) return path;
  for (const [index, item] of wanted.entries()) {
    const peer = keys === undefined ? live[index] : live.find((candidate) => sameKeys(item, candidate, keys));
    // A list without keys is atomic, with all its items.
    const found = difference(item, peer, `${path}[${index}]`, keys === undefined);
    if (found !== undefined) return found;
  }
  return undefined;
}

function sameKeys(a: unknown, b: unknown, keys: readonly string[]): boolean {
  return isRecord(a) && isRecord(b) && keys.every((key) => a[key] === b[key]);
}

function isQuantity(path: string): boolean {
  return /\.(requests|limits)\.[^.]+$|\.sizeLimit$/.test(path);
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === "") return true;
  if (Array.isArray(value)) return value.length === 0;
  return isRecord(value) && Object.keys(value).length === 0;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether two quantities are equal: the API server stores 0.5 as 500m. */
function sameQuantity(a: unknown, b: unknown): boolean {
  const [first, second] = [quantityOf(String(a)), quantityOf(String(b))];
  return first !== undefined && second !== undefined && Math.abs(first - second) <= 1e-9 * Math.abs(first);
}

/**
 * Whether an immutable field differs from the desired one. Such an object is deleted, and created again when the watch reports the deletion.
 */
export function mustBeReplaced(live: Owned, manifest: Manifest): boolean {
  const { immutable = [] } = rowOf(manifest.kind);
  return immutable.some((path) => {
    const wanted = valueAt(manifest, path);
    // Without a desired value the API server or a webhook sets one.
    return wanted !== undefined && difference(wanted, valueAt(live, path)) !== undefined;
  });
}

function valueAt(object: unknown, path: string): unknown {
  return path.split(".").reduce((value, key) => {
    if (Array.isArray(value)) return value[Number(key)];
    return isRecord(value) ? value[key] : undefined;
  }, object);
}
