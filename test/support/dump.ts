import type { ObjectKind, Objects } from "./objects.ts";

/** The kinds that the operator writes. */
export const writtenKinds = [
  "ConfigMap",
  "Deployment",
  "Ingress",
  "Job",
  "NetworkPolicy",
  "PersistentVolumeClaim",
  "PodDisruptionBudget",
  "Secret",
  "Service",
  "ServiceAccount",
] as const satisfies readonly ObjectKind[];

/**
 * All objects in a namespace of the kinds that the operator writes, by `Kind/name`, as far as two runs can be alike:
 * without what the API server counts or draws for itself, and without status.
 */
export async function dump(objects: Objects): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
  for (const kind of writtenKinds) {
    for (const object of await objects.list(kind)) found[`${kind}/${object.metadata.name}`] = comparable(object);
  }
  return found;
}

const volatileMetadata = ["creationTimestamp", "generation", "managedFields", "resourceVersion", "uid"];

function comparable({ metadata, ...object }: { metadata: object }): unknown {
  const entries = Object.entries(metadata).filter(([name]) => !volatileMetadata.includes(name));
  return without({ ...object, status: undefined, metadata: Object.fromEntries(entries) });
}

/** Drawn or counted by the API server and the controllers, wherever they stand. */
const drawn = [
  "batch.kubernetes.io/controller-uid",
  "clusterIP",
  "clusterIPs",
  "controller-uid",
  "deployment.kubernetes.io/revision",
  "uid",
  "volumeName",
];

function without(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(without);
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(([name, item]) => !drawn.includes(name) && item !== undefined);
  return Object.fromEntries(kept.map(([name, item]) => [name, without(item)]));
}
