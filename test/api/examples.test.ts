import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isObject } from "../../src/api/structure.ts";
import { validate } from "../../src/api/validation.ts";
import { examples } from "./examples.ts";

const servers = (documents: readonly unknown[]) =>
  documents.filter((document) => isObject(document) && document["kind"] === "MlflowServer");

describe("the examples", async () => {
  const all = await examples();

  for (const { file, documents } of all) {
    test(`${file} has one MlflowServer, which is valid`, () => {
      const [server, ...others] = servers(documents);
      assert.equal(others.length, 0);
      assert.deepEqual(validate(server), { server: { ...validated(server) } });
    });

    test(`${file} contains every Secret and ConfigMap that its pods need`, () => {
      // The certificate of an Ingress is its controller's.
      const needed = JSON.stringify(servers(documents), (key, value) => (key === "exposure" ? undefined : value));
      const names = needed.matchAll(/"(?:[A-Za-z]*[sS]ecretRef|configMapRef)":\{"name":"([^"]+)"/g);
      const brought = documents.flatMap((document) =>
        isObject(document) && isObject(document["metadata"]) ? [document["metadata"]["name"]] : [],
      );
      for (const [, name] of names) assert.ok(brought.includes(name), `${name} is missing`);
    });
  }

  test("no two of them have the same name, so that all can be applied together", () => {
    const identities = all.flatMap(({ documents }) =>
      documents.flatMap((document) =>
        isObject(document) && isObject(document["metadata"])
          ? [`${document["kind"]}/${document["metadata"]["name"]}`]
          : [],
      ),
    );
    assert.equal(new Set(identities).size, identities.length);
  });
});

function validated(document: unknown) {
  const result = validate(document);
  return "server" in result ? result.server : undefined;
}
