import { condensed } from "../kube/condensed.ts";
import { copy } from "../kube/excerpt.ts";
import { group } from "../kube/names.ts";
import type { FieldManager, KubeObject, ObjectMeta } from "../kube/object.ts";
import { interned, shared } from "./interned.ts";
import { prunedFields } from "./pruned-fields.ts";
import { sizeOf } from "./size.ts";

/** kubectl's copy of the whole spec in an annotation. */
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration";
/** No annotation that the operator writes or reads is longer. */
const longestAnnotation = 16_384;
/** Longer texts in a status are cut: the kubelet's termination messages have 4,096 bytes at most. */
const longestStatusText = 8192;
/** Of longer lists in a status the rest is left out. */
const longestStatusList = 256;
/** Labels of a namespace that take more are no choice of workspaces. */
const largestLabels = 16_384;

/**
 * What the cache keeps of an object: all, except for which fields each manager owns (often half of an object), kubectl's
 * copy of a spec, and of a pod's spec all but the node and the names of its containers: a server has few pods, but each
 * is as large as all else. Texts that others can make as long as they like are cut, or held as a digest.
 */
export function trimmed<T extends KubeObject>(object: T): T {
  const pruned = prunedFields(object);
  switch (object.kind) {
    case "Namespace":
    case "RoleBinding":
      return ofWorkspaces(object);
    case "MlflowServer":
    case "MlflowWorkspaceAccess":
      return interned({ ...object, metadata: metaOfOurs(object.metadata), ...(pruned.length > 0 && { pruned }) });
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
 * There may be thousands, which are alike but for their names: only what passes look at is kept, and what is the same is held
 * once. Nobody else's fields are in a RoleBinding of ours, so who manages which does not matter.
 */
function ofWorkspaces<T extends KubeObject>(object: T): T {
  const { name, namespace, uid, resourceVersion, deletionTimestamp, labels } = object.metadata;
  const metadata: ObjectMeta = {
    name,
    ...(namespace !== undefined && { namespace: interned(namespace) }),
    ...(uid !== undefined && { uid }),
    ...(resourceVersion !== undefined && { resourceVersion }),
    ...(deletionTimestamp !== undefined && { deletionTimestamp }),
    ...(labels !== undefined && { labels: shared(sizeOf(labels) > largestLabels ? ourLabels(labels) : labels) }),
  };
  const content = Object.entries(object).filter(([key]) => key !== "metadata");
  const rest = content.map(([key, value]) => [key, typeof value === "object" ? shared(value) : value]);
  return { ...object, ...Object.fromEntries(rest), metadata };
}

function ourLabels(labels: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).filter(([key]) => key.startsWith(`${group}/`)));
}

/** Of what users write annotations of others and their field managers do not matter. */
function metaOfOurs({ managedFields, annotations, ...rest }: ObjectMeta): ObjectMeta {
  const ours = Object.entries(annotations ?? {}).filter(([name]) => name.startsWith(`${group}/`));
  return { ...rest, ...(ours.length > 0 && { annotations: shortAnnotations(Object.fromEntries(ours)) }) };
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

/** The order and number of entries stay: `ownership.ts` names an entry by its index. */
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

/** Others write it, and quote what others still have written. */
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
  containers: { name: string }[];
  initContainers?: { name: string }[];
}

function trimmedPodSpec(spec: unknown): PodSpecPart {
  if (typeof spec !== "object" || spec === null) return { containers: [] };
  const { nodeName, containers, initContainers }: Partial<PodSpecPart> = spec;
  return {
    ...(nodeName === undefined ? {} : { nodeName }),
    containers: namesOf(containers),
    ...(initContainers === undefined ? {} : { initContainers: namesOf(initContainers) }),
  };
}

const namesOf = (containers: readonly { name: string }[] = []) => containers.map(({ name }) => ({ name }));
