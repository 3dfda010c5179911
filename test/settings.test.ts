import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { settings } from "../src/settings.ts";

const inPod = { KUBERNETES_SERVICE_HOST: "10.0.0.1", KUBERNETES_SERVICE_PORT: "443" };

describe("settings", () => {
  test("rejects an invalid option with a message that names it", () => {
    for (const [args, message] of [
      [["--workers", "many"], /--workers many/],
      [["--health-port", "70000"], /--health-port 70000.*65535/],
      [["--watch-namespaces", "A b"], /A b is not a valid namespace name/],
      [["--watch-namespaces", ","], /is empty: omit it/],
      [["--log-level", "loud"], /debug, info, warn or error/],
      [["--leader-elect", "yes"], /true or false/],
      [["--user-ids", "1000"], /auto, fixed or namespace/],
      [["--image-digests", `2.0.0=sha256:${"0".repeat(64)}`], /2\.0\.0 is not a supported version of MLflow/],
      [["--image-digests", "3.17.2=latest"], /write 3\.17\.2=sha256: and 64/],
      [["--proxy-image", "quay.io/oauth2-proxy/oauth2-proxy:v7.15.4"], /before 7\.15\.5/],
      [["--proxy-image", "registry.example.com:5000/oauth2-proxy"], /tag or digest/],
      [["--no-such"], /no-such/],
    ] as const) {
      assert.throws(() => settings(args, inPod), message);
    }
  });

  test("requires --kubeconfig outside a pod: the variable KUBECONFIG is not used", () => {
    assert.throws(() => settings([], { KUBECONFIG: "/somewhere", HOME: "/root" }), /--kubeconfig/);
    assert.deepEqual(settings(["--kubeconfig", "/named"], {}).access, { kubeconfig: "/named" });
  });

  test("an option takes precedence over its variable, and an empty variable is ignored", () => {
    assert.equal(settings([], { ...inPod, MLFLOW_OPERATOR_WORKERS: "3" }).workers, 3);
    assert.equal(settings(["--workers", "4"], { ...inPod, MLFLOW_OPERATOR_WORKERS: "3" }).workers, 4);
    assert.equal(settings([], { ...inPod, MLFLOW_OPERATOR_WATCH_NAMESPACES: "" }).namespaces, undefined);
    assert.deepEqual(settings(["--watch-namespaces", "a, b"], inPod).namespaces, ["a", "b"]);
  });

  test("reads the image digest of each MLflow version", () => {
    const [one, other] = [`sha256:${"1".repeat(64)}`, `sha256:${"2".repeat(64)}`];
    const { imageDigests } = settings(["--image-digests", `3.17.2=${one}, 3.16.1=${other}`], inPod);
    assert.deepEqual(imageDigests, { "3.17.2": one, "3.16.1": other });
    assert.equal(settings([], inPod).imageDigests, undefined);
  });

  test("keeps the name of the proxy variable, but not its URL, which can contain a password", () => {
    assert.equal(settings([], inPod).proxyEnvironment, undefined);
    const proxy = { HTTPS_PROXY: "http://user:hunter2@proxy:3128", NO_PROXY: "localhost" };
    const chosen = settings([], { ...inPod, ...proxy });
    assert.deepEqual(chosen.proxyEnvironment, { variable: "HTTPS_PROXY", noProxy: "localhost" });
    assert.doesNotMatch(JSON.stringify(chosen), /hunter2/);
    assert.equal(settings([], { ...inPod, https_proxy: "http://proxy" }).proxyEnvironment?.variable, "https_proxy");
  });

  test("the Lease is in the pod's namespace", () => {
    assert.equal(
      settings([], { ...inPod, POD_NAMESPACE: "mlflow-system", POD_NAME: "operator-1" }).leaseNamespace,
      "mlflow-system",
    );
  });
});
