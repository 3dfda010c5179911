import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type ReferenceLimits, References } from "../../src/client/references.ts";
import type { ConfigMap } from "../../src/kube/manifests.ts";
import { type Key, type KubeObject, keyText } from "../../src/kube/object.ts";

import { contentSize, digestOf } from "../../src/model/content.ts";

const server = { namespace: "team", name: "one" };

function secret(version: number, name = "db"): KubeObject {
  return { apiVersion: "v1", kind: "Secret", metadata: { namespace: "team", name, resourceVersion: String(version) } };
}

/** A source whose fetches the test completes. */
function fixture() {
  const notifications: string[] = [];
  const fetches: { resolve(object: KubeObject | undefined): void; reject(error: Error): void }[] = [];
  const all = new References<KubeObject>({
    fetch: () => {
      const { promise, resolve, reject } = Promise.withResolvers<KubeObject | undefined>();
      fetches.push({ resolve, reject });
      return promise;
    },
    changed: (reader) => notifications.push(keyText(reader)),
  });
  const read = async (answer: KubeObject | undefined, reader: Key = server) => {
    const reading = all.read("team", "db", reader);
    fetches.at(-1)?.resolve(answer);
    return (await reading)?.metadata.resourceVersion;
  };
  return { all, notifications, fetches, read };
}

describe("content", () => {
  test("is fetched once, for all readers", async () => {
    const { read, fetches } = fixture();
    assert.deepEqual(
      [await read(secret(5)), await read(secret(6)), await read(secret(7), { ...server, name: "two" })],
      ["5", "5", "5"],
    );
    assert.equal(fetches.length, 1);
  });

  test("is fetched once for concurrent reads", async () => {
    const { all, fetches } = fixture();
    const readings = [all.read("team", "db", server), all.read("team", "db", { ...server, name: "two" })];
    fetches[0]?.resolve(secret(5));
    assert.deepEqual(
      (await Promise.all(readings)).map((one) => one?.metadata.resourceVersion),
      ["5", "5"],
    );
    assert.equal(fetches.length, 1);
  });

  test("is fetched again after another version, a deletion or a relist, and its readers are notified", async () => {
    for (const kind of ["modified", "deleted", "relist"] as const) {
      const { all, read, notifications } = fixture();
      await read(secret(5));
      if (kind === "relist") all.relisted();
      else all.changed(kind, secret(6));
      assert.deepEqual([notifications, await read(secret(6))], [["team/one"], "6"], kind);
    }
  });

  test("is kept after a watch event of a known version", async () => {
    const { all, read, notifications, fetches } = fixture();
    await read(secret(5));
    all.changed("added", secret(4));
    all.changed("modified", secret(5));
    assert.deepEqual([notifications, await read(undefined), fetches.length], [[], "5", 1]);
  });

  test("is not kept when the fetch failed", async () => {
    const { all, read, fetches } = fixture();
    const reading = all.read("team", "db", server);
    fetches[0]?.reject(new Error("refused"));
    await assert.rejects(reading, /refused/);
    assert.equal(await read(secret(5)), "5");
  });
});

describe("absence", () => {
  test("is cached until the object is added", async () => {
    const { all, read, notifications, fetches } = fixture();
    assert.deepEqual([await read(undefined), await read(secret(5)), fetches.length], [undefined, undefined, 1]);
    all.changed("deleted", secret(4));
    assert.deepEqual(notifications, []);
    all.changed("added", secret(6));
    assert.deepEqual([notifications, await read(secret(6))], [["team/one"], "6"]);
  });
});

describe("an event during the fetch", () => {
  test("of the fetched version is not a change", async () => {
    const { all, fetches, notifications, read } = fixture();
    const reading = all.read("team", "db", server);
    all.changed("modified", secret(6));
    fetches[0]?.resolve(secret(6));
    await reading;
    assert.deepEqual([notifications, await read(secret(7))], [[], "6"]);
  });

  test("of a newer version or of a deletion: the content is returned but not cached", async () => {
    for (const change of ["modified", "deleted"] as const) {
      const { all, fetches, notifications, read } = fixture();
      const reading = all.read("team", "db", server);
      all.changed(change, secret(7));
      fetches[0]?.resolve(secret(6));
      assert.equal((await reading)?.metadata.resourceVersion, "6");
      assert.deepEqual([notifications, await read(secret(7))], [["team/one"], "7"], change);
    }
  });

  test("of an addition is not lost if the fetch returned 404", async () => {
    const { all, fetches, notifications } = fixture();
    const reading = all.read("team", "db", server);
    all.changed("added", secret(7));
    fetches[0]?.resolve(undefined);
    assert.equal(await reading, undefined);
    assert.deepEqual(notifications, ["team/one"]);
  });

  test("and a relist: the content is not cached", async () => {
    const { all, fetches, notifications, read } = fixture();
    const reading = all.read("team", "db", server);
    all.relisted();
    fetches[0]?.resolve(secret(5));
    await reading;
    assert.deepEqual([notifications, await read(secret(8))], [["team/one"], "8"]);
  });
});

