/** The shapes of Kubernetes objects as they travel: JSON, timestamps as RFC 3339 strings. */

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

/** What the cache keeps of an entry of `metadata.managedFields`: who wrote and how, not which fields. */
export interface FieldManager {
  manager?: string;
  operation?: string;
  subresource?: string;
}

export interface ObjectMeta {
  name: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
  finalizers?: string[];
  managedFields?: FieldManager[];
}

/** Any Kubernetes object, wanted (a manifest) or read. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  /**
   * Only in the cache: the content was left out, since the object has a name that the operator does not expect, or is too
   * large. The API server knows no such field, and the operator never writes it.
   */
  omitted?: "unexpected" | "oversized";
}

/** Namespace and name of an MlflowServer: all that the work queue carries. */
export interface Key {
  readonly namespace: string;
  readonly name: string;
}

/** `namespace/name`, as in log lines and messages; also the queue's identity of a key. */
export function keyText(key: Key): string {
  return `${key.namespace}/${key.name}`;
}

/** The inverse of {@link keyText}. Namespaces and names contain no slash. */
export function keyOf(text: string): Key {
  const slash = text.indexOf("/");
  return { namespace: text.slice(0, slash), name: text.slice(slash + 1) };
}

/** `Kind/name`, as people write it in messages and kubectl accepts it. */
export function objectText(object: KubeObject): string {
  return `${object.kind}/${object.metadata.name}`;
}

/** Whether `owner` is the controller that `object` belongs to, by uid: a name alone proves nothing. */
export function isControlledBy(object: KubeObject, owner: { metadata: { uid?: string } }): boolean {
  return (object.metadata.ownerReferences ?? []).some(
    (reference) => reference.controller === true && reference.uid === owner.metadata.uid,
  );
}
