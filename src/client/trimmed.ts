import type { FieldManager, KubeObject, ObjectMeta } from "../kube/object.ts";
import { interned } from "./interned.ts";

/** kubectl's copy of the whole spec in an annotation. */
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration";

/**
 * What the cache keeps of an object: all, except for which fields each manager owns (often half of an object), kubectl's
 * copy of a spec, and of a pod's spec all but the node and the names of its containers: a server has few pods, but each
 * is as large as all else.
 */
export function trimmed<T extends KubeObject>(object: T): T {
  const metadata = trimmedMeta(object.metadata);
  if (object.kind !== "Pod") return interned({ ...object, metadata });
  return interned({ ...object, metadata, spec: trimmedPodSpec("spec" in object ? object.spec : undefined) });
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
