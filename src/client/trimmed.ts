import { condensed } from "../kube/data.ts";
import { copy } from "../kube/excerpt.ts";
import { isOwnKind } from "../kube/kinds.ts";
import { group } from "../kube/names.ts";
import type { FieldManager, KubeObject, ObjectMeta } from "../kube/object.ts";
import { interned, shared } from "./interned.ts";

/** The annotation of kubectl with a copy of the whole spec. */
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration";
/** Annotations that the operator reads or writes are shorter. */
const longestAnnotation = 16_384;
/** Longer texts in a status are truncated: termination messages of the kubelet have at most 4,096 bytes. */
const longestStatusText = 8192;
/** Longer lists in a status are truncated. */
const longestStatusList = 256;
/** Limit for the labels of a namespace; of larger ones only those of the operator are kept. */
const largestLabels = 16_384;

/**
 * Returns what the cache keeps of an object. Omitted are the fields in `managedFields` (often half of an object), the
 * annotation of kubectl, and the spec of a pod except for the node and the names and ports of its containers: a pod
 * is as large as all other objects of a server. Texts without a length limit are truncated or kept as a digest.
 */
export function trimmed<T extends KubeObject>(object: T): T {
  const pruned = prunedFields(object);
  switch (object.kind) {
    case "Namespace":
    case "RoleBinding":
      return ofWorkspaces(object);
    case "MlflowServer":
      return interned({
        ...object,
        metadata: customResourceMeta(object.metadata),
        ...(pruned.length > 0 && { pruned }),
      });
    case "MlflowWorkspaceAccess":
    case "MlflowBackup":
    case "MlflowBackupSchedule":
      return interned({ ...object, metadata: identityMeta(object.metadata), ...(pruned.length > 0 && { pruned }) });
    case "Secret":
    case "ConfigMap":
      return interned({ ...object, metadata: trimmedMeta(object.metadata), ...condensedContent(object) });
    case "Pod":
      return interned({
        ...object,
        metadata: trimmedMeta(object.metadata),
        spec: trimmedPodSpec("spec" in object ? object.spec : undefined),
        ...trimmedStatus(object),
      });
    default:
      return interned({
        ...object,
        metadata: trimmedMeta(object.metadata),
        ...trimmedStatus(object),
        ...(pruned.length > 0 && { pruned }),
      });
  }
}

/**
 * There can be thousands, which differ only in their names: only fields that reconciliations read are kept, and equal values are
 * shared. A RoleBinding of the operator has no fields of other managers, so `managedFields` are not needed.
 */
function ofWorkspaces<T extends KubeObject>(object: T): T {
  const { name, namespace, uid, resourceVersion, deletionTimestamp, labels } = object.metadata;
  const metadata: ObjectMeta = {
    name,
    ...(namespace !== undefined && { namespace: interned(namespace) }),
    ...(uid !== undefined && { uid }),
    ...(resourceVersion !== undefined && { resourceVersion }),
    ...(deletionTimestamp !== undefined && { deletionTimestamp }),
    ...(labels !== undefined && { labels: shared(sizeOf(labels) > largestLabels ? operatorLabels(labels) : labels) }),
  };
  const content = Object.entries(object).filter(([key]) => key !== "metadata");
  const rest = content.map(([key, value]) => [key, typeof value === "object" ? shared(value) : value]);
  return { ...object, ...Object.fromEntries(rest), metadata };
}

function operatorLabels(labels: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).filter(([key]) => key.startsWith(`${group}/`)));
}

/** Of custom resources only annotations of the operator are kept. */
function customResourceMeta({ managedFields, annotations, ...rest }: ObjectMeta): ObjectMeta {
  const own = Object.entries(annotations ?? {}).filter(([name]) => name.startsWith(`${group}/`));
  return { ...rest, ...(own.length > 0 && { annotations: shortAnnotations(Object.fromEntries(own)) }) };
}

/** Only what identifies an object: a user can give each a megabyte of labels, owners and finalizers, and create thousands. */
export function identityMeta(metadata: ObjectMeta): ObjectMeta {
  const { name, namespace, uid, resourceVersion, generation, creationTimestamp, deletionTimestamp } = metadata;
  return {
    name,
    ...(namespace !== undefined && { namespace }),
    ...(uid !== undefined && { uid }),
    ...(resourceVersion !== undefined && { resourceVersion }),
    ...(generation !== undefined && { generation }),
    ...(creationTimestamp !== undefined && { creationTimestamp }),
    ...(deletionTimestamp !== undefined && { deletionTimestamp }),
  };
}

function trimmedMeta(metadata: ObjectMeta): ObjectMeta {
  const { managedFields, annotations, ...rest } = metadata;
  return {
    ...rest,
    ...(annotations === undefined ? {} : { annotations: shortAnnotations(annotations) }),
    ...(managedFields === undefined ? {} : { managedFields: managedFields.map(trimmedManager) }),
  };
}

