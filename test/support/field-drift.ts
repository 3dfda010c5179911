import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { trimmed } from "../../src/client/trimmed.ts";
import { label, manager } from "../../src/kube/names.ts";
import { difference } from "../../src/reconcile/difference.ts";
import { type History, history } from "./history.ts";
import { isItem, type Leaf, leavesOf, manifestOf, otherValues, pointerTo, valueIn, withLeafOf } from "./leaves.ts";
import { jsonPatch, type ObjectKind, type ObjectOf, pathOf } from "./objects.ts";
import type { Fixture } from "./operator-fixture.ts";

/** An object whose fields are changed. */
interface Target<K extends ObjectKind> {
  readonly fixture: Fixture;
  readonly kind: K;
  readonly name: string;
  readonly seen: History<ObjectOf[K]>;
}

/** How many fields of an object were restored, and which the API server does not allow to be changed or removed. */
export interface Count {
  changed: number;
  removed: number;
  readonly fixed: string[];
}

type Change = { readonly leaf: Leaf } & ({ readonly op: "add"; readonly value: unknown } | { readonly op: "remove" });

export async function target<K extends ObjectKind>(context: TestContext, fixture: Fixture, kind: K, name: string) {
  const seen = await history(fixture.cluster, fixture.namespace, kind);
  context.after(() => seen.stop());
  return { fixture, kind, name, seen };
}

/**
 * The fields of the object that the operator's builders set. After its POST the operator also owns the defaults of the API
 * server: the first repair is an apply of only these fields. Owner references have a separate test.
 */
export async function fieldsOf<K extends ObjectKind>({ fixture, kind, name, seen }: Target<K>): Promise<Leaf[]> {
  const changed = await fixture.objects.patch(kind, name, { metadata: { labels: { [label.application]: "changed" } } });
  const { object } = await seen.first(({ object, at }) => {
    const { labels, name: found } = object.metadata;
    return found === name && at > Number(changed.metadata.resourceVersion) && labels?.[label.application] === "mlflow";
  });
  const operations = object.metadata.managedFields?.filter((entry) => entry.manager === manager && !entry.subresource);
  assert.deepEqual(
    operations?.map(({ operation }) => operation),
    ["Apply"],
    "after an apply no managed fields of the POST are left",
  );
  return leavesOf(object, manager).filter(({ steps }) => steps[1] !== "ownerReferences");
}

/**
 * Changes, then removes each field, many in one request, and waits until all are restored. Of each changed field it also asserts
 * that the operator would detect it without the others. Then one field is changed and removed alone.
 */
export async function disturbAll<K extends ObjectKind>(target: Target<K>, leaves: readonly Leaf[]): Promise<Count> {
  const changed: Change[] = [];
  const removed: Change[] = [];
  for (const part of Map.groupBy(leaves, (leaf) => (isIdentity(leaf) ? leaf : undefined)).values()) {
    changed.push(...(await allChanged(target, part)));
    // An item and the fields in it cannot be removed by one patch.
    for (const group of Map.groupBy(part.filter(hasRemoval), depthOf).values())
      removed.push(...(await disturbed(target, group.map(removal))));
  }
  for (const change of [changed.at(-1), removed.at(-1)])
    if (change !== undefined) assert.deepEqual(await disturbed(target, [change]), [change]);
  const repaired = new Set([...changed, ...removed].map(({ leaf }) => leaf));
  const fixed = leaves.filter((leaf) => !repaired.has(leaf)).map(({ text }) => text);
  return { changed: changed.length, removed: removed.length, fixed };
}

