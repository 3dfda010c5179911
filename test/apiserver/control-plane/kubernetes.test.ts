import assert from "node:assert/strict";
import { test } from "node:test";
import { completed } from "../../control-plane/completed.ts";
import { kubernetesApi } from "../../control-plane/kubernetes.ts";

test("a named kubeconfig that is not there is an error, not a reason to take another", async () => {
  await assert.rejects(
    kubernetesApi({ kubeconfig: "/nowhere/config" }),
    /The kubeconfig "\/nowhere\/config" cannot be read/,
  );
});

test("without a name, an API of its own is started and the ambient KUBECONFIG is left alone", async (t) => {
  process.env["KUBECONFIG"] = "/nowhere/production";
  const api = await kubernetesApi({ report: () => {} });
  t.after(() => api.close());
  assert.notEqual(api.source, "kubeconfig");
  const args = ["--kubeconfig", api.kubeconfigPath, "get", "namespace", "default", "-o", "name"];
  const { stdout } = await completed(api.kubectlProgram, args);
  assert.equal(stdout, "namespace/default\n");
});
