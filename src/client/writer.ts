import type { MlflowServer } from "../api/server.ts";
import type { MlflowWorkspaceAccess } from "../api/workspace-access.ts";
import { ApiError, isApiError } from "../kube/api-error.ts";
import { isKind, resourcePath } from "../kube/kinds.ts";
import type { Manifest, Owned } from "../kube/manifests.ts";
import { finalizer, manager } from "../kube/names.ts";
import { type KubeObject, objectText } from "../kube/object.ts";
import type { Cluster } from "../reconcile/cluster.ts";
import { difference } from "../reconcile/difference.ts";
import type { WorkspaceCluster } from "../reconcile/workspace/workspace-cluster.ts";
import { type ApiClient, find } from "./api-client.ts";
import type { Caches } from "./caches.ts";
import { event } from "./event.ts";
import { eventLimit } from "./event-limit.ts";
import { managersOf } from "./managers-of.ts";
import { overrulings } from "./overrulings.ts";
import { type JsonPatchStep, type ManagedFields, merged, renamed, trace } from "./ownership.ts";
import { writeBudget } from "./write-budget.ts";

/** The methods of the port that call the API server, each with the calls that it makes. */
export type Writer = Pick<
  Cluster,
  "read" | "create" | "apply" | "isOverruled" | "contest" | "delete" | "hold" | "letGo" | "record" | "report" | "notify"
> &
  Pick<WorkspaceCluster, "mend" | "reportAccess">;

export interface WriterOptions {
  readonly client: ApiClient;
  readonly caches: Pick<Caches, "wrote" | "removed" | "reported" | "reportedAccess">;
  /** Name of this operator among its replicas (the pod's), for events. */
  readonly instance: string;
  /** An event could not be recorded; nothing else comes of it. */
  readonly onEventLost?: (error: unknown) => void;
  /** What was applied came out otherwise at `path`: admission changed it, and would change it again. */
  readonly onOverruled?: (object: Owned, path: string) => void;
}

const fieldManager = manager;
const applyPatch = "application/apply-patch+yaml";
const mergePatch = "application/merge-patch+json";
const jsonPatch = "application/json-patch+json";

