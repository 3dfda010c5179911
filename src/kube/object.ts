/** Types of Kubernetes objects in JSON, with timestamps as RFC 3339 strings. */

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

/** The part of an entry of `metadata.managedFields` that the cache keeps: the manager and the operation, not the fields. */
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

/** The metadata of an object in a namespace, as the API server returns it. */
export interface NamespacedMeta extends ObjectMeta {
  namespace: string;
}

/** Any Kubernetes object, desired (a manifest) or observed. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  /**
   * Only in the cache: the content was left out, since the operator does not expect the name of the object, or it is too
   * large. The API has no such field, and the operator never writes it.
   */
  omitted?: "unexpected" | "oversized";
}

/** Namespace and name of an MlflowServer: the items of the work queue. */
export interface Key {
  readonly namespace: string;
  readonly name: string;
}

/** `namespace/name`, for log lines and messages, and as the key of the work queue. */
export function keyText(key: Key): string {
  return `${key.namespace}/${key.name}`;
}

/** The inverse of {@link keyText}. Namespaces and names contain no slash. */
export function keyOf(text: string): Key {
  const slash = text.indexOf("/");
  return { namespace: text.slice(0, slash), name: text.slice(slash + 1) };
}

/** `Kind/name`, for messages, in a form that kubectl accepts. */
export function objectText(object: KubeObject): string {
  return `${object.kind}/${object.metadata.name}`;
}

/** Whether `owner` is the controller of `object`, compared by uid, since names are reused. */
export function isControlledBy(object: KubeObject, owner: { metadata: { uid?: string } }): boolean {
  return (object.metadata.ownerReferences ?? []).some(
    (reference) => reference.controller === true && reference.uid === owner.metadata.uid,
  );
}
