import assert from "node:assert/strict";
import { test } from "node:test";
import { byServer, serverEntry } from "../../../src/client/indexes.ts";
import { Store } from "../../../src/kube/client/store.ts";
import { label } from "../../../src/kube/names.ts";
import type { KubeObject, ObjectMeta } from "../../../src/kube/object.ts";

const key = { namespace: "team", name: "a" };

function object(version: number, metadata: Partial<ObjectMeta> = {}): KubeObject {
  const labels = { [label.server]: "one" };
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { ...key, uid: "1", labels, resourceVersion: String(version), ...metadata },
  };
}

function listed(...objects: KubeObject[]): { cache: Store<KubeObject>; notifications: string[] } {
  const notifications: string[] = [];
  const cache = new Store<KubeObject>(
    (change, { metadata }) => notifications.push(`${change} ${metadata.name} ${metadata.resourceVersion}`),
    { indexesOf: byServer },
  );
  list(cache, 10, ...objects);
  notifications.length = 0;
  return { cache, notifications };
}

function list(cache: Store<KubeObject>, version: number, ...objects: KubeObject[]): void {
  const listing = cache.listing();
  for (const one of objects) listing.item(one);
  listing.complete(String(version));
}

const versionIn = (cache: Store<KubeObject>) => cache.get(key)?.metadata.resourceVersion;

test("a list replaces all objects and reports added, modified and deleted ones, not unchanged ones", () => {
  const { cache, notifications } = listed(object(1), object(2, { name: "b" }), object(3, { name: "c" }));
  list(cache, 20, object(1), object(12, { name: "b" }), object(13, { name: "d" }));
  assert.deepEqual(notifications, ["modified b 12", "added d 13", "deleted c 3"]);
  assert.deepEqual(
    [...cache.all()].map(({ metadata }) => metadata.name),
    ["a", "b", "d"],
  );
});

test("an incomplete list removes nothing", () => {
  const { cache, notifications } = listed(object(1), object(2, { name: "b" }));
  cache.listing().item(object(1));
  assert.deepEqual([notifications, [...cache.all()].length], [[], 2]);
});

test("a list from a restored backup is applied, although its versions are lower", () => {
  const { cache } = listed(object(9));
  list(cache, 5, object(4));
  assert.equal(versionIn(cache), "4");
});

test("finds objects by server until their label changes or they are deleted", () => {
  const { cache } = listed(
    object(1),
    object(2, { name: "b", labels: { [label.server]: "two" } }),
    object(3, { name: "c", labels: {} }),
  );
  const namesOf = (server: string) =>
    cache.indexed(serverEntry({ namespace: "team", name: server })).map(({ metadata }) => metadata.name);
  assert.deepEqual([namesOf("one"), namesOf("two")], [["a"], ["b"]]);
  cache.changed("modified", object(11, { labels: { [label.server]: "two" } }));
  assert.deepEqual([namesOf("one"), namesOf("two")], [[], ["b", "a"]]);
  cache.changed("deleted", object(12, { name: "b", labels: { [label.server]: "two" } }));
  assert.deepEqual(namesOf("two"), ["a"]);
  assert.deepEqual(cache.indexed(serverEntry({ namespace: "other", name: "two" })), []);
});

test("a created object is stored immediately, and its watch event is not reported", () => {
  const { cache, notifications } = listed();
  cache.wrote(object(11), true);
  assert.equal(versionIn(cache), "11");
  cache.changed("added", object(11));
  assert.deepEqual(notifications, []);
  cache.changed("modified", object(12));
  assert.deepEqual(notifications, ["modified a 12"]);
});

test("older events do not undo a write, but are reported: their changes can be in its response", () => {
  const { cache, notifications } = listed(object(9));
  cache.wrote(object(14), false);
  cache.changed("modified", object(12));
  assert.deepEqual([versionIn(cache), notifications], ["14", ["modified a 12"]]);
  cache.changed("modified", object(14));
  cache.changed("modified", object(15));
  assert.deepEqual([versionIn(cache), notifications], ["15", ["modified a 12", "modified a 14", "modified a 15"]]);
});

test("the deletion of an earlier object with the same name does not undo a creation", () => {
  const { cache } = listed(object(9));
  cache.wrote(object(14, { uid: "2" }), true);
  cache.changed("deleted", object(13));
  assert.equal(versionIn(cache), "14");
});

test("a response older than the watch is dropped: the object may be deleted again", () => {
  const { cache } = listed();
  cache.changed("added", object(11));
  cache.changed("deleted", object(12));
  cache.wrote(object(11), true);
  assert.equal(versionIn(cache), undefined);
  cache.reached("20");
  cache.wrote(object(19), false);
  assert.equal(versionIn(cache), undefined);
});

test("a deleted object is removed immediately; stale events do not restore it, a new object with its name is stored", () => {
  const { cache, notifications } = listed(object(9));
  cache.removed(object(9));
  cache.changed("modified", object(11));
  assert.deepEqual([versionIn(cache), notifications], [undefined, []]);
  cache.changed("deleted", object(12));
  cache.changed("added", object(13, { uid: "2" }));
  assert.deepEqual([versionIn(cache), notifications], ["13", ["added a 13"]]);
  cache.removed(object(9));
  assert.equal(versionIn(cache), "13", "a new uid is a new object");
});

test("a write during a list is kept; one that is older than the list is not", () => {
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

test("a write before a list does not override it", () => {
  const { cache, notifications } = listed();
  cache.wrote(object(31), true);
  list(cache, 40);
  assert.deepEqual([versionIn(cache), notifications], [undefined, ["deleted a 31"]]);
});
