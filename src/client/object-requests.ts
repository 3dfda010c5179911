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
 * Deletes an object with this uid. Returns the object if it continues to exist until its finalizers are removed, and undefined if it is gone,
 * also because another object has its name meanwhile.
 */
export async function deleted<T extends KubeObject>(
  client: ApiClient,
  object: T,
  propagationPolicy: "Foreground" | "Background",
): Promise<T | undefined> {
  const preconditions = { uid: object.metadata.uid };
  const body = { apiVersion: "v1", kind: "DeleteOptions", propagationPolicy, preconditions };
  try {
    const answer = await client.request<T | Status>({ method: "DELETE", path: pathOf(object), body });
    return isStatus(answer) || answer.metadata.deletionTimestamp === undefined ? undefined : answer;
  } catch (error) {
    if (isApiError(error, 404) || isOtherObject(error)) return undefined;
    throw error;
  }
}

/** The response to the deletion of an object without finalizers. */
interface Status {
  readonly kind: "Status";
}

function isStatus(answer: KubeObject | Status): answer is Status {
  return answer.kind === "Status";
}

/** Whether the object with the name has another uid. A conflict for another reason does not show that the object is gone. */
function isOtherObject(error: unknown): boolean {
  return isApiError(error, 409) && /UID in (the )?precondition/.test(error.detail);
}
