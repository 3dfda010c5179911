import { quantityOf } from "../api/quantity.ts";
import type { Manifest, Owned } from "../kube/manifests.ts";
import type { Cluster } from "./cluster.ts";
import { difference, mustBeReplaced } from "./difference.ts";
import type { Ownership } from "./ownership.ts";

/** One write of an object. */
export type ObjectStep<M extends Manifest = Manifest, L extends Owned = Owned> =
  | { readonly do: "create"; readonly manifest: M }
  | { readonly do: "apply"; readonly manifest: M; readonly live: L }
  | { readonly do: "delete"; readonly live: L };

/** The objects in the cache with which desired ones are compared, and which of them the operator can change. */
export interface LiveObjects<L extends Owned = Owned> {
  readonly live: readonly L[];
  readonly ownershipOf: (object: L) => Ownership;
  readonly isMutatedByAdmission: Cluster["isMutatedByAdmission"];
}

/** The write after which an object is as desired; none if it is, or if the operator does not own the one of this name. */
export function stepsFor<M extends Manifest, L extends Owned>(
  manifest: M,
  objects: LiveObjects<L>,
): ObjectStep<M, L>[] {
  const live = objects.live.find((object) => isSame(object, manifest));
  if (live === undefined) return [{ do: "create", manifest }];
  if (objects.ownershipOf(live) !== "owned") return [];
  if (mustBeReplaced(live, manifest)) return [{ do: "delete", live }];
  const target = withoutShrinking(manifest, live);
  if (difference(target, live) === undefined || objects.isMutatedByAdmission(target, live)) return [];
  return [{ do: "apply", manifest: target, live }];
}

/** Deletions of the owned objects that are not desired. */
export function deletionsOf<L extends Owned>(
  wanted: readonly Manifest[],
  { live, ownershipOf }: Pick<LiveObjects<L>, "live" | "ownershipOf">,
): { readonly do: "delete"; readonly live: L }[] {
  return live
    .filter((object) => ownershipOf(object) === "owned" && !wanted.some((manifest) => isSame(object, manifest)))
    .map((object) => ({ do: "delete", live: object }));
}

/** Whether two objects have the same kind, name and namespace. */
export function isSame(one: Owned, other: Owned): boolean {
  const [a, b] = [one.metadata, other.metadata];
  return one.kind === other.kind && a.name === b.name && a.namespace === b.namespace;
}

/** The manifest without shrinking an enlarged volume, which the API server rejects. */
function withoutShrinking<M extends Manifest>(manifest: M, live: Owned): M {
  if (manifest.kind !== "PersistentVolumeClaim" || live.kind !== "PersistentVolumeClaim") return manifest;
  const storage = live.spec.resources?.requests?.["storage"];
  const wanted = manifest.spec.resources?.requests?.["storage"];
  if (storage === undefined || (quantityOf(storage) ?? 0) <= (quantityOf(wanted ?? "") ?? 0)) return manifest;
  return { ...manifest, spec: { ...manifest.spec, resources: { requests: { storage } } } };
}

/** What is done about an existing object with the name of a desired one that is not in the cache, and the conflict to report. */
export interface Adoption<C> {
  readonly step?: Exclude<ObjectStep, { readonly do: "create" }>;
  readonly conflict?: C | undefined;
}

/**
 * Makes one write. If an object with this name exists that is not in the cache, `adopt` decides what is done: it may have lost the
 * operator's label, or the watch has not delivered it yet. Returns the conflict with it.
 */
export async function writeObject<M extends Manifest, C>(
  cluster: Pick<Cluster, "create" | "apply" | "delete" | "read">,
  step: ObjectStep<M>,
  adopt: (live: Owned, manifest: M) => Adoption<C>,
): Promise<C | undefined> {
  if (step.do === "delete") await cluster.delete(step.live);
  if (step.do === "apply") await cluster.apply(step.manifest, step.live);
  if (step.do !== "create" || (await cluster.create(step.manifest)) === "created") return undefined;
  const live = await cluster.read(step.manifest);
  if (live === undefined) return undefined;
  const { step: next, conflict } = adopt(live, step.manifest);
  if (next !== undefined) await writeObject<Manifest, C>(cluster, next, () => ({}));
  return conflict;
}

/** The results of concurrent writes: what they returned, their number, and the errors of those that failed. */
export interface Writes<C> {
  readonly conflicts: readonly C[];
  readonly succeeded: number;
  readonly errors: readonly unknown[];
}

/** Makes writes concurrently, all to their end. */
export async function concurrently<S, C>(
  steps: readonly S[],
  write: (step: S) => Promise<C | undefined>,
): Promise<Writes<C>> {
  const results = await Promise.allSettled(steps.map(write));
  const done = results.filter((result) => result.status === "fulfilled");
  return {
    conflicts: done.flatMap(({ value }) => value ?? []),
    succeeded: done.length,
    errors: results.flatMap((result) => (result.status === "rejected" ? [result.reason] : [])),
  };
}
