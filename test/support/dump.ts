import type { ObjectKind, Objects } from "./objects.ts";

/** The kinds that the operator writes. */
export const writtenKinds = [
  "ConfigMap",
  "CronJob",
  "Deployment",
  "HorizontalPodAutoscaler",
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
 * Returns all objects in a namespace of the kinds that the operator writes, by `Kind/name`, without status and
 * without values that the API server generates, so that two runs can be compared.
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

/** Fields with values that the API server and controllers generate. */
const generatedFields = [
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
  const kept = Object.entries(value).filter(([name, item]) => !generatedFields.includes(name) && item !== undefined);
  return Object.fromEntries(kept.map(([name, item]) => [name, without(item)]));
}
