import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MlflowServerSpec } from "../../src/api/spec.ts";
import { validate } from "../../src/api/validation.ts";
import { resolve } from "../../src/features/resolve.ts";
import { allowedImagesOf, disallowedImages, isImageOf } from "../../src/resources/pod/allowed-images.ts";
import { rightDocuments } from "../api/documents.ts";
import { all, inputs, server } from "../support/fixtures.ts";

const proxy = {
  issuerURL: "https://dex.example.com/dex",
  clientID: "mlflow",
  authorization: { allAuthenticatedUsers: {} },
};

function disallowed(spec: Partial<MlflowServerSpec>, allowedImages?: readonly string[]): string[] {
  const of = inputs(server(spec));
  return disallowedImages(resolve(of), { ...of.installation, allowedImages }).map(({ path }) => path);
}

describe("--allowed-images", () => {
  test("allows any image without the setting, and always the operator's default images", () => {
    const image = { repository: "evil.example.com/mlflow" };
    assert.deepEqual(disallowed({ image }), []);
    assert.deepEqual(disallowed({ image }, ["ghcr.io/team/*"]), ["spec.image"]);
    assert.deepEqual(disallowed({}, ["ghcr.io/team/*"]), []);
    const proxied: Partial<MlflowServerSpec> = { authentication: { oauth2Proxy: { ...proxy, image } } };
    assert.deepEqual(disallowed(proxied, ["ghcr.io/team/*"]), ["spec.authentication.oauth2Proxy.image"]);
    assert.deepEqual(disallowed({ authentication: { oauth2Proxy: proxy } }, ["ghcr.io/team/*"]), []);
  });

  test("matches a repository with any tag or digest, and a prefix with all repositories below it", () => {
    for (const [image, pattern, expected] of [
      ["ghcr.io/team/mlflow:1", "ghcr.io/team/mlflow", true],
      ["ghcr.io/team/mlflow@sha256:0", "ghcr.io/team/mlflow", true],
      ["ghcr.io/team/mlflow:1", "ghcr.io/team/mlflow:1", true],
      ["ghcr.io/team/mlflow:2", "ghcr.io/team/mlflow:1", false],
      ["ghcr.io/team/mlflow-evil:1", "ghcr.io/team/mlflow", false],
      ["ghcr.io/team/sub/mlflow:1", "ghcr.io/team/*", true],
      ["ghcr.io/team-evil/mlflow:1", "ghcr.io/team/*", false],
      ["ghcr.io.evil.com/team/mlflow:1", "ghcr.io/team/*", false],
      ["localhost:5000/mlflow:1", "localhost:5000/mlflow", true],
      ["mlflow:1", "docker.io/library/mlflow", true],
      ["team/mlflow:1", "docker.io/team/*", true],
      ["ghcr.io/team/mlflow:1", "team/*", false],
      ["docker.io/ghcr.io/team/x", "ghcr.io/team/*", false],
    ] as const)
      assert.equal(isImageOf(image, pattern), expected, `${image} of ${pattern}`);
  });

  test("accepts only a list of repositories and prefixes", () => {
    assert.deepEqual(allowedImagesOf("--allowed-images", "a/b, c/*"), ["a/b", "c/*"]);
    assert.equal(allowedImagesOf("--allowed-images", ""), undefined);
    for (const text of ["*", "a*", "a/*/b", "https://a/b c", "a/"])
      assert.throws(() => allowedImagesOf("--allowed-images", text), /is not an image/, text);
  });

  test("checks the images of all pods", () => {
    for (const document of Object.values(rightDocuments)) {
      const result = validate(document);
      assert.ok("server" in result);
      const of = inputs(result.server);
      const images = all(of).flatMap((each) =>
        each.kind === "Deployment" || each.kind === "Job"
          ? [...(each.spec.template.spec?.initContainers ?? []), ...(each.spec.template.spec?.containers ?? [])]
          : [],
      );
      for (const { image = "" } of images)
        assert.ok([resolve(of).image.name, resolve(of).proxy?.image.name].includes(image), image);
    }
  });
});
