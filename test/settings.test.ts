import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { settings } from "../src/settings.ts";

const inPod = { KUBERNETES_SERVICE_HOST: "10.0.0.1", KUBERNETES_SERVICE_PORT: "443" };

describe("settings", () => {
  test("a wrong option is refused with a sentence that names it", () => {
    for (const [args, message] of [
      [["--workers", "many"], /--workers many/],
      [["--health-port", "70000"], /--health-port 70000.*65535/],
      [["--watch-namespaces", "A b"], /A b is no name of a namespace/],
      [["--watch-namespaces", ","], /names no namespace/],
      [["--log-level", "loud"], /debug, info, warn or error/],
      [["--leader-elect", "yes"], /true or false/],
      [["--no-such"], /no-such/],
    ] as const) {
      assert.throws(() => settings(args, inPod), message);
    }
  });

  test("outside a pod the cluster must be named: the ambient KUBECONFIG is never taken", () => {
    assert.throws(() => settings([], { KUBECONFIG: "/somewhere", HOME: "/root" }), /--kubeconfig/);
    assert.deepEqual(settings(["--kubeconfig", "/named"], {}).access, { kubeconfig: "/named" });
  });

  test("an option wins over its variable, and an empty variable counts as none", () => {
    assert.equal(settings([], { ...inPod, MLFLOW_OPERATOR_WORKERS: "3" }).workers, 3);
    assert.equal(settings(["--workers", "4"], { ...inPod, MLFLOW_OPERATOR_WORKERS: "3" }).workers, 4);
    assert.equal(settings([], { ...inPod, MLFLOW_OPERATOR_WATCH_NAMESPACES: "" }).namespaces, undefined);
    assert.deepEqual(settings(["--watch-namespaces", "a, b"], inPod).namespaces, ["a", "b"]);
  });

  test("the Lease is in the pod's namespace", () => {
    assert.equal(
      settings([], { ...inPod, POD_NAMESPACE: "mlflow-system", POD_NAME: "operator-1" }).leaseNamespace,
      "mlflow-system",
    );
  });
});
