import type { FieldManager, KubeObject, ObjectMeta } from "../kube/object.ts";
import { interned, shared } from "./interned.ts";
import { prunedFields } from "./pruned-fields.ts";

/** kubectl's copy of the whole spec in an annotation. */
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration";

/**
 * What the cache keeps of an object: all, except for which fields each manager owns (often half of an object), kubectl's
 * copy of a spec, and of a pod's spec all but the node and the names of its containers: a server has few pods, but each
 * is as large as all else.
 */
export function trimmed<T extends KubeObject>(object: T): T {
  if (object.kind === "Namespace" || object.kind === "RoleBinding") return ofWorkspaces(object);
  const metadata = trimmedMeta(object.metadata);
  const pruned = prunedFields(object);
  if (object.kind !== "Pod") return interned({ ...object, metadata, ...(pruned.length > 0 && { pruned }) });
  return interned({ ...object, metadata, spec: trimmedPodSpec("spec" in object ? object.spec : undefined) });
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
    ...(labels !== undefined && { labels: shared(labels) }),
  };
  const content = Object.entries(object).filter(([key]) => key !== "metadata");
  const rest = content.map(([key, value]) => [key, typeof value === "object" ? shared(value) : value]);
  return { ...object, ...Object.fromEntries(rest), metadata };
}

function trimmedMeta(metadata: ObjectMeta): ObjectMeta {
  const { managedFields, annotations, ...rest } = metadata;
  return {
    ...rest,
    ...(annotations === undefined ? {} : { annotations: withoutLastApplied(annotations) }),
    ...(managedFields === undefined ? {} : { managedFields: managedFields.map(trimmedManager) }),
  };
}

function withoutLastApplied(annotations: Record<string, string>): Record<string, string> {
  if (annotations[lastApplied] === undefined) return annotations;
  return Object.fromEntries(Object.entries(annotations).filter(([name]) => name !== lastApplied));
}

/** The order and number of entries stay: `ownership.ts` names an entry by its index. */
function trimmedManager({ manager, operation, subresource }: FieldManager): FieldManager {
  return {
    ...(manager === undefined ? {} : { manager }),
    ...(operation === undefined ? {} : { operation }),
    ...(subresource === undefined ? {} : { subresource }),
  };
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
