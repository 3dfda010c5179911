import type { MlflowServer } from "../api/server.ts";
import type { MlflowWorkspaceAccess } from "../api/workspace-access.ts";
import { type ApiClient, find } from "../kube/client/api-client.ts";
import { resourcePath } from "../kube/kinds.ts";
import type { Namespace, RoleBinding } from "../kube/manifests.ts";
import { label } from "../kube/names.ts";
import { clusterRoleName, workspaceRoleNames } from "../kube/workspace-roles.ts";
import { isWorkspaceObject, serversOf } from "../resources/workspace/workspace.ts";
import { type AccessRow, accessRows, type Row } from "./access-table.ts";
import { permissionRows } from "./server-access.ts";

/** The roles in a namespace of a cluster: those that the operator grants, and those of other RoleBindings to its ClusterRoles; and the permissions of its servers. */
export async function liveAccess(client: ApiClient, name: string, now: Date): Promise<Row[]> {
  const namespace = await find<Namespace>(client, `/api/v1/namespaces/${encodeURIComponent(name)}`);
  if (namespace === undefined) throw new Error(`namespace ${name} not found`);
  const serverNamespace = namespace.metadata.labels?.[label.workspaceOf];
  const servers =
    serverNamespace === undefined
      ? []
      : serversOf(namespace, await items<MlflowServer>(client, resourcePath("MlflowServer", serverNamespace)));
  const accesses = await items<MlflowWorkspaceAccess>(client, resourcePath("MlflowWorkspaceAccess", name));
  const bindings = await items<RoleBinding>(client, resourcePath("RoleBinding", name));
  const unmanaged = bindings
    .map((binding): RoleBinding => ({ ...binding, apiVersion: "rbac.authorization.k8s.io/v1", kind: "RoleBinding" }))
    .filter((binding) => !isWorkspaceObject(binding))
    .flatMap(rowsOf);
  const own = await items<MlflowServer>(client, resourcePath("MlflowServer", name));
  return [...accessRows({ namespace, servers, accesses, now }), ...unmanaged, ...permissionRows(own, name)];
}

async function items<T>(client: ApiClient, path: string): Promise<T[]> {
  const list = await client.request<{ items?: T[] | null }>({ method: "GET", path });
  return list.items ?? [];
}

/** The subjects of a RoleBinding to one of the operator's ClusterRoles. */
function rowsOf({ metadata, roleRef, subjects = [] }: RoleBinding): AccessRow[] {
  const role = workspaceRoleNames.find(
    (each) => clusterRoleName(each) === roleRef.name && roleRef.kind === "ClusterRole",
  );
  if (role === undefined) return [];
  return subjects.map((subject) => ({ subject, role, through: `RoleBinding ${metadata.namespace}/${metadata.name}` }));
}
