import type { CustomResource } from "../api/custom-resource.ts";
import type { MlflowServer } from "../api/server.ts";
import { type ApiClient, find } from "../kube/client/api-client.ts";
import {
  type JsonPatchStep,
  type ManagedFields,
  managersOf,
  merged,
  renamed,
  updateEntries,
} from "../kube/client/managed-fields.ts";
import { ApiError, isApiError } from "../kube/errors.ts";
import { isKind, resourcePath, rowOf } from "../kube/kinds.ts";
import type { Manifest, Owned } from "../kube/manifests.ts";
import { annotation, finalizer, manager } from "../kube/names.ts";
import { type KubeObject, keyText, objectText } from "../kube/object.ts";
import type { Cluster } from "../reconcile/cluster.ts";
import { difference } from "../reconcile/difference.ts";
import type { WorkspaceCluster } from "../reconcile/workspace/workspace-cluster.ts";
import { admissionMutations } from "./admission-mutations.ts";
import type { Caches } from "./caches.ts";
import { event } from "./event.ts";
import { eventLimit } from "./event-limit.ts";
import { writeBudget } from "./write-budget.ts";

/** The methods of `Cluster` and `WorkspaceCluster` that write to the API server. */
export type Writer = Pick<
  Cluster,
  | "read"
  | "create"
  | "apply"
  | "isMutatedByAdmission"
  | "repeatedConflict"
  | "delete"
  | "startingUpgrades"
  | "startUpgrade"
  | "addFinalizer"
  | "removeFinalizer"
  | "record"
  | "report"
  | "reportBackup"
  | "recordEvent"
> &
  Pick<WorkspaceCluster, "reportAccess">;

export interface WriterOptions {
  readonly client: ApiClient;
  readonly caches: Pick<Caches, "wrote" | "removed" | "reported" | "reportedAccess" | "reportedBackup">;
  /** Name of the operator's pod, for Events. */
  readonly instance: string;
  /** Called if an Event could not be created, which has no other effect. */
  readonly onEventWriteError?: (error: unknown) => void;
  /** Called if admission changed the field at `path` of an applied object. */
  readonly onMutatedByAdmission?: (object: Owned, path: string) => void;
}

const fieldManager = manager;
const applyPatch = "application/apply-patch+yaml";
const mergePatch = "application/merge-patch+json";
const jsonPatch = "application/json-patch+json";