/** Whole objects travel; the answers are given to the caches. */
export function writer({ client, caches, instance, onEventLost, onOverruled }: WriterOptions): Writer {
  const overruled = overrulings();
  const budget = writeBudget();
  const events = eventLimit();

  /** Who contests a field, by the API server's account: a call that is made only where a write had to be repeated often. */
  async function contestants(manifest: Manifest, path: string): Promise<readonly string[] | undefined> {
    if (!budget.isContested(manifest, path)) return undefined;
    const whole = await find<{ metadata: { managedFields?: ManagedFields[] } }>(client, pathOf(manifest));
    return managersOf(whole?.metadata.managedFields ?? [], path, manager);
  }

  /**
   * The whole status, whatever it had before; a merge patch would keep what is left out. It follows from the object that was read, so it
   * is a conflict if that has changed: the answer to a former write may have been lost, or another operator may have been first.
   */
  function statusPatched<T extends MlflowServer | MlflowWorkspaceAccess>(object: T, status: T["status"]): Promise<T> {
    const { uid, resourceVersion } = object.metadata;
    const steps: JsonPatchStep[] = [
      { op: "test", path: "/metadata/uid", value: uid },
      { op: "test", path: "/metadata/resourceVersion", value: resourceVersion },
      { op: "add", path: "/status", value: status },
    ];
    return sent<T>(`${pathOf(object)}/status`, steps);
  }

  /** Takes the API server's answer to what was written, and what of it was overruled. */
  function noted(manifest: Manifest, written: Owned): void {
    const path = overruled.note(manifest, written);
    if (path !== undefined) onOverruled?.(written, path);
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
      const detail = "The object has changed since it was looked at.";
      throw new ApiError(method, path, { status: 409, reason: "Conflict", detail });
    }
  }

  /** One call after a POST of ours, else none. */
  async function takeOver(live: Owned): Promise<void> {
    const seen = live.metadata.managedFields ?? [];
    switch (trace(seen, manager)) {
      case "none":
        return;
      case "one":
        await patched(live, renamed(seen, manager));
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
      // As it is: what is stored is written again from this answer.
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
      const managers = await contestants(manifest, path);
      await takeOver(live);
      const applied = await client.request<Owned>({
        method: "PATCH",
        path: pathOf(manifest),
        query: { fieldManager, force: true },
        contentType: applyPatch,
        // JSON is YAML. With the uid, what was deleted meanwhile is not created anew, and what somebody else then created
        // under its name is not taken over.
        body: { ...manifest, metadata: { ...manifest.metadata, uid: live.metadata.uid } },
      });
      noted(manifest, applied);
      budget.note(manifest, path, managers);
    },

    isOverruled: overruled.holds,

    contest: budget.contest,

    delete: async (object) => {
      overruled.forget(object);
      // A Job's name is to be free only when its pods are gone: two migrations must never run at once.
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
        // What has finalizers is returned, and stays until they are done; for the rest there is a Status.
        if ("metadata" in answer && answer.kind === object.kind && answer.metadata.deletionTimestamp)
          caches.wrote(answer, false);
        else caches.removed(object);
      } catch (error) {
        if (!isApiError(error, 404) && !isApiError(error, 409)) throw error;
        caches.removed(object);
      }
    },

    mend: async (manifest, live) => {
      const path = difference(manifest, live) ?? "";
      const { uid } = live.metadata;
      const content = manifest.kind === "RoleBinding" ? { subjects: manifest.subjects } : { data: manifest.data };
      const mended = await client.request<Owned>({
        method: "PATCH",
        path: pathOf(manifest),
        query: { fieldManager },
        contentType: mergePatch,
        body: { metadata: { uid, labels: manifest.metadata.labels }, ...content },
      });
      noted(manifest, mended);
      budget.note(manifest, path);
    },

    reportAccess: async (access, status) => caches.reportedAccess(await statusPatched(access, status)),

    hold: async (server) => {
      const { resourceVersion, finalizers } = server.metadata;
      caches.reported(
        await patched(server, [
          // Somebody else's finalizer of the same moment must not be lost.
          { op: "test", path: "/metadata/resourceVersion", value: resourceVersion },
          finalizers === undefined
            ? { op: "add", path: "/metadata/finalizers", value: [finalizer] }
            : { op: "add", path: "/metadata/finalizers/-", value: finalizer },
        ]),
      );
    },

    letGo: async (server) => {
      const path = `/metadata/finalizers/${server.metadata.finalizers?.indexOf(finalizer)}`;
      try {
        const answer = await patched(server, [
          { op: "test", path: "/metadata/uid", value: server.metadata.uid },
          { op: "test", path, value: finalizer },
          { op: "remove", path },
        ]);
        // With its last finalizer a deleted one is gone, and only the watch tells so.
        if (answer.metadata.deletionTimestamp === undefined) caches.reported(answer);
      } catch (error) {
        if (!isApiError(error, 404)) throw error;
      }
    },

    record: async (server, migration) => {
      const { uid, resourceVersion } = server.metadata;
      const steps: JsonPatchStep[] = [
        { op: "test", path: "/metadata/uid", value: uid },
        { op: "test", path: "/metadata/resourceVersion", value: resourceVersion },
        server.status === undefined
          ? { op: "add", path: "/status", value: { migration } }
          : { op: "add", path: "/status/migration", value: migration },
      ];
      caches.reported(await sent<MlflowServer>(`${pathOf(server)}/status`, steps));
    },

    report: async (server, status) => caches.reported(await statusPatched(server, status)),

    notify: async (server, notice) => {
      if (!events.allows(server.metadata.uid ?? "", notice)) return;
      try {
        const path = resourcePath("Event", server.metadata.namespace);
        await client.request({ method: "POST", path, body: event(server, notice, instance, new Date()) });
      } catch (error) {
        onEventLost?.(error);
      }
    },
  };
}

function pathOf({ kind, metadata }: KubeObject): string {
  if (!isKind(kind)) throw new Error(`${kind} is not in the table of kinds.`);
  return resourcePath(kind, metadata.namespace, metadata.name);
}

/** A step `test` of a JSON patch did not hold. The API server answers with 422 then too, and without details. */
function isOutdated(error: unknown): boolean {
  return isApiError(error, 422) && error.detail.startsWith("the server rejected our request");
}