describe("readers", () => {
  test("without references cause no cache entries", () => {
    const { all, notifications } = fixture();
    for (let version = 0; version < 100; version++) all.changed("modified", secret(version));
    all.relisted();
    assert.deepEqual([all.size(), notifications], [0, []]);
  });

  test("are not notified of objects that they no longer read, and objects without a reader are removed", async () => {
    const { all, read, notifications } = fixture();
    await read(secret(5));
    await read(secret(5), { ...server, name: "two" });
    all.keepOnly(server, new Set());
    all.changed("modified", secret(6));
    assert.deepEqual([notifications, all.size()], [["team/two"], 1]);
    all.keepOnly({ ...server, name: "two" }, new Set());
    assert.equal(all.size(), 0);
  });
});

describe("a relist", () => {
  const list = (all: ReturnType<typeof fixture>["all"], version: number, ...objects: KubeObject[]) => {
    const listing = all.listing();
    for (const object of objects) listing?.item(object);
    listing?.complete(String(version));
    all.relisted();
  };

  test("without changes causes no fetch and no notification", async () => {
    const { all, read, notifications, fetches } = fixture();
    await read(secret(5));
    list(all, 9, secret(5), secret(7, "of no one"));
    assert.deepEqual([notifications, await read(secret(9)), fetches.length], [[], "5", 1]);
  });

  test("detects changed, deleted and added objects", async () => {
    const changed = fixture();
    await changed.read(secret(5));
    list(changed.all, 9, secret(8));
    assert.deepEqual([changed.notifications, await changed.read(secret(8))], [["team/one"], "8"]);
    const deleted = fixture();
    await deleted.read(secret(5));
    list(deleted.all, 9);
    assert.deepEqual([deleted.notifications, await deleted.read(undefined)], [["team/one"], undefined]);
    const added = fixture();
    await added.read(undefined);
    list(added.all, 9, secret(8));
    assert.deepEqual([added.notifications, await added.read(secret(8))], [["team/one"], "8"]);
  });

  test("older than the cached version is ignored", async () => {
    const { all, read, notifications } = fixture();
    await read(secret(12));
    list(all, 9, secret(5));
    list(all, 9);
    assert.deepEqual([notifications, await read(secret(13))], [[], "12"]);
  });

  test("during a fetch: content older than the list is not cached", async () => {
    for (const listed of [[secret(8)], []]) {
      const { all, fetches, notifications, read } = fixture();
      const reading = all.read("team", "db", server);
      list(all, 9, ...listed);
      fetches[0]?.resolve(secret(5));
      await reading;
      assert.deepEqual([notifications, await read(secret(10))], [["team/one"], "10"]);
    }
  });

  test("needs items only if there are references", () => {
    assert.equal(fixture().all.listing(), undefined);
  });
});

describe("the cached part of a content", () => {
  const large = (version: number, name = "db"): ConfigMap => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { namespace: "team", name, resourceVersion: String(version) },
    data: { needed: "value", other: "x".repeat(2 ** 20) },
    binaryData: { more: "eA==" },
  });
  const source = (limits?: ReferenceLimits) => {
    const fetched: string[] = [];
    const all = new References<ConfigMap>({
      fetch: async (_namespace, name) => {
        fetched.push(name);
        return large(5, name);
      },
      changed: () => undefined,
      ...(limits && { limits }),
    });
    return { all, fetched };
  };

  test("has the requested values, the names of the others, and a digest and the size of all", async () => {
    const found = await source().all.read("team", "db", server, new Set(["needed"]));
    assert.deepEqual(found?.data, { needed: "value", other: "" });
    assert.deepEqual(found?.binaryData, { more: "" });
    assert.equal(found?.digest, digestOf(large(5)));
    assert.equal(found?.size, contentSize(large(5)));
  });

  test("is fetched again if another reader requests another key", async () => {
    const { all, fetched } = source();
    await all.read("team", "db", server, new Set(["needed"]));
    const found = await all.read("team", "db", { ...server, name: "two" }, new Set(["other"]));
    assert.deepEqual([found?.data?.["needed"], found?.data?.["other"]?.length], ["value", 2 ** 20]);
    // Larger than the limit of one object.
    await all.read("team", "db", server, new Set(["needed"]));
    assert.equal(fetched.length, 3);
  });

  test("has a total limit, beyond which each read fetches", async () => {
    const { all, fetched } = source({ ofOne: 1000, ofAll: 1000 });
    for (const name of ["a", "b", "c", "d", "e", "a", "e"]) await all.read("team", name, server, new Set(["needed"]));
    assert.deepEqual(fetched.slice(0, 5), ["a", "b", "c", "d", "e"]);
    assert.ok(!fetched.slice(5).includes("a") && fetched.slice(5).includes("e"), fetched.join());
    // Removed content frees space.
    all.keepOnly(server, new Set(["team/e"]));
    await all.read("team", "e", server, new Set(["needed"]));
    await all.read("team", "e", server, new Set(["needed"]));
    assert.equal(fetched.filter((name) => name === "e").length, 3);
  });
});