/** Returns a writer that stores the responses in the caches. */
export function writer({ client, caches, instance, onEventWriteError, onMutatedByAdmission }: WriterOptions): Writer {
  const mutations = admissionMutations();
  const budget = writeBudget();
  const events = eventLimit();
  const starting = new Set<string>();
  /** The resource versions of servers after the conditional writes of a reconciliation, by the object that it has read. */
  const written = new WeakMap<KubeObject, string | undefined>();

  const versionOf = (object: KubeObject) =>
    written.has(object) ? written.get(object) : object.metadata.resourceVersion;

  function noteVersion(object: MlflowServer, answer: MlflowServer): void {
    written.set(object, answer.metadata.resourceVersion);
    caches.reported(answer);
  }

  /** Returns the field managers of a field, read from the API server only after repeated writes. */
  async function conflictingManagers(manifest: Manifest, path: string): Promise<readonly string[] | undefined> {
    if (!budget.isContested(manifest, path)) return undefined;
    const whole = await find<{ metadata: { managedFields?: ManagedFields[] } }>(client, pathOf(manifest));
    return managersOf(whole?.metadata.managedFields ?? [], path, manager);
  }

  /**
   * Replaces the whole status; a merge patch would keep omitted fields. Fails with a conflict if the object has changed since it was
   * read: the response to an earlier write may have been lost, or another operator may have written.
   */
  function statusPatched<T extends CustomResource>(object: T, status: T["status"]): Promise<T> {
    const { uid } = object.metadata;
    const steps: JsonPatchStep[] = [
      { op: "test", path: "/metadata/uid", value: uid },
      { op: "test", path: "/metadata/resourceVersion", value: versionOf(object) },
      { op: "add", path: "/status", value: status },
    ];
    return sent<T>(`${pathOf(object)}/status`, steps);
  }

  /** Stores the response to a write, and records changes by admission. */
  function noted(manifest: Manifest, written: Owned): void {
    const path = mutations.note(manifest, written);
    if (path !== undefined) onMutatedByAdmission?.(written, path);
    caches.wrote(written, false);
  }

  function patched<T extends Owned | MlflowServer>(object: T, steps: readonly JsonPatchStep[]): Promise<T> {
    return sent<T>(pathOf(object), steps);
  }

  async function sent<T>(path: string, steps: readonly JsonPatchStep[]): Promise<T> {
    const method = "PATCH";
    try {
      return await client.request<T>({ method, path, query: { fieldManager }, contentType: jsonPatch, body: steps });
    } catch (error) {
      if (!isOutdated(error)) throw error;
      const detail = "The object has changed since it was read.";
      throw new ApiError(method, path, { status: 409, reason: "Conflict", detail });
    }
  }

  /** Changes the operation of the operator's managed fields to `Apply` after a POST; otherwise makes no request. */
  async function upgradeManagedFields(live: Owned): Promise<void> {
    const entries = live.metadata.managedFields ?? [];
    switch (updateEntries(entries, manager)) {
      case "none":
        return;
      case "one":
        await patched(live, renamed(entries, manager));
        return;
      case "many": {
        const whole = await find<{ metadata: { resourceVersion?: string; managedFields?: ManagedFields[] } }>(
          client,
          pathOf(live),
        );
        if (whole !== undefined) await patched(live, merged(whole.metadata, manager));
      }
    }
  }

  return {
    read: async (object) => {
      const { kind, metadata } = object;
      if (!isKind(kind))
        throw new Error(`${objectText(object)} cannot be read: its kind is not in the table of kinds.`);
      const found = await find<Owned>(client, resourcePath(kind, metadata.namespace, metadata.name));
      // Not trimmed: the caller writes the stored data back.
      return found;
    },

    create: async (manifest) => {
      const { kind, metadata } = manifest;
      const path = resourcePath(kind, metadata.namespace);
      try {
        const created = await client.request<Owned>({ method: "POST", path, query: { fieldManager }, body: manifest });
        caches.wrote(created, true);
        budget.note(manifest, "");
        return "created";
      } catch (error) {
        if (error instanceof ApiError && error.reason === "AlreadyExists") return "exists";
        throw error;
      }
    },

    apply: async (manifest, live) => {
      const path = difference(manifest, live) ?? "";
      // Apply removes fields that the manifest no longer has, for which it needs the managers of the object.
      const isApply = rowOf(manifest.kind).write !== "MergePatch";
      const managers = isApply ? await conflictingManagers(manifest, path) : undefined;
      if (isApply) await upgradeManagedFields(live);
      const changed = await client.request<Owned>({
        method: "PATCH",
        path: pathOf(manifest),
        query: { fieldManager, ...(isApply && { force: true }) },
        contentType: isApply ? applyPatch : mergePatch,
        // JSON is valid YAML. The uid prevents recreating an object that was deleted meanwhile, and taking over an object that another
        // client created with the same name.
        body: { ...manifest, metadata: { ...manifest.metadata, uid: live.metadata.uid } },
      });
      noted(manifest, changed);
      budget.note(manifest, path, managers);
    },

    isMutatedByAdmission: mutations.isMutated,

    repeatedConflict: budget.repeatedConflict,

    delete: async (object) => {
      mutations.forget(object);
      // Foreground keeps the Job until its pods are deleted: two migrations must never run at the same time.
      const propagationPolicy = object.kind === "Job" ? "Foreground" : "Background";
      const body = {
        apiVersion: "v1",
        kind: "DeleteOptions",
        propagationPolicy,
        preconditions: { uid: object.metadata.uid },
      };
      try {
        const answer = await client.request<Owned | { kind: "Status" }>({
          method: "DELETE",
          path: pathOf(object),
          body,
        });
        // An object with finalizers is returned and exists until they are removed. Otherwise the response is a Status.
        if ("metadata" in answer && answer.kind === object.kind && answer.metadata.deletionTimestamp)
          caches.wrote(answer, false);
        else caches.removed(object);
      } catch (error) {
        if (!isApiError(error, 404) && !isApiError(error, 409)) throw error;
        caches.removed(object);
      }
    },

    reportAccess: async (access, status) => caches.reportedAccess(await statusPatched(access, status)),

    reportBackup: async (backup, status) => caches.reportedBackup(await statusPatched(backup, status)),

    startingUpgrades: () => starting,

    startUpgrade: async (live, marker) => {
      const { namespace = "default", name, resourceVersion, annotations } = live.metadata;
      const key = keyText({ namespace, name });
      const path = `/metadata/annotations/${annotation.upgrade.replaceAll("/", "~1")}`;
      const steps: JsonPatchStep[] = [
        // It was decided from this version: another one may have been changed by a user.
        { op: "test", path: "/metadata/resourceVersion", value: resourceVersion },
        annotations === undefined
          ? { op: "add", path: "/metadata/annotations", value: { [annotation.upgrade]: marker } }
          : { op: "add", path, value: marker },
      ];
      starting.add(key);
      try {
        caches.wrote(await patched(live, steps), false);
      } finally {
        starting.delete(key);
      }
    },

    addFinalizer: async (server) => {
      const { finalizers } = server.metadata;
      noteVersion(
        server,
        await patched(server, [
          // A finalizer that another client adds concurrently must not be lost.
          { op: "test", path: "/metadata/resourceVersion", value: versionOf(server) },
          finalizers === undefined
            ? { op: "add", path: "/metadata/finalizers", value: [finalizer] }
            : { op: "add", path: "/metadata/finalizers/-", value: finalizer },
        ]),
      );
    },

    removeFinalizer: async (server) => {
      const path = `/metadata/finalizers/${server.metadata.finalizers?.indexOf(finalizer)}`;
      try {
        const answer = await patched(server, [
          { op: "test", path: "/metadata/uid", value: server.metadata.uid },
          { op: "test", path, value: finalizer },
          { op: "remove", path },
        ]);
        // A terminating object without finalizers is deleted; the watch delivers the event.
        if (answer.metadata.deletionTimestamp === undefined) caches.reported(answer);
      } catch (error) {
        if (!isApiError(error, 404)) throw error;
      }
    },

    record: async (server, migration, conditions) => {
      const { uid } = server.metadata;
      const steps: JsonPatchStep[] = [
        { op: "test", path: "/metadata/uid", value: uid },
        { op: "test", path: "/metadata/resourceVersion", value: versionOf(server) },
        server.status === undefined
          ? { op: "add", path: "/status", value: { migration } }
          : { op: "add", path: "/status/migration", value: migration },
        ...(conditions === undefined ? [] : [{ op: "add", path: "/status/conditions", value: conditions } as const]),
      ];
      noteVersion(server, await sent<MlflowServer>(`${pathOf(server)}/status`, steps));
    },

    report: async (server, status) => caches.reported(await statusPatched(server, status)),

    recordEvent: async (server, reported) => {
      if (!events.allows(server.metadata.uid ?? "", reported)) return;
      try {
        const path = resourcePath("Event", server.metadata.namespace);
        await client.request({ method: "POST", path, body: event(server, reported, instance, new Date()) });
      } catch (error) {
        onEventWriteError?.(error);
      }
    },
  };
}

function pathOf({ kind, metadata }: KubeObject): string {
  if (!isKind(kind)) throw new Error(`${kind} is not in the table of kinds.`);
  return resourcePath(kind, metadata.namespace, metadata.name);
}

/** Whether a `test` operation of the JSON patch failed. The API server returns 422 without details. */
function isOutdated(error: unknown): boolean {
  return isApiError(error, 422) && error.detail.startsWith("the server rejected our request");
}
