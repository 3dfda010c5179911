import type { ApiClient } from "../kube/client/api-client.ts";
import type { JsonPatchStep } from "../kube/client/managed-fields.ts";
import { ApiError, isApiError } from "../kube/errors.ts";
import { manager } from "../kube/names.ts";
import type { KubeObject } from "../kube/object.ts";
import { pathOf } from "./object-requests.ts";

/** Changes objects by JSON patches, which can test what they are based on. */
export class PatchClient {
  readonly #client: ApiClient;

  constructor(client: ApiClient) {
    this.#client = client;
  }

  /** Returns the changed object. Throws a conflict (409) if a `test` step fails. */
  patch<T extends KubeObject>(object: T, steps: readonly JsonPatchStep[]): Promise<T> {
    return this.#send<T>(pathOf(object), steps);
  }

  /** As {@link patch}, for the status. */
  patchStatus<T extends KubeObject>(object: T, steps: readonly JsonPatchStep[]): Promise<T> {
    return this.#send<T>(`${pathOf(object)}/status`, steps);
  }

  async #send<T>(path: string, body: readonly JsonPatchStep[]): Promise<T> {
    const method = "PATCH";
    const contentType = "application/json-patch+json";
    try {
      return await this.#client.request<T>({ method, path, query: { fieldManager: manager }, contentType, body });
    } catch (error) {
      if (!isOutdated(error)) throw error;
      const detail = "The object has changed since it was read.";
      throw new ApiError(method, path, { status: 409, reason: "Conflict", detail });
    }
  }
}

/** Whether a `test` operation of the JSON patch failed. The API server returns 422 without details. */
function isOutdated(error: unknown): boolean {
  return isApiError(error, 422) && error.detail.startsWith("the server rejected our request");
}
