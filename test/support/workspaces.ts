import type { MlflowServer } from "../../src/api/server.ts";
import { apiVersion } from "../../src/api/server.ts";
import type { MlflowServerSpec } from "../../src/api/spec.ts";
import type { MlflowWorkspaceAccess } from "../../src/api/workspace-access.ts";
import type { Namespace } from "../../src/kube/manifests.ts";
import { finalizer, label } from "../../src/kube/names.ts";
import { server } from "./fixtures.ts";

/** A namespace that is a workspace of servers in `mlflow`; a test sets only the difference. */
export function workspace(name = "team-a", labels: Readonly<Record<string, string>> = {}): Namespace {
  const metadata = { name, labels: { [label.workspaceOf]: "mlflow", ...labels } };
  return { apiVersion: "v1", kind: "Namespace", metadata };
}

/** The server `mlflow/tracking` with a finalizer and all workspaces. */
export function tracking(workspaces: MlflowServerSpec["workspaces"] = {}, name = "tracking"): MlflowServer {
  const metadata = {
    name,
    namespace: "mlflow",
    uid: `uid-of-${name}`,
    generation: 1,
    creationTimestamp: "2026-01-01T00:00:00Z",
    finalizers: [finalizer],
  };
  return server({ authentication: { kubernetes: {} }, workspaces }, { metadata });
}

/** An MlflowWorkspaceAccess in `team-a`: Ada is an Editor. */
export function access(spec: Partial<MlflowWorkspaceAccess["spec"]> = {}, name = "guests"): MlflowWorkspaceAccess {
  return {
    apiVersion,
    kind: "MlflowWorkspaceAccess",
    metadata: { name, namespace: "team-a", uid: `uid-of-${name}`, generation: 1 },
    spec: {
      serverRef: { namespace: "mlflow", name: "tracking" },
      role: "Editor",
      subjects: [{ kind: "User", name: "ada" }],
      ...spec,
    },
  };
}

/** A grant of a server for one group. */
export const grantTo = (
  group: string,
  role: "Viewer" | "Editor" | "Admin" | "TraceWriter",
  ...namespaces: string[]
) => ({
  role,
  subjects: [{ kind: "Group" as const, name: group }],
  ...(namespaces.length > 0 ? { namespaces } : { selector: {} }),
});
