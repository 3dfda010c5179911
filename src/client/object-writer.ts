import { type ApiClient, find } from "../kube/client/api-client.ts";
import {
  type JsonPatchStep,
  type ManagedFields,
  managersOf,
  merged,
  renamed,
  updateEntries,
} from "../kube/client/managed-fields.ts";
import { rowOf } from "../kube/kinds.ts";
import type { Manifest, Owned } from "../kube/manifests.ts";
import { annotation, manager } from "../kube/names.ts";
import { keyText } from "../kube/object.ts";
import type { Cluster } from "../reconcile/cluster.ts";
import { difference } from "../reconcile/difference.ts";
import { admissionMutations } from "./admission-mutations.ts";
import type { Caches } from "./caches.ts";
import { created, deleted, pathOf } from "./object-requests.ts";
import { PatchClient } from "./patch-client.ts";
import { writeBudget } from "./write-budget.ts";

export interface ObjectWriterOptions {
  readonly client: ApiClient;
  readonly caches: Pick<Caches, "wrote" | "removed">;
  /** Called if admission changed the field at `path` of an applied object. */
  readonly onMutatedByAdmission?: (object: Owned, path: string) => void;
}

/** Writes the objects of servers and workspaces, and stores the responses in the caches. Its methods can be used without it. */
export class ObjectWriter {
  readonly #options: ObjectWriterOptions;
  readonly #patches: PatchClient;
  readonly #mutations = admissionMutations();
  readonly #budget = writeBudget();
  readonly #starting = new Set<string>();

  constructor(options: ObjectWriterOptions) {
    this.#options = options;
    this.#patches = new PatchClient(options.client);
  }

  /** Not trimmed: the caller writes the stored data back. */
  readonly read: Cluster["read"] = (object) => find<Owned>(this.#options.client, pathOf(object));

  readonly create: Cluster["create"] = async (manifest) => {
    const answer = await created<Owned>(this.#options.client, manifest);
    if (answer === undefined) return "exists";
    this.#options.caches.wrote(answer, true);
    this.#budget.note(manifest, "");
    return "created";
  };

  readonly apply: Cluster["apply"] = async (manifest, live) => {
    const path = difference(manifest, live) ?? "";
    // Apply removes fields that the manifest no longer has, for which it needs the managers of the object.
    const isApply = rowOf(manifest.kind).write !== "MergePatch";
    const managers = isApply ? await this.#conflictingManagers(manifest, path) : undefined;
    if (isApply) await this.#upgradeManagedFields(live);
    const changed = await this.#options.client.request<Owned>({
      method: "PATCH",
      path: pathOf(manifest),
      query: { fieldManager: manager, ...(isApply && { force: true }) },
      contentType: isApply ? "application/apply-patch+yaml" : "application/merge-patch+json",
      // JSON is valid YAML. The uid prevents recreating an object that was deleted meanwhile, and taking over an object that another
      // client created with the same name.
      body: { ...manifest, metadata: { ...manifest.metadata, uid: live.metadata.uid } },
    });
    const mutated = this.#mutations.note(manifest, changed);
    if (mutated !== undefined) this.#options.onMutatedByAdmission?.(changed, mutated);
    this.#options.caches.wrote(changed, false);
    this.#budget.note(manifest, path, managers);
  };

  readonly isMutatedByAdmission: Cluster["isMutatedByAdmission"] = (manifest, live) =>
    this.#mutations.isMutated(manifest, live);

  readonly repeatedConflict: Cluster["repeatedConflict"] = (manifest, path) =>
    this.#budget.repeatedConflict(manifest, path);

  readonly delete: Cluster["delete"] = async (object) => {
    const { client, caches } = this.#options;
    this.#mutations.forget(object);
    // Foreground keeps the Job until its pods are deleted: two migrations must never run at the same time.
    const terminating = await deleted(client, object, object.kind === "Job" ? "Foreground" : "Background");
    if (terminating === undefined) caches.removed(object);
    else caches.wrote(terminating, false);
  };

  readonly startingUpgrades: Cluster["startingUpgrades"] = () => this.#starting;

  readonly startUpgrade: Cluster["startUpgrade"] = async (live, marker) => {
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
    this.#starting.add(key);
    try {
      this.#options.caches.wrote(await this.#patches.patch(live, steps), false);
    } finally {
      this.#starting.delete(key);
    }
  };

  /** Returns the field managers of a field, read from the API server only after repeated writes. */
  async #conflictingManagers(manifest: Manifest, path: string): Promise<readonly string[] | undefined> {
    if (!this.#budget.isContested(manifest, path)) return undefined;
    const whole = await this.#managedFields(manifest);
    return managersOf(whole?.metadata.managedFields ?? [], path, manager);
  }

  /** Changes the operation of the operator's managed fields to `Apply` after a POST; otherwise makes no request. */
  async #upgradeManagedFields(live: Owned): Promise<void> {
    const entries = live.metadata.managedFields ?? [];
    const state = updateEntries(entries, manager);
    if (state === "one") await this.#patches.patch(live, renamed(entries, manager));
    if (state !== "many") return;
    const whole = await this.#managedFields(live);
    if (whole !== undefined) await this.#patches.patch(live, merged(whole.metadata, manager));
  }

  #managedFields(object: Manifest | Owned) {
    return find<{ metadata: { resourceVersion?: string; managedFields?: ManagedFields[] } }>(
      this.#options.client,
      pathOf(object),
    );
  }
}
