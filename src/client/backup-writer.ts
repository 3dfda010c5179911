import type { MlflowBackup } from "../api/backup.ts";
import type { ApiClient } from "../kube/client/api-client.ts";
import type { Cluster } from "../reconcile/cluster.ts";
import type { Caches } from "./caches.ts";
import { created, deleted } from "./object-requests.ts";

/** Creates and deletes MlflowBackups, and stores the responses in the caches. Its methods can be used without it. */
export class BackupWriter {
  readonly #client: ApiClient;
  readonly #caches: Pick<Caches, "reportedBackup" | "removedBackup">;

  constructor(client: ApiClient, caches: Pick<Caches, "reportedBackup" | "removedBackup">) {
    this.#client = client;
    this.#caches = caches;
  }

  readonly createBackup: Cluster["createBackup"] = async (backup) => {
    const answer = await created<MlflowBackup>(this.#client, backup);
    if (answer === undefined) return "exists";
    this.#caches.reportedBackup(answer, true);
    return "created";
  };

  readonly deleteBackup: Cluster["deleteBackup"] = async (backup) => {
    const terminating = await deleted(this.#client, backup, "Background");
    if (terminating === undefined) this.#caches.removedBackup(backup);
    else this.#caches.reportedBackup(terminating, false);
  };
}
