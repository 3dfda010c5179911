import assert from "node:assert/strict";
import { test } from "node:test";
import { completed } from "../../control-plane/completed.ts";
import { kubernetesApi } from "../../control-plane/kubernetes.ts";

test("a missing kubeconfig is an error, and no other is used", async () => {
  await assert.rejects(
    kubernetesApi({ kubeconfig: "/nowhere/config" }),
    /The kubeconfig "\/nowhere\/config" cannot be read/,
  );
});

test("without a kubeconfig a new API is started, and KUBECONFIG is ignored", async (t) => {
  process.env["KUBECONFIG"] = "/nowhere/production";
  const api = await kubernetesApi({ report: () => {} });
  t.after(() => api.close());
  assert.notEqual(api.source, "kubeconfig");
  const args = ["--kubeconfig", api.kubeconfigPath, "get", "namespace", "default", "-o", "name"];
  const { stdout } = await completed(api.kubectlProgram, args);
  assert.equal(stdout, "namespace/default\n");
});