function shortAnnotations(annotations: Record<string, string>): Record<string, string> {
  const isKept = ([name, text]: [string, string]) => name !== lastApplied && text.length <= longestAnnotation;
  const all = Object.entries(annotations);
  return all.every(isKept) ? annotations : Object.fromEntries(all.filter(isKept));
}

/** Keeps the order and number of entries: `ownership.ts` refers to an entry by its index. */
function trimmedManager({ manager, operation, subresource }: FieldManager): FieldManager {
  return {
    ...(manager === undefined ? {} : { manager }),
    ...(operation === undefined ? {} : { operation }),
    ...(subresource === undefined ? {} : { subresource }),
  };
}

interface Texts {
  data?: Record<string, string>;
  binaryData?: Record<string, string>;
}

function condensedContent(object: KubeObject): Texts {
  const { data, binaryData }: KubeObject & Texts = object;
  return { ...(data && { data: condensedTexts(data) }), ...(binaryData && { binaryData: condensedTexts(binaryData) }) };
}

function condensedTexts(texts: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, condensed(text)]));
}

/** Statuses are written by other controllers and can quote texts of any length. */
function trimmedStatus(object: KubeObject): { status?: unknown } {
  return "status" in object ? { status: shortened(object.status) } : {};
}

function shortened(value: unknown): unknown {
  if (typeof value === "string")
    return value.length > longestStatusText ? copy(value.slice(0, longestStatusText)) : value;
  if (Array.isArray(value)) return value.slice(0, longestStatusList).map(shortened);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, shortened(item)]));
}

interface PodSpecPart {
  nodeName?: string;
  containers: ContainerPart[];
  initContainers?: ContainerPart[];
}

interface ContainerPart {
  name: string;
  ports?: { containerPort: number; name?: string; protocol?: string }[];
}

function trimmedPodSpec(spec: unknown): PodSpecPart {
  if (typeof spec !== "object" || spec === null) return { containers: [] };
  const { nodeName, containers, initContainers }: Partial<PodSpecPart> = spec;
  return {
    ...(nodeName === undefined ? {} : { nodeName }),
    containers: partsOf(containers),
    ...(initContainers === undefined ? {} : { initContainers: partsOf(initContainers) }),
  };
}

/** Longer lists of ports are truncated. */
const longestPorts = 16;

function partsOf(containers: readonly ContainerPart[] = []): ContainerPart[] {
  return containers.map(({ name, ports = [] }) => ({
    name,
    ...(ports.length > 0 && { ports: ports.slice(0, longestPorts).map(portPart) }),
  }));
}

function portPart({ containerPort, name, protocol }: NonNullable<ContainerPart["ports"]>[number]) {
  return { containerPort, ...(name !== undefined && { name }), ...(protocol !== undefined && { protocol }) };
}

/**
 * Estimates the bytes that a JSON value takes in memory: twelve for each value and name, and one for each character. Stops
 * as soon as the result exceeds `most`.
 */
export function sizeOf(value: unknown, most = Number.POSITIVE_INFINITY): number {
  if (typeof value === "string") return 12 + value.length;
  if (typeof value !== "object" || value === null) return 12;
  let size = 12;
  for (const [name, item] of Object.entries(value)) {
    size += 12 + name.length + sizeOf(item, most - size);
    if (size > most) return size;
  }
  return size;
}

/**
 * Returns paths in the spec of an object of this operator that a field manager owns but the spec does not have. The API server
 * prunes fields on reading that the CustomResourceDefinition does not have, while `metadata.managedFields`
 * still lists them, even after a later write has removed them.
 */
function prunedFields(object: KubeObject): string[] {
  if (!isOwnKind(object.kind)) return [];
  const spec = "spec" in object ? object.spec : undefined;
  const found = (object.metadata.managedFields ?? []).flatMap((entry) => {
    const fields = "fieldsV1" in entry ? entry.fieldsV1 : undefined;
    return isRecord(fields) && isRecord(fields["f:spec"]) ? pruned(fields["f:spec"], spec, "spec") : [];
  });
  const paths = [...new Set(found)].sort().slice(0, mostPaths);
  return paths.map((path) => (path.length > longestPath ? copy(path.slice(0, longestPath)) : path));
}

/** Limits for these paths: users can write `managedFields`. */
const mostPaths = 64;
const longestPath = 256;

/** Items of lists are skipped: pruning removes fields of an item, not the list. */
function pruned(fields: Record<string, unknown>, value: unknown, path: string): string[] {
  if (!isRecord(value)) return [];
  return Object.entries(fields).flatMap(([step, below]) => {
    if (!step.startsWith("f:")) return [];
    const name = step.slice(2);
    if (!Object.hasOwn(value, name)) return [`${path}.${name}`];
    return isRecord(below) ? pruned(below, value[name], `${path}.${name}`) : [];
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
