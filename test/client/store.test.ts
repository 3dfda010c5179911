import assert from "node:assert/strict";
import { test } from "node:test";
import { type Store, store } from "../../src/client/store.ts";
import { label } from "../../src/kube/names.ts";
import type { KubeObject, ObjectMeta } from "../../src/kube/object.ts";

const key = { namespace: "team", name: "a" };

function object(version: number, metadata: Partial<ObjectMeta> = {}): KubeObject {
  const labels = { [label.server]: "one" };
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { ...key, uid: "1", labels, resourceVersion: String(version), ...metadata },
  };
}

function listed(...objects: KubeObject[]): { cache: Store<KubeObject>; told: string[] } {
  const told: string[] = [];
  const cache = store<KubeObject>((change, { metadata }) =>
    told.push(`${change} ${metadata.name} ${metadata.resourceVersion}`),
  );
  list(cache, 10, ...objects);
  told.length = 0;
  return { cache, told };
}

function list(cache: Store<KubeObject>, version: number, ...objects: KubeObject[]): void {
  const listing = cache.listing();
  for (const one of objects) listing.item(one);
  listing.complete(String(version));
}

const versionIn = (cache: Store<KubeObject>) => cache.get(key)?.metadata.resourceVersion;

test("a list replaces all: what is new, other or gone is told, what is the same is not", () => {
  const { cache, told } = listed(object(1), object(2, { name: "b" }), object(3, { name: "c" }));
  list(cache, 20, object(1), object(12, { name: "b" }), object(13, { name: "d" }));
  assert.deepEqual(told, ["modified b 12", "added d 13", "deleted c 3"]);
  assert.deepEqual(
    [...cache.all()].map(({ metadata }) => metadata.name),
    ["a", "b", "d"],
  );
});

test("a list that fails on the way removes nothing", () => {
  const { cache, told } = listed(object(1), object(2, { name: "b" }));
  cache.listing().item(object(1));
  assert.deepEqual([told, [...cache.all()].length], [[], 2]);
});

test("a list from a restored backup counts, though its versions are lower", () => {
  const { cache } = listed(object(9));
  list(cache, 5, object(4));
  assert.equal(versionIn(cache), "4");
});

test("objects are found by their server, and no longer when its label changes or they are gone", () => {
  const { cache } = listed(
    object(1),
    object(2, { name: "b", labels: { [label.server]: "two" } }),
    object(3, { name: "c", labels: {} }),
  );
  const namesOf = (server: string) =>
    cache.ofServer({ namespace: "team", name: server }).map(({ metadata }) => metadata.name);
  assert.deepEqual([namesOf("one"), namesOf("two")], [["a"], ["b"]]);
  cache.changed("modified", object(11, { labels: { [label.server]: "two" } }));
  assert.deepEqual([namesOf("one"), namesOf("two")], [[], ["b", "a"]]);
  cache.changed("deleted", object(12, { name: "b", labels: { [label.server]: "two" } }));
  assert.deepEqual(namesOf("two"), ["a"]);
  assert.deepEqual(cache.ofServer({ namespace: "other", name: "two" }), []);
});

test("what we created is there at once, and its echo is not told", () => {
  const { cache, told } = listed();
  cache.wrote(object(11), true);
  assert.equal(versionIn(cache), "11");
  cache.changed("added", object(11));
  assert.deepEqual(told, []);
  cache.changed("modified", object(12));
  assert.deepEqual(told, ["modified a 12"]);
});

test("older events do not undo a write, but are told: what they changed may be in its answer", () => {
  const { cache, told } = listed(object(9));
  cache.wrote(object(14), false);
  cache.changed("modified", object(12));
  assert.deepEqual([versionIn(cache), told], ["14", ["modified a 12"]]);
  cache.changed("modified", object(14));
  cache.changed("modified", object(15));
  assert.deepEqual([versionIn(cache), told], ["15", ["modified a 12", "modified a 14", "modified a 15"]]);
});

test("the deletion of a former object of that name does not undo a creation", () => {
  const { cache } = listed(object(9));
  cache.wrote(object(14, { uid: "2" }), true);
  cache.changed("deleted", object(13));
  assert.equal(versionIn(cache), "14");
});

test("an answer that comes after the watch has passed it is dropped: the object may be gone again", () => {
  const { cache } = listed();
  cache.changed("added", object(11));
  cache.changed("deleted", object(12));
  cache.wrote(object(11), true);
  assert.equal(versionIn(cache), undefined);
  cache.reached("20");
  cache.wrote(object(19), false);
  assert.equal(versionIn(cache), undefined);
});

test("what we deleted is gone at once; stale events of it do not bring it back, a new object of its name does", () => {
  const { cache, told } = listed(object(9));
  cache.removed(object(9));
  cache.changed("modified", object(11));
  assert.deepEqual([versionIn(cache), told], [undefined, []]);
  cache.changed("deleted", object(12));
  cache.changed("added", object(13, { uid: "2" }));
  assert.deepEqual([versionIn(cache), told], ["13", ["added a 13"]]);
  cache.removed(object(9));
  assert.equal(versionIn(cache), "13", "another uid is another object");
});

test("a write during a list survives it; one that the list should have shown does not", () => {
  const { cache } = listed();
  const listing = cache.listing();
  cache.wrote(object(31), true);
  cache.wrote(object(15, { name: "b" }), true);
  listing.complete("30");
  assert.deepEqual(
    [...cache.all()].map(({ metadata }) => metadata.name),
    ["a"],
  );
});

test("a write before a list does not protect the object from it", () => {
  const { cache, told } = listed();
  cache.wrote(object(31), true);
  list(cache, 40);
  assert.deepEqual([versionIn(cache), told], [undefined, ["deleted a 31"]]);
});