/** Changes each field to the first of its other values that has an effect. */
async function allChanged<K extends ObjectKind>(target: Target<K>, leaves: readonly Leaf[]): Promise<Change[]> {
  const changed: Change[] = [];
  let rest = leaves.map((leaf) => ({ leaf, values: otherValues(leaf) }));
  for (;;) {
    rest = rest.filter(({ values }) => values.length > 0);
    if (rest.length === 0) return changed;
    const changes = rest.map(({ leaf, values }): Change => ({ leaf, op: "add", value: values.shift() }));
    changed.push(...(await disturbed(target, changes)));
    const done = new Set(changed.map(({ leaf }) => leaf));
    rest = rest.filter(({ leaf }) => !done.has(leaf));
  }
}

/** By these labels the operator recognizes its objects: without both it does not repair an object. */
const isIdentity = ({ steps }: Leaf) =>
  steps[0] === "metadata" && [label.server, label.managedBy].some((name) => name === steps.at(-1));

const removal = (leaf: Leaf): Change => ({ leaf, op: "remove" });

/** A variable without a value shows nothing that its change and its removal do not show. */
const hasRemoval = ({ text, steps }: Leaf) => !(text.includes("/env/") && steps.at(-1) === "value");

/** The number of items around an item, and 0 for a field. */
const depthOf = (leaf: Leaf) => (isItem(leaf) ? leaf.steps.filter((step) => typeof step === "object").length : 0);

/**
 * Makes changes as another field manager, in one request or, if the API server rejects it, in two halves, and waits until all are
 * restored. Returns those that had an effect.
 */
async function disturbed<K extends ObjectKind>(target: Target<K>, changes: readonly Change[]): Promise<Change[]> {
  if (changes.length === 0) return [];
  const { fixture, kind, name } = target;
  const before = await fixture.objects.the(kind, name);
  const url = `${pathOf(kind, fixture.namespace, name)}?fieldManager=another-client`;
  const answer = await fixture.objects.attempt("PATCH", url, patchOf(before, changes), jsonPatch);
  if (answer.status >= 300) {
    if (changes.length === 1) return [];
    const half = changes.length >> 1;
    return [...(await disturbed(target, changes.slice(0, half))), ...(await disturbed(target, changes.slice(half)))];
  }
  const changed: ObjectOf[K] = JSON.parse(answer.body);
  const effective = changes.filter(({ leaf }) => !isRestored(changed, leaf));
  const manifest = manifestOf(before, manager);
  assert.equal(difference(manifest, trimmed(before)), undefined);
  for (const { leaf } of effective)
    assert.ok(
      difference(manifest, trimmed(withLeafOf(before, changed, leaf))) !== undefined,
      `the operator does not detect a change of ${kind}/${name}${leaf.text} alone`,
    );
  await restored(target, effective, Number(changed.metadata.resourceVersion));
  return effective;
}

/** Later items of a list first, since the removal of an item changes the index of those after it. */
function patchOf(object: unknown, changes: readonly Change[]) {
  const steps = changes.map(({ leaf, ...change }) => ({ ...change, path: pointerTo(object, leaf) }));
  return steps.sort((a, b) => b.path.localeCompare(a.path, "en", { numeric: true }));
}

const isRestored = (object: unknown, leaf: Leaf) => isDeepStrictEqual(valueIn(object, leaf), leaf.value);

/** Waits for a version with the original values of all fields; throws with the fields that stay changed. */
async function restored<K extends ObjectKind>(
  { fixture, kind, name, seen }: Target<K>,
  changes: readonly Change[],
  after: number,
): Promise<void> {
  if (changes.length === 0) return;
  await seen
    .first(
      ({ object, at }) =>
        at > after && object.metadata.name === name && changes.every((c) => isRestored(object, c.leaf)),
    )
    .catch(async () => {
      const object = await fixture.objects.the(kind, name);
      const stay = changes.filter(({ leaf }) => !isRestored(object, leaf));
      const texts = stay.map(({ leaf, ...change }) => {
        const value = JSON.stringify(valueIn(object, leaf));
        return `${kind}/${name}${leaf.text} stays as it is after ${JSON.stringify(change)}: ${value}`;
      });
      assert.fail(texts.join("\n"));
    });
}
