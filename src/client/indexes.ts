import { isKind, rowOf } from "../kube/kinds.ts";
import { label } from "../kube/names.ts";
import { type Key, type KubeObject, keyText } from "../kube/object.ts";

/** The entry of the index for the objects with the labels of a server. */
export function serverEntry(server: Key): string {
  return keyText(server);
}

/** The entry of the index for the objects in a namespace. */
export function namespaceEntry(namespace: string): string {
  return keyText({ namespace, name: "" });
}

/** Indexes an object by the server in its labels. */
export function byServer(object: KubeObject): string[] {
  const key = serverKeyOf(object);
  return key === undefined ? [] : [serverEntry(key)];
}

/** Indexes an object by its namespace. */
export function byNamespace({ metadata }: KubeObject): string[] {
  return [namespaceEntry(metadata.namespace ?? "")];
}

/** Returns the server in the labels of an object: in its own namespace, unless the kind can belong to a server of another namespace. */
export function serverKeyOf({ kind, metadata }: KubeObject): Key | undefined {
  const name = metadata.labels?.[label.server] ?? metadata.labels?.[label.waypoint];
  if (name === undefined) return undefined;
  const far =
    isKind(kind) && rowOf(kind).isCrossNamespace === true ? metadata.labels?.[label.serverNamespace] : undefined;
  return { namespace: far ?? metadata.namespace ?? "", name };
}
