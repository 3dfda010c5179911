import { quantityOf } from "../api/quantity.ts";
import { isText } from "../kube/condensed.ts";

/**
 * Where `live` lacks something that `wanted` says: the path of the first such field, or undefined where nothing has to
 * be written. What the API server or others added is not ours and does not count, but for what has one owner as a
 * whole. Empty text, lists and objects count as absent, since the API server drops them; false and 0 do not, since it
 * keeps those that we write.
 */
export function difference(wanted: unknown, live: unknown, path = "", isWhole = false): string | undefined {
  if (isEmpty(wanted)) return isEmpty(live) || typeof wanted === "object" ? undefined : path;
  if (Array.isArray(wanted)) return Array.isArray(live) ? listDifference(wanted, live, path, isWhole) : path;
  if (isRecord(wanted)) {
    if (!isRecord(live)) return path;
    const whole = isWhole || wholes.has(fieldName(path));
    for (const [key, value] of Object.entries(wanted)) {
      const found = difference(value, live[key], `${path}.${key}`, whole);
      if (found !== undefined) return found;
    }
    const added = whole && Object.keys(live).find((key) => wanted[key] === undefined && !isEmpty(live[key]));
    return added ? `${path}.${added}` : undefined;
  }
  return isText(live, wanted) || (isAmount(path) && sameQuantity(wanted, live)) ? undefined : path;
}

/** Lists whose items the API server merges by key (x-kubernetes-list-map-keys of the built-in kinds that we write). */
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

/** Objects that have one owner as a whole (x-kubernetes-map-type: atomic), so that a field that somebody adds is drift. */
const wholes: ReadonlySet<string> = new Set([
  "configMapKeyRef",
  "fieldRef",
  "labelSelector",
  "nodeSelector",
  "requiredDuringSchedulingIgnoredDuringExecution",
  "secretKeyRef",
  "selector",
]);

function fieldName(path: string): string {
  return path.slice(path.lastIndexOf(".") + 1);
}

function listDifference(
  wanted: readonly unknown[],
  live: readonly unknown[],
  path: string,
  isWhole: boolean,
): string | undefined {
  // The ports of a NetworkPolicy's rule are not those of a container, nor are an AuthorizationPolicy's.
  const keys = isWhole ? undefined : mapLists[fieldName(path)];
  if (keys === undefined && wanted.length !== live.length) return path;
  for (const [index, item] of wanted.entries()) {
    const peer = keys === undefined ? live[index] : live.find((candidate) => sameKeys(item, candidate, keys));
    // A list without keys has one owner, with all that is in it.
    const found = difference(item, peer, `${path}[${index}]`, keys === undefined);
    if (found !== undefined) return found;
  }
  return undefined;
}

function sameKeys(a: unknown, b: unknown, keys: readonly string[]): boolean {
  return isRecord(a) && isRecord(b) && keys.every((key) => a[key] === b[key]);
}

function isAmount(path: string): boolean {
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

/** Whether two quantities are the same amount, however written: the API server makes 500m of 0.5. */
function sameQuantity(a: unknown, b: unknown): boolean {
  const [first, second] = [quantityOf(String(a)), quantityOf(String(b))];
  return first !== undefined && second !== undefined && Math.abs(first - second) <= 1e-9 * Math.abs(first);
}
