import type { ApiClient } from "../kube/client/api-client.ts";
import { ApiError, isApiError } from "../kube/errors.ts";
import { isKind, resourcePath } from "../kube/kinds.ts";
import { manager } from "../kube/names.ts";
import type { KubeObject } from "../kube/object.ts";

/** The path of an object. Throws for a kind that is not in the table of kinds. */
export function pathOf({ kind, metadata }: KubeObject): string {
  return collectionOf({ kind, metadata }, metadata.name);
}

function collectionOf({ kind, metadata }: Pick<KubeObject, "kind" | "metadata">, name?: string): string {
  if (!isKind(kind)) throw new Error(`${kind} is not in the table of kinds.`);
  return resourcePath(kind, metadata.namespace, name);
}

/** Creates an object and returns it; undefined if one with its name exists. */
export async function created<T extends KubeObject>(client: ApiClient, manifest: KubeObject): Promise<T | undefined> {
  const query = { fieldManager: manager };
  try {
    return await client.request<T>({ method: "POST", path: collectionOf(manifest), query, body: manifest });
  } catch (error) {
    if (error instanceof ApiError && error.reason === "AlreadyExists") return undefined;
    throw error;
  }
}

/**
 * Deletes an object with this uid, unless it is gone. Returns the response: the object if it has finalizers, and otherwise a Status; undefined if
 * there is no such object.
 */
export async function deleted<T extends KubeObject>(
  client: ApiClient,
  object: T,
  propagationPolicy: "Foreground" | "Background",
): Promise<T | { readonly kind: "Status" } | undefined> {
  const preconditions = { uid: object.metadata.uid };
  const body = { apiVersion: "v1", kind: "DeleteOptions", propagationPolicy, preconditions };
  try {
    return await client.request<T | { kind: "Status" }>({ method: "DELETE", path: pathOf(object), body });
  } catch (error) {
    if (!isApiError(error, 404) && !isApiError(error, 409)) throw error;
    return undefined;
  }
}
