import type { MlflowBackup } from "../api/backup.ts";
import type { ApiClient } from "../kube/client/api-client.ts";
import { ApiError, isApiError } from "../kube/errors.ts";
import { resourcePath } from "../kube/kinds.ts";
import { manager } from "../kube/names.ts";
import type { Cluster } from "../reconcile/cluster.ts";
import type { Caches } from "./caches.ts";
import { pathOf } from "./patch-client.ts";

/** Creates and deletes MlflowBackups, and stores the responses in the caches. Its methods can be used without it. */
export class BackupWriter {
  readonly #client: ApiClient;
  readonly #caches: Pick<Caches, "reportedBackup" | "removedBackup">;

  constructor(client: ApiClient, caches: Pick<Caches, "reportedBackup" | "removedBackup">) {
    this.#client = client;
    this.#caches = caches;
  }

  readonly createBackup: Cluster["createBackup"] = async (backup) => {
    const path = resourcePath("MlflowBackup", backup.metadata.namespace);
    const query = { fieldManager: manager };
    try {
      const created = await this.#client.request<MlflowBackup>({ method: "POST", path, query, body: backup });
      this.#caches.reportedBackup(created, true);
      return "created";
    } catch (error) {
      if (error instanceof ApiError && error.reason === "AlreadyExists") return "exists";
      throw error;
    }
  };

  readonly deleteBackup: Cluster["deleteBackup"] = async (backup) => {
    const preconditions = { uid: backup.metadata.uid };
    const body = { apiVersion: "v1", kind: "DeleteOptions", propagationPolicy: "Background", preconditions };
    try {
      await this.#client.request({ method: "DELETE", path: pathOf(backup), body });
    } catch (error) {
      if (!isApiError(error, 404) && !isApiError(error, 409)) throw error;
    }
    this.#caches.removedBackup(backup);
  };
}
