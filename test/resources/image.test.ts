import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { mlflowImage } from "../../src/model/images.ts";
import { inputs, server } from "../support/fixtures.ts";

const digest = (digit: string) => `sha256:${digit.repeat(64)}`;

/** Returns the image of a server with these overrides; the operator has a digest for its version. */
function image(overrides: Record<string, string> | undefined, imageDigests: Record<string, string>): string {
  const { installation, ...rest } = inputs(server());
  const { spec } = rest.server;
  return mlflowImage({ ...spec, ...(overrides && { image: overrides }) }, { ...installation, imageDigests }).name;
}

describe("the image of MLflow", () => {
  const { version } = server().spec;

  test("has the tag of the version, or the operator's digest for it", () => {
    assert.equal(image(undefined, {}), `example.com/mlflow:${version}`);
    assert.equal(image({}, { [version]: digest("1") }), `example.com/mlflow@${digest("1")}`);
    assert.equal(image({}, { "3.0.0": digest("1") }), `example.com/mlflow:${version}`);
  });

  test("is the server's image if set, without the operator's digest", () => {
    const digests = { [version]: digest("1") };
    assert.equal(image({ repository: "example.com/own" }, digests), `example.com/own:${version}`);
    assert.equal(image({ tag: "own" }, digests), "example.com/mlflow:own");
    assert.equal(image({ digest: digest("2") }, digests), `example.com/mlflow@${digest("2")}`);
  });
});
