import assert from "node:assert/strict";
import { test } from "node:test";
import type { MlflowServerSpec } from "../../src/api/spec.ts";
import type { Namespace } from "../../src/kube/manifests.ts";
import { label } from "../../src/kube/names.ts";
import { workspacesOf } from "../../src/model/workspaces.ts";
import { all, deploymentOf, environmentOf, inputs, server } from "../support/fixtures.ts";

const serving = (workspaces: MlflowServerSpec["workspaces"] = {}) =>
  server({ authentication: { kubernetes: {} }, workspaces });
const namespace = (name: string, labels: Record<string, string>): Namespace => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name, labels },
});
const optedIn = { [label.workspaceOf]: "team-a" };

test("a namespace that has opted in to servers of another namespace is not a workspace", () => {
  const namespaces = [namespace("b", optedIn), namespace("a", optedIn), namespace("c", { [label.workspaceOf]: "x" })];
  assert.deepEqual(workspacesOf(serving(), namespaces), ["a", "b"]);
  assert.deepEqual(workspacesOf(server(), namespaces), []);
});

test("the selector narrows the opted-in namespaces, and never widens them", () => {
  const namespaces = [
    namespace("a", { ...optedIn, tier: "x" }),
    namespace("b", optedIn),
    namespace("c", { tier: "x" }),
  ];
  assert.deepEqual(workspacesOf(serving({ selector: { matchLabels: { tier: "x" } } }), namespaces), ["a"]);
  const forged = serving({ selector: { matchLabels: { [label.workspaceOf]: "other" } } });
  assert.deepEqual(workspacesOf(forged, [namespace("d", { [label.workspaceOf]: "other" })]), []);
});

test("namespaces that the plugin excludes are not workspaces", () => {
  const names = ["kube-system", "openshift", "openshift-x", "redhat-ods-a", "kubeflow"];
  assert.deepEqual(
    workspacesOf(
      serving(),
      names.map((name) => namespace(name, optedIn)),
    ),
    ["kubeflow"],
  );
});

test("MLflow and the operator use the same selector for workspaces", () => {
  const environment = environmentOf(
    deploymentOf(inputs(serving({ selector: { matchLabels: { "a.b/tier": "x" } }, default: "team-b" }))),
  );
  const uri = new URL(environment["MLFLOW_WORKSPACE_STORE_URI"] ?? "");
  assert.equal(uri.protocol, "kubernetes:");
  assert.equal(uri.searchParams.get("label_selector"), `a.b/tier=x,${label.workspaceOf}=team-a`);
  assert.equal(uri.searchParams.get("default_workspace"), "team-b");
  assert.equal(environment["MLFLOW_K8S_WORKSPACE_LABEL_SELECTOR"], uri.searchParams.get("label_selector"));
  assert.equal(environment["MLFLOW_ENABLE_WORKSPACES"], "true");
});

test("without workspaces the plugin has one namespace, and a token with an unused audience", () => {
  const deployment = deploymentOf(inputs(server({ authentication: { kubernetes: {} } })));
  const environment = environmentOf(deployment);
  assert.equal(environment["MLFLOW_ENABLE_WORKSPACES"], "false");
  assert.equal(environment["MLFLOW_K8S_AUTH_NAMESPACE"], "team-a");
  assert.equal(audience(deployment), "unused");
  assert.equal(audience(deploymentOf(inputs(serving()))), undefined);
});

function audience(deployment: ReturnType<typeof deploymentOf>): string | undefined {
  const volume = deployment.spec.template.spec?.volumes?.find(({ name }) => name === "api-server");
  return volume?.projected?.sources?.find((source) => source.serviceAccountToken)?.serviceAccountToken?.audience;
}

test("there is no ClusterRoleBinding until a namespace has opted in", () => {
  const kinds = (workspaces: readonly string[]) => all({ ...inputs(serving()), workspaces }).map(({ kind }) => kind);
  assert.ok(!kinds([]).includes("ClusterRoleBinding"));
  assert.ok(kinds(["team-b"]).includes("ClusterRoleBinding"));
});
