import type { CustomResource } from "../api/definitions.ts";
import type { MlflowServer } from "../api/server.ts";
import type { ApiClient } from "../kube/client/api-client.ts";
import type { JsonPatchStep } from "../kube/client/managed-fields.ts";
import { isApiError } from "../kube/errors.ts";
import { resourcePath } from "../kube/kinds.ts";
import { finalizer } from "../kube/names.ts";
import type { KubeObject } from "../kube/object.ts";
import type { Cluster } from "../reconcile/cluster.ts";
import type { WorkspaceCluster } from "../reconcile/workspace/workspace-cluster.ts";
import type { Caches } from "./caches.ts";
import { event } from "./event.ts";
import { eventLimit } from "./event-limit.ts";
import { PatchClient } from "./patch-client.ts";

export interface ReportWriterOptions {
  readonly client: ApiClient;
  readonly caches: Pick<Caches, "reported" | "reportedAccess" | "reportedBackup" | "reportedBackupSchedule">;
  /** Name of the operator's pod, for Events. */
  readonly instance: string;
  /** Called if an Event could not be created, which has no other effect. */
  readonly onEventWriteError?: (error: unknown) => void;
}

/**
 * Writes the status and the finalizer of custom resources, and Events. It stores the responses in the caches. A write fails with a conflict if
 * the object has changed since it was read: the response to an earlier write may have been lost, or another operator may have written. Its
 * methods can be used without it.
 */
export class ReportWriter {
  readonly #options: ReportWriterOptions;
  readonly #patches: PatchClient;
  readonly #events = eventLimit();
  /** The resource versions of servers after the writes of a reconciliation, by the object that it has read. */
  readonly #written = new WeakMap<KubeObject, string | undefined>();

  constructor(options: ReportWriterOptions) {
    this.#options = options;
    this.#patches = new PatchClient(options.client);
  }

  readonly report: Cluster["report"] = async (server, status) =>
    this.#options.caches.reported(await this.#replaceStatus(server, status));

  readonly reportAccess: WorkspaceCluster["reportAccess"] = async (access, status) =>
    this.#options.caches.reportedAccess(await this.#replaceStatus(access, status));

  readonly reportBackup: Cluster["reportBackup"] = async (backup, status) =>
    this.#options.caches.reportedBackup(await this.#replaceStatus(backup, status), false);

  readonly reportBackupSchedule: Cluster["reportBackupSchedule"] = async (schedule, status) =>
    this.#options.caches.reportedBackupSchedule(await this.#replaceStatus(schedule, status));

  readonly record: Cluster["record"] = async (server, migration, conditions) => {
    const steps: JsonPatchStep[] = [
      ...this.#unchanged(server),
      server.status === undefined
        ? { op: "add", path: "/status", value: { migration } }
        : { op: "add", path: "/status/migration", value: migration },
      ...(conditions === undefined ? [] : [{ op: "add", path: "/status/conditions", value: conditions } as const]),
    ];
    this.#noteVersion(server, await this.#patches.patchStatus(server, steps));
  };

  readonly addFinalizer: Cluster["addFinalizer"] = async (server) => {
    const steps: JsonPatchStep[] = [
      // A finalizer that another client adds concurrently must not be lost.
      { op: "test", path: "/metadata/resourceVersion", value: this.#versionOf(server) },
      server.metadata.finalizers === undefined
        ? { op: "add", path: "/metadata/finalizers", value: [finalizer] }
        : { op: "add", path: "/metadata/finalizers/-", value: finalizer },
    ];
    this.#noteVersion(server, await this.#patches.patch(server, steps));
  };

  readonly removeFinalizer: Cluster["removeFinalizer"] = async (server) => {
    const path = `/metadata/finalizers/${server.metadata.finalizers?.indexOf(finalizer)}`;
    const steps: JsonPatchStep[] = [
      { op: "test", path: "/metadata/uid", value: server.metadata.uid },
      { op: "test", path, value: finalizer },
      { op: "remove", path },
    ];
    try {
      const answer = await this.#patches.patch(server, steps);
      const { deletionTimestamp, finalizers = [] } = answer.metadata;
      // A terminating object without finalizers is deleted; the watch delivers the event.
      if (deletionTimestamp === undefined || finalizers.length > 0) this.#options.caches.reported(answer);
    } catch (error) {
      if (!isApiError(error, 404)) throw error;
    }
  };

  readonly recordEvent: Cluster["recordEvent"] = async (object, reported) => {
    const { client, instance, onEventWriteError } = this.#options;
    if (!this.#events.allows(object.metadata.uid ?? "", reported)) return;
    try {
      const path = resourcePath("Event", object.metadata.namespace);
      await client.request({ method: "POST", path, body: event(object, reported, instance, new Date()) });
    } catch (error) {
      onEventWriteError?.(error);
    }
  };

  /** Replaces the whole status; a merge patch would keep omitted fields. */
  #replaceStatus<T extends CustomResource>(object: T, status: T["status"]): Promise<T> {
    return this.#patches.patchStatus(object, [
      ...this.#unchanged(object),
      { op: "add", path: "/status", value: status },
    ]);
  }

  #unchanged(object: KubeObject): JsonPatchStep[] {
    return [
      { op: "test", path: "/metadata/uid", value: object.metadata.uid },
      { op: "test", path: "/metadata/resourceVersion", value: this.#versionOf(object) },
    ];
  }

  #versionOf(object: KubeObject): string | undefined {
    return this.#written.has(object) ? this.#written.get(object) : object.metadata.resourceVersion;
  }

  #noteVersion(object: MlflowServer, answer: MlflowServer): void {
    this.#written.set(object, answer.metadata.resourceVersion);
    this.#options.caches.reported(answer);
  }
}
