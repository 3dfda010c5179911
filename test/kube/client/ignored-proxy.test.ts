import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ignoredProxy } from "../../../src/kube/client/ignored-proxy.ts";

const of = (noProxy: string) => ({ variable: "HTTPS_PROXY", noProxy });

describe("a proxy in the environment", () => {
  for (const [noProxy, host] of [
    ["", "10.96.0.1"],
    ["10.96.0.2, example.com", "10.96.0.1"],
    ["10.0.0.0/33", "10.96.0.1"],
    ["10.97.0.0/16", "10.96.0.1"],
    ["fd00::/8", "10.96.0.1"],
    ["ample.com", "api.example.com"],
    ["10.96.0.0/16", "[fd00::1]"],
  ] as const)
    test(`is ignored with a warning for ${host} and NO_PROXY ${JSON.stringify(noProxy)}`, () => {
      const bare = host.replace(/[[\]]/g, "");
      assert.match(
        ignoredProxy(of(noProxy), host) ?? "",
        new RegExp(`^HTTPS_PROXY is set.* at ${bare} directly.*add ${bare} to NO_PROXY`),
      );
    });

  for (const [noProxy, host] of [
    ["*", "10.96.0.1"],
    ["localhost, 10.96.0.1", "10.96.0.1"],
    ["10.96.0.0/16", "10.96.0.1"],
    ["fd00::/8", "[fd00::1]"],
    [".example.com", "api.example.com"],
    ["Example.com:6443", "API.example.com"],
    ["*.svc", "kubernetes.default.svc"],
  ] as const)
    test(`gives no warning for ${host} and NO_PROXY ${noProxy}`, () =>
      assert.equal(ignoredProxy(of(noProxy), host), undefined));

  test("gives no warning if it is not set", () => assert.equal(ignoredProxy(undefined, "10.96.0.1"), undefined));
});
