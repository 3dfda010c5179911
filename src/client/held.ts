import type { MlflowServer } from "../api/server.ts";
import type { Owned } from "../kube/manifests.ts";
import { group, label } from "../kube/names.ts";
import type { Key, KubeObject, ObjectMeta } from "../kube/object.ts";
import { isClientConfigMap, isNameOf } from "../resources/names.ts";
import { sizeOf } from "./size.ts";
import { serverKeyOf } from "./store.ts";

/** The most that is held of one object. What the operator writes has a tenth of it. */
export const largestObject = 256 * 2 ** 10;

/**
 * What the cache holds of an object that carries our label, which anyone who can edit a namespace can set: the content only
 * of what has a name that the operator gives to an object of a server that is there, and is of a plausible size. Of all
 * else it holds whose it is: that is enough to leave it alone.
 */
export function held<T extends Owned>(object: T, isServer: (key: Key) => boolean): T {
  // What is granted in workspaces is known by other names, and kept as it arrives.
  if (object.kind === "RoleBinding") return object;
  if (!isExpected(object, isServer)) return brief(object, "unexpected");
  return sizeOf(object, largestObject) > largestObject ? brief(object, "oversized") : object;
}

/** Whether an object has a name that the operator gives to one of a server that is there. */
export function isExpected(object: Owned, isServer: (key: Key) => boolean): boolean {
  if (isClientConfigMap(object)) return true;
  const key = serverKeyOf(object);
  return key !== undefined && isServer(key) && isNameOf(object, key);
}

/** A server whose spec is too large is known, and not processed. */
export function heldServer(server: MlflowServer): MlflowServer {
  if (sizeOf(server, largestObject) <= largestObject) return server;
  const { version } = server.spec;
  const spec = { version, replicas: 0, backendStore: {}, artifactStore: {}, authentication: {} };
  const { addresses, conditions } = server.status ?? {};
  const status = { ...(addresses && { addresses }), ...(conditions && { conditions }) };
  const isSmall = sizeOf(status, largestObject) <= largestObject;
  return { ...brief(server, "oversized"), spec, ...(isSmall && { status }) };
}

/** The most owner references and field managers of an object that matter. */
const mostReferences = 8;

function brief<T extends KubeObject>(object: T, omitted: "unexpected" | "oversized"): T {
  const { name, namespace, uid, resourceVersion, generation, creationTimestamp, deletionTimestamp } = object.metadata;
  const { labels, ownerReferences, finalizers, managedFields = [] } = object.metadata;
  const metadata: ObjectMeta = {
    name,
    ...(namespace !== undefined && { namespace }),
    ...(uid !== undefined && { uid }),
    ...(resourceVersion !== undefined && { resourceVersion }),
    ...(generation !== undefined && { generation }),
    ...(creationTimestamp !== undefined && { creationTimestamp }),
    ...(deletionTimestamp !== undefined && { deletionTimestamp }),
    ...(labels !== undefined && { labels: ownLabels(labels) }),
    ...(ownerReferences !== undefined && { ownerReferences: controllers(ownerReferences) }),
    ...(managedFields.length > 0 && managedFields.length <= mostReferences && { managedFields }),
    ...(finalizers !== undefined && { finalizers: finalizers.filter((each) => each.startsWith(group)) }),
  };
  // Readers of other kinds look into a spec without asking whether there is one.
  const content = "spec" in object ? { spec: {} } : {};
  const copy: T = { ...object };
  for (const field of Object.keys(copy)) if (!identity.has(field)) Reflect.deleteProperty(copy, field);
  return Object.assign(copy, { metadata, omitted, ...content });
}

const identity: ReadonlySet<string> = new Set(["apiVersion", "kind", "metadata"]);

/** Those by which it is known whose an object is. */
function ownLabels(labels: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.values(label).flatMap((key) => (labels[key] === undefined ? [] : [[key, labels[key]]])),
  );
}

function controllers<T extends { controller?: boolean }>(references: readonly T[]): T[] {
  const first = references.slice(0, mostReferences);
  const controller = references.find((each) => each.controller === true);
  return controller === undefined || first.includes(controller) ? first : [controller, ...first];
}
