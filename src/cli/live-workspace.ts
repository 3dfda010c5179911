import type { MlflowServer } from "../api/server.ts";
import type { MlflowWorkspaceAccess } from "../api/workspace-access.ts";
import { credentialsFor } from "../client/api-access.ts";
import { type ApiClient, apiClient, find } from "../client/api-client.ts";
import { resourcePath } from "../kube/kinds.ts";
import type { Namespace, RoleBinding } from "../kube/manifests.ts";
import { label } from "../kube/names.ts";
import { clusterRoleName, workspaceRoleNames } from "../kube/workspace-roles.ts";
import { isWorkspaceObject } from "../resources/workspace/ownership.ts";
import { serversOf } from "../resources/workspace/workspace.ts";
import { type AccessRow, accessRows } from "./access-table.ts";

/** Who may do what in a namespace of a cluster, asked for with the user's own credentials: grants, and bindings of others. */
export async function liveAccess(kubeconfig: string, name: string, version: string, now: Date): Promise<AccessRow[]> {
  const client = apiClient({
    credentials: credentialsFor({ kubeconfig }),
    userAgent: `mlflow-operator-cli/${version}`,
  });
  try {
    const namespace = await find<Namespace>(client, `/api/v1/namespaces/${encodeURIComponent(name)}`);
    if (namespace === undefined) throw new Error(`there is no namespace ${name}`);
    const host = namespace.metadata.labels?.[label.workspaceOf];
    const servers =
      host === undefined
        ? []
        : serversOf(namespace, await items<MlflowServer>(client, resourcePath("MlflowServer", host)));
    const accesses = await items<MlflowWorkspaceAccess>(client, resourcePath("MlflowWorkspaceAccess", name));
    const bindings = await items<RoleBinding>(client, resourcePath("RoleBinding", name));
    const byHand = bindings
      .map((binding): RoleBinding => ({ ...binding, apiVersion: "rbac.authorization.k8s.io/v1", kind: "RoleBinding" }))
      .filter((binding) => !isWorkspaceObject(binding))
      .flatMap(rowsOf);
    return [...accessRows({ namespace, servers, accesses, now }), ...byHand];
  } finally {
    client.close();
  }
}

async function items<T>(client: ApiClient, path: string): Promise<T[]> {
  const list = await client.request<{ items?: T[] | null }>({ method: "GET", path });
  return list.items ?? [];
}

/** Who has a role of ours by somebody else's binding. */
function rowsOf({ metadata, roleRef, subjects = [] }: RoleBinding): AccessRow[] {
  const role = workspaceRoleNames.find(
    (each) => clusterRoleName(each) === roleRef.name && roleRef.kind === "ClusterRole",
  );
  if (role === undefined) return [];
  return subjects.map((subject) => ({ subject, role, through: `RoleBinding ${metadata.namespace}/${metadata.name}` }));
}
