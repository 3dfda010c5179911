import type { MlflowServer } from "../api/server.ts";
import type { Owned } from "../kube/manifests.ts";
import { group, label } from "../kube/names.ts";
import type { Key, KubeObject, ObjectMeta } from "../kube/object.ts";
import { isClientConfigMap, isNameOf } from "../model/names.ts";
import { serverKeyOf } from "./indexes.ts";
import { identityMeta, sizeOf } from "./trimmed.ts";

/** Size limit of a cached object. The largest object of the operator, the Deployment with its programs, has less than a third of it. */
export const largestObject = 256 * 2 ** 10;

/**
 * Returns what the cache keeps of an object with the label of the operator, which anyone with edit permission in a namespace can set. The
 * content is kept only if the object has the name of an object of an existing server and is not too large. Of other
 * objects only the owner is kept, so that the operator does not change them.
 */
export function cachedObject<T extends Owned>(object: T, isServer: (key: Key) => boolean): T {
  // RoleBindings in workspaces have other names, and are kept unchanged.
  if (object.kind === "RoleBinding") return object;
  if (!isExpected(object, isServer)) return brief(object, "unexpected");
  return sizeOf(object, largestObject) > largestObject ? brief(object, "oversized") : object;
}

/** Whether an object has the name of an object of an existing server. */
export function isExpected(object: Owned, isServer: (key: Key) => boolean): boolean {
  if (isClientConfigMap(object)) return true;
  const key = serverKeyOf(object);
  return key !== undefined && isServer(key) && isNameOf(object, key);
}

/** Returns the server, without its spec if it is too large. Such a server is known but not reconciled. */
export function cachedServer(server: MlflowServer): MlflowServer {
  if (sizeOf(server, largestObject) <= largestObject) return server;
  const { version } = server.spec;
  const spec = { version, replicas: 0, backendStore: {}, artifactStore: {}, authentication: {} };
  const { addresses, conditions } = server.status ?? {};
  const status = { ...(addresses && { addresses }), ...(conditions && { conditions }) };
  const isSmall = sizeOf(status, largestObject) <= largestObject;
  return { ...brief(server, "oversized"), spec, ...(isSmall && { status }) };
}

/** Number of owner references and field managers that are kept. */
const mostReferences = 8;

function brief<T extends KubeObject>(object: T, omitted: "unexpected" | "oversized"): T {
  const { labels, ownerReferences, finalizers, managedFields = [] } = object.metadata;
  const metadata: ObjectMeta = {
    ...identityMeta(object.metadata),
    ...(labels !== undefined && { labels: ownLabels(labels) }),
    ...(ownerReferences !== undefined && { ownerReferences: controllers(ownerReferences) }),
    ...(managedFields.length > 0 && managedFields.length <= mostReferences && { managedFields }),
    ...(finalizers !== undefined && { finalizers: finalizers.filter((each) => each.startsWith(group)) }),
  };
  // Readers of other kinds expect a spec.
  const content = "spec" in object ? { spec: {} } : {};
  const copy: T = { ...object };
  for (const field of Object.keys(copy)) if (!identity.has(field)) Reflect.deleteProperty(copy, field);
  return Object.assign(copy, { metadata, omitted, ...content });
}

const identity: ReadonlySet<string> = new Set(["apiVersion", "kind", "metadata"]);

/** The labels that identify the owner of an object. */
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
