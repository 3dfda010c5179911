import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { references } from "../../src/client/references.ts";
import { type Key, type KubeObject, keyText } from "../../src/kube/object.ts";

const server = { namespace: "team", name: "one" };

function secret(version: number, name = "db"): KubeObject {
  return { apiVersion: "v1", kind: "Secret", metadata: { namespace: "team", name, resourceVersion: String(version) } };
}

/** A source whose fetches are answered by the test. */
function fixture() {
  const told: string[] = [];
  const fetches: { resolve(object: KubeObject | undefined): void; reject(error: Error): void }[] = [];
  const held = new Map<string, KubeObject>();
  const all = references<KubeObject>({
    held: (namespace, name) => held.get(keyText({ namespace, name })),
    fetch: () => {
      const { promise, resolve, reject } = Promise.withResolvers<KubeObject | undefined>();
      fetches.push({ resolve, reject });
      return promise;
    },
    changed: (reader) => told.push(keyText(reader)),
  });
  const read = async (answer: KubeObject | undefined, reader: Key = server) => {
    const reading = all.read("team", "db", reader);
    fetches.at(-1)?.resolve(answer);
    return (await reading)?.metadata.resourceVersion;
  };
  return { all, told, fetches, held, read };
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

  test("is asked for once while the answer is under way", async () => {
    const { all, fetches } = fixture();
    const readings = [all.read("team", "db", server), all.read("team", "db", { ...server, name: "two" })];
    fetches[0]?.resolve(secret(5));
    assert.deepEqual(
      (await Promise.all(readings)).map((one) => one?.metadata.resourceVersion),
      ["5", "5"],
    );
    assert.equal(fetches.length, 1);
  });

  test("is fetched again after another version, a deletion or a relist, and its readers are told", async () => {
    for (const strike of ["modified", "deleted", "relist"] as const) {
      const { all, read, told } = fixture();
      await read(secret(5));
      if (strike === "relist") all.relisted();
      else all.changed(strike, secret(6));
      assert.deepEqual([told, await read(secret(6))], [["team/one"], "6"], strike);
    }
  });

  test("is kept when the watch tells what is already known", async () => {
    const { all, read, told, fetches } = fixture();
    await read(secret(5));
    all.changed("added", secret(4));
    all.changed("modified", secret(5));
    assert.deepEqual([told, await read(undefined), fetches.length], [[], "5", 1]);
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
  test("is remembered until the object is added", async () => {
    const { all, read, told, fetches } = fixture();
    assert.deepEqual([await read(undefined), await read(secret(5)), fetches.length], [undefined, undefined, 1]);
    all.changed("deleted", secret(4));
    assert.deepEqual(told, []);
    all.changed("added", secret(6));
    assert.deepEqual([told, await read(secret(6))], [["team/one"], "6"]);
  });
});

describe("an event that comes during the fetch", () => {
  test("of a version that the answer has is no change", async () => {
    const { all, fetches, told, read } = fixture();
    const reading = all.read("team", "db", server);
    all.changed("modified", secret(6));
    fetches[0]?.resolve(secret(6));
    await reading;
    assert.deepEqual([told, await read(secret(7))], [[], "6"]);
  });

  test("of a newer version, or of the object's deletion, makes the answer good for this reader only", async () => {
    for (const change of ["modified", "deleted"] as const) {
      const { all, fetches, told, read } = fixture();
      const reading = all.read("team", "db", server);
      all.changed(change, secret(7));
      fetches[0]?.resolve(secret(6));
      assert.equal((await reading)?.metadata.resourceVersion, "6");
      assert.deepEqual([told, await read(secret(7))], [["team/one"], "7"], change);
    }
  });

  test("of an addition is not lost when the answer is that there is none", async () => {
    const { all, fetches, told } = fixture();
    const reading = all.read("team", "db", server);
    all.changed("added", secret(7));
    fetches[0]?.resolve(undefined);
    assert.equal(await reading, undefined);
    assert.deepEqual(told, ["team/one"]);
  });

  test("and a relist: the answer is not kept", async () => {
    const { all, fetches, told, read } = fixture();
    const reading = all.read("team", "db", server);
    all.relisted();
    fetches[0]?.resolve(secret(5));
    await reading;
    assert.deepEqual([told, await read(secret(8))], [["team/one"], "8"]);
  });
});

describe("readers", () => {
  test("of nothing cost nothing", () => {
    const { all, told } = fixture();
    for (let version = 0; version < 100; version++) all.changed("modified", secret(version));
    all.relisted();
    assert.deepEqual([all.size(), told], [0, []]);
  });

  test("are told no more of what their pass did not read, and what nobody reads is forgotten", async () => {
    const { all, read, told } = fixture();
    await read(secret(5));
    await read(secret(5), { ...server, name: "two" });
    all.keepOnly(server, new Set());
    all.changed("modified", secret(6));
    assert.deepEqual([told, all.size()], [["team/two"], 1]);
    all.keepOnly({ ...server, name: "two" }, new Set());
    assert.equal(all.size(), 0);
  });

  test("get what another watch has without a fetch, and are told when it changes", async () => {
    const { all, held, told, fetches } = fixture();
    held.set("team/db", secret(5));
    assert.equal((await all.read("team", "db", server))?.metadata.resourceVersion, "5");
    all.touched("team", "db");
    assert.deepEqual([told, fetches.length], [["team/one"], 0]);
  });
});
