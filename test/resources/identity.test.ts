import assert from "node:assert/strict";
import { test } from "node:test";
import { isReserved } from "../../src/api/environment.ts";
import type { ProxySettings } from "../../src/api/fields/oauth2-proxy.ts";
import { secondsOf } from "../../src/api/quantity.ts";
import type { Namespace } from "../../src/kube/manifests.ts";
import { label } from "../../src/kube/names.ts";
import { workspacesOf } from "../../src/model/workspaces.ts";
import { all, configMap, deploymentOf, environmentOf, inputs, programsOf, server } from "../support/fixtures.ts";

type Kubernetes = NonNullable<ProxySettings["authorization"]["kubernetes"]>;

const settings: ProxySettings = {
  issuerURL: "https://dex.example.com/dex",
  clientID: "mlflow",
  authorization: { allAuthenticatedUsers: {} },
  ca: { configMapRef: { name: "dex-ca" } },
};
const of = (kubernetes: Partial<Kubernetes> = {}, proxy: Partial<ProxySettings> = {}) =>
  inputs(
    server({
      authentication: {
        oauth2Proxy: {
          ...settings,
          ...proxy,
          authorization: { kubernetes: { accessReview: "SubjectAccessReview", ...kubernetes } },
        },
      },
    }),
    [configMap("dex-ca", { "ca.crt": "c" })],
  );
const environment = (...args: Parameters<typeof of>) => environmentOf(deploymentOf(of(...args)));
const settingsOf = (...args: Parameters<typeof of>) => JSON.parse(environment(...args)["MLFLOW_K8S_IDENTITY"] ?? "");

test("the operator's application replaces the plugin's, in a read-only volume", () => {
  const [mlflow] = deploymentOf(of()).spec.template.spec?.containers ?? [];
  assert.deepEqual(mlflow?.args, ["--app-name", "kubernetes-auth"]);
  assert.equal(environment()["PYTHONPATH"], "/etc/mlflow/python");
  const mount = mlflow?.volumeMounts?.find(({ mountPath }) => mountPath === "/etc/mlflow/python");
  assert.equal(mount?.readOnly, true);
  const files = programsOf(of());
  assert.equal(JSON.parse(files["mlflow_operator/settings.json"] ?? "").application, "kubernetes-identity");
  assert.match(files["mlflow_operator/kubernetes_identity.py"] ?? "", /^def create_app/m);
  assert.match(files["mlflow_operator/token_identity.py"] ?? "", /^class Tokens/m);
});

test("only the operator sets the trusted issuers", () => {
  assert.ok(isReserved("MLFLOW_K8S_IDENTITY"));
  assert.deepEqual(settingsOf().issuers, [{ issuer: settings.issuerURL, audience: "mlflow", isCluster: false }]);
  assert.deepEqual(settingsOf().caFiles, ["/etc/oauth2-proxy/ca/issuer/ca.crt"]);
});

test("only tokens of the API server's issuer can have names of ServiceAccounts", () => {
  const { issuers } = settingsOf(
    {},
    {
      extraJWTIssuers: [{ issuer: "https://ci.example.com", audience: "mlflow" }],
      acceptServiceAccountTokens: { audience: "mlflow" },
    },
  );
  assert.deepEqual(issuers, [
    { issuer: settings.issuerURL, audience: "mlflow", isCluster: false },
    { issuer: "https://ci.example.com", audience: "mlflow", isCluster: false },
    { issuer: "https://kubernetes.default.svc.cluster.local", audience: "mlflow", isCluster: true },
  ]);
});

test("a session is refreshed before the token of a common issuer expires, unless the spec sets the interval", () => {
  const refresh = (...args: Parameters<typeof of>) =>
    deploymentOf(of(...args))
      .spec.template.spec?.containers.find(({ name }) => name === "oauth2-proxy")
      ?.args?.filter((argument) => argument.startsWith("--cookie-refresh="));
  assert.deepEqual(refresh(), ["--cookie-refresh=4m"]);
  assert.deepEqual(refresh({}, { session: { refresh: "90s" } }), ["--cookie-refresh=90s"]);
  assert.deepEqual(["2h", "1m", "1h30m", "1m30s"].map(secondsOf), [7200, 60, 5400, 90]);
  assert.equal(settingsOf().signIn, "/oauth2/start?rd=%2F");
});

test("reserves names of the cluster, and has no prefixes by default", () => {
  const { usernamePrefix, groupsPrefix, reservedNames } = settingsOf();
  assert.deepEqual([usernamePrefix, groupsPrefix], ["", ""]);
  for (const name of ["kubeadm:*", "kubernetes-admin", "cluster-admins"]) assert.ok(reservedNames.includes(name));
  const own = settingsOf({ usernamePrefix: "oidc:", groupsPrefix: "idp#", reservedNames: ["root"] });
  assert.deepEqual([own.usernamePrefix, own.groupsPrefix, own.reservedNames], ["oidc:", "idp#", ["root"]]);
});

test("the user name is the claim sub by default", () => {
  assert.deepEqual([settingsOf().usernameClaim, settingsOf().groupsClaim], ["sub", "groups"]);
  const other = settingsOf({ usernameClaim: "email", groupsClaim: "roles" });
  assert.deepEqual([other.usernameClaim, other.groupsClaim], ["email", "roles"]);
});

test("the proxy forwards the verified token, and no other identity", () => {
  const proxy = deploymentOf(of()).spec.template.spec?.containers.find(({ name }) => name === "oauth2-proxy");
  const wanted = ["--pass-authorization-header=true", "--pass-basic-auth=false", "--pass-user-headers=false"];
  assert.deepEqual(
    wanted.filter((argument) => !proxy?.args?.includes(argument)),
    [],
  );
});

test("the server can create SubjectAccessReviews only if its namespace has opted in", () => {
  const { server: mlflowServer } = of();
  const namespaces = (host: string, ...names: string[]): Namespace[] =>
    names.map((name) => ({
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name, labels: { [label.workspaceOf]: host } },
    }));
  assert.deepEqual(workspacesOf(mlflowServer, namespaces("team-a", "team-a", "team-b")), ["team-a"]);
  assert.deepEqual(workspacesOf(mlflowServer, namespaces("team-b", "team-a")), []);
  const bindings = (workspaces: readonly string[]) =>
    all({ ...of(), workspaces }).flatMap((object) =>
      object.kind === "ClusterRoleBinding" ? [[object.metadata.name, object.roleRef.name]] : [],
    );
  assert.deepEqual(bindings([]), []);
  assert.deepEqual(bindings(["team-a"]), [["team-a.demo.reviewer", "mlflow-server-reviewer"]]);
});
