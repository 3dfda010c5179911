import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { interned } from "../../src/client/interned.ts";

describe("interned", () => {
  test("changes nothing that can be seen", () => {
    const text = '{"a":["MLFLOW_BACKEND_STORE_URI",1,null,true,{"b":"MLFLOW_BACKEND_STORE_URI"}],"c":"x"}';
    assert.deepEqual(interned(JSON.parse(text)), JSON.parse(text));
  });
});
