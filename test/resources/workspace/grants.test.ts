import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MlflowServer } from "../../../src/api/server.ts";
import type { MlflowWorkspaceAccess } from "../../../src/api/workspace-access.ts";
import type { Namespace } from "../../../src/kube/manifests.ts";
import { clientConfigMap } from "../../../src/resources/workspace/client-config-map.ts";
import { grantsIn } from "../../../src/resources/workspace/grant.ts";
import { roleBindings } from "../../../src/resources/workspace/role-bindings.ts";
import { serversOf } from "../../../src/resources/workspace/workspace.ts";
import { access, grantTo, tracking, workspace } from "../../support/workspaces.ts";

const now = new Date("2026-06-01T00:00:00Z");

function bindings(
  servers: readonly MlflowServer[],
  accesses: readonly MlflowWorkspaceAccess[] = [],
  namespace: Namespace = workspace(),
): Record<string, string[]> {
  const { inForce } = grantsIn({ namespace, servers: serversOf(namespace, servers), accesses, now });
  const all = roleBindings(namespace.metadata.name, inForce);
  return Object.fromEntries(
    all.map(({ metadata, roleRef, subjects = [] }) => [
      `${metadata.name} ${roleRef.name}`,
      subjects.map(({ kind, namespace: place, name }) => [kind, place, name].filter(Boolean).join(" ")),
    ]),
  );
}

describe("grants in a workspace", () => {
  test("result in one RoleBinding per role, with unique subjects", () => {
    const server = tracking({
      access: [grantTo("b", "Editor", "team-a"), grantTo("a", "Editor"), grantTo("a", "Viewer")],
    });
    const accesses = [access(), access({ subjects: [{ kind: "Group", name: "a" }] }, "other")];
    assert.deepEqual(bindings([server], accesses), {
      "mlflow.mlflow.tracking.editor mlflow-workspace-editor": ["Group a", "Group b", "User ada"],
      "mlflow.mlflow.tracking.viewer mlflow-workspace-viewer": ["Group a"],
    });
  });

  test("have no effect without the opt-in of the namespace", () => {
    const server = tracking({ access: [grantTo("a", "Admin", "team-a"), grantTo("a", "Viewer")] });
    const silent: Namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: "team-a", labels: {} } };
    assert.deepEqual(bindings([server], [access()], silent), {});
    const anothers = workspace("team-a", { "mlflow-operator.dev/workspace-of": "other" });
    assert.deepEqual(bindings([server], [access()], anothers), {});
  });

  test("apply only to the listed or selected namespaces", () => {
    const server = tracking({
      access: [
        grantTo("named", "Viewer", "team-b"),
        { ...grantTo("chosen", "Viewer"), selector: { matchLabels: { tier: "x" } } },
      ],
    });
    assert.deepEqual(bindings([server]), {});
    assert.deepEqual(bindings([server], [], workspace("team-b", { tier: "x" })), {
      "mlflow.mlflow.tracking.viewer mlflow-workspace-viewer": ["Group chosen", "Group named"],
    });
  });

  test("do not apply to a namespace that the server's selector excludes", () => {
    const server = tracking({ selector: { matchLabels: { tier: "x" } }, access: [grantTo("a", "Admin", "team-a")] });
    assert.deepEqual(bindings([server], [access()]), {});
  });

  test("of an MlflowWorkspaceAccess end exactly at expiresAt", () => {
    const until = (expiresAt: string) => Object.keys(bindings([tracking()], [access({ expiresAt })])).length;
    assert.equal(until("2026-06-01T00:00:00Z"), 0);
    assert.equal(until("2026-06-01T00:00:01Z"), 1);
    assert.equal(until("2026-06-01T01:00:00+02:00"), 0);
  });

  test("of an MlflowWorkspaceAccess apply to the referenced server", () => {
    assert.deepEqual(bindings([tracking()], [access({ serverRef: { namespace: "mlflow", name: "other" } })]), {});
    assert.deepEqual(bindings([tracking()], [access({ serverRef: { namespace: "other", name: "tracking" } })]), {});
  });

  test("of two servers add up; on a conflict the older server takes precedence, and the younger reports it", () => {
    const older = tracking({ access: [grantTo("a", "Viewer"), grantTo("b", "Editor")] }, "z-old");
    const younger = tracking({ access: [grantTo("a", "Admin"), grantTo("b", "Editor"), grantTo("c", "Admin")] }, "new");
    younger.metadata.creationTimestamp = "2026-02-01T00:00:00Z";
    assert.deepEqual(bindings([younger, older]), {
      "mlflow.mlflow.z-old.viewer mlflow-workspace-viewer": ["Group a"],
      "mlflow.mlflow.z-old.editor mlflow-workspace-editor": ["Group b"],
      "mlflow.mlflow.new.editor mlflow-workspace-editor": ["Group b"],
      "mlflow.mlflow.new.admin mlflow-workspace-admin": ["Group c"],
    });
    const namespace = workspace();
    const servers = serversOf(namespace, [younger, older]);
    const { grantConflicts } = grantsIn({ namespace, servers, accesses: [], now });
    assert.deepEqual(
      grantConflicts.map(({ server, role, olderRoles }) => [server.metadata.name, role, olderRoles]),
      [["new", "Admin", ["Viewer"]]],
    );
  });

  test("have a namespace for ServiceAccounts only", () => {
    const subjects = [{ kind: "ServiceAccount" as const, name: "training", namespace: "jobs" }];
    const [binding] = roleBindings(
      "team-a",
      grantsIn({ namespace: workspace(), servers: [tracking()], accesses: [access({ subjects })], now }).inForce,
    );
    assert.deepEqual(binding?.subjects, [{ kind: "ServiceAccount", name: "training", namespace: "jobs" }]);
  });
});

describe("the ConfigMap for clients", () => {
  test("contains everything that a pod with a token needs", () => {
    assert.deepEqual(clientConfigMap({ namespace: workspace(), servers: [tracking()] })?.data, {
      MLFLOW_TRACKING_URI: "http://tracking.mlflow:5000",
      MLFLOW_TRACKING_AUTH: "kubernetes-namespaced",
      MLFLOW_WORKSPACE: "team-a",
      OTLP_TRACES_ENDPOINT: "http://tracking.mlflow:5000/v1/traces",
      OTLP_TRACES_HEADERS: "x-mlflow-workspace=team-a",
    });
  });

  test("has no variable that OpenTelemetry reads, because MLflow's client would send traces without a token", () => {
    for (const name of Object.keys(clientConfigMap({ namespace: workspace(), servers: [tracking()] })?.data ?? {}))
      assert.doesNotMatch(name, /^OTEL_/);
  });

  test("belongs to the oldest server with clientConfigMaps", () => {
    const silent = tracking({ clientConfigMaps: false }, "old");
    const younger = tracking({}, "young");
    younger.metadata.creationTimestamp = "2026-02-01T00:00:00Z";
    const of = (...servers: MlflowServer[]) =>
      clientConfigMap({ namespace: workspace(), servers: serversOf(workspace(), servers) })?.data?.[
        "MLFLOW_TRACKING_URI"
      ];
    assert.equal(of(younger, silent), "http://young.mlflow:5000");
    assert.equal(of(younger, tracking()), "http://tracking.mlflow:5000");
    assert.equal(of(silent), undefined);
  });

  test("is not treated as an object of a server with the same name in the workspace", () => {
    const labels = clientConfigMap({ namespace: workspace(), servers: [tracking()] })?.metadata.labels ?? {};
    assert.equal(labels["mlflow-operator.dev/server"], undefined);
  });
});
