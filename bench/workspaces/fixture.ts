import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { MlflowServer } from "../../src/api/server.ts";
import { resourcePath } from "../../src/kube/kinds.ts";
import { label } from "../../src/kube/names.ts";
import { clusterRoleName, workspaceClusterRole, workspaceRoleNames } from "../../src/kube/workspace-roles.ts";
import type { ClusterAccess } from "../../test/control-plane/cluster-access.ts";
import { succeeded } from "../../test/control-plane/completed.ts";
import { adminRequest, mergePatch } from "../admin-request.ts";
import { inFlight } from "../in-flight.ts";
import type { Writes } from "../operator/bare-writer.ts";
import { quickStart } from "../operator/servers.ts";

/** Namespace and name of the server of the bench. */
export const host = "mlflow";
const name = "tracking";

const rbac = "rbac.authorization.k8s.io";
const numbered = (prefix: string, count: number) => Array.from({ length: count }, (_, index) => `${prefix}-${index}`);

export const workspaceNames = (count: number) => numbered("ws", count);

/** Namespaces, some of which are workspaces of the server. */
export async function createNamespaces(cluster: ClusterAccess, prefix: string, count: number): Promise<void> {
  const labels = prefix === "ws" ? { [label.workspaceOf]: host } : {};
  await inFlight(16, numbered(prefix, count), (each) =>
    adminRequest(cluster, "POST", "/api/v1/namespaces", { metadata: { name: each, labels } }),
  );
}

/** Creates the roles and a server without grants, and waits until it is ready. */
export async function createServer(cluster: ClusterAccess): Promise<void> {
  for (const role of workspaceRoleNames.map(workspaceClusterRole))
    await adminRequest(cluster, "POST", `/apis/${rbac}/v1/clusterroles`, role);
  await adminRequest(cluster, "POST", "/api/v1/namespaces", { metadata: { name: host } });
  await adminRequest(cluster, "POST", resourcePath("MlflowServer", host), {
    apiVersion: "mlflow-operator.dev/v1alpha1",
    kind: "MlflowServer",
    metadata: { name },
    spec: { ...quickStart, authentication: { kubernetes: {} }, workspaces: { clientConfigMaps: false } },
  });
  await until(async () => {
    const { status } = await server(cluster);
    return status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") === true;
  });
}

export function server(cluster: ClusterAccess): Promise<MlflowServer> {
  return adminRequest(cluster, "GET", resourcePath("MlflowServer", host, name));
}

const grant = (role: string, who: string, ...namespaces: readonly string[]) => ({
  role,
  subjects: [{ kind: "Group", name: who }],
  ...(namespaces.length > 0 ? { namespaces } : { selector: {} }),
});

/** Grants of two roles in all workspaces. */
export const twoGrants = [grant("Editor", "data-science"), grant("Viewer", "audit")];
export const oneMore = [...twoGrants, grant("Admin", "leads", "ws-7")];

export async function setGrants(cluster: ClusterAccess, access: readonly object[]): Promise<void> {
  const patch = { spec: { workspaces: { access } } };
  await adminRequest(cluster, "PATCH", resourcePath("MlflowServer", host, name), patch, mergePatch);
}

/** Waits until there are `count` RoleBindings of the operator. */
export async function boundIn(cluster: ClusterAccess, count: number): Promise<void> {
  await until(async () => {
    const query = new URLSearchParams({ labelSelector: `${label.serverNamespace}=${host}` });
    const accept = { accept: "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1" };
    const answer = await cluster.request("GET", `${resourcePath("RoleBinding")}?${query}`, {
      headers: accept,
      timeoutMilliseconds: 60_000,
    });
    const { items }: { items: unknown[] | null } = JSON.parse(answer.body);
    return (items ?? []).length === count;
  });
}

/** Waits until the server reports that all `count` workspaces are ready. */
export async function reportedReady(cluster: ClusterAccess, count: number): Promise<void> {
  await until(async () => (await server(cluster)).status?.workspaces?.ready === count);
}

/** Returns the seconds in which a client without logic writes two bindings into each of `count` namespaces. */
export async function bareSeconds(cluster: ClusterAccess, url: string, run: string, count: number): Promise<number> {
  const writer = `writer-${run}`;
  await adminRequest(cluster, "POST", resourcePath("ServiceAccount", host), { metadata: { name: writer } });
  await adminRequest(cluster, "POST", resourcePath("ClusterRoleBinding"), {
    metadata: { name: writer },
    roleRef: { apiGroup: rbac, kind: "ClusterRole", name: "cluster-admin" },
    subjects: [{ kind: "ServiceAccount", name: writer, namespace: host }],
  });
  await until(async () => {
    const spec = {
      user: `system:serviceaccount:${host}:${writer}`,
      resourceAttributes: { verb: "create", resource: "rolebindings", group: rbac },
    };
    const answer = await adminRequest<{ status: { allowed: boolean } }>(
      cluster,
      "POST",
      "/apis/authorization.k8s.io/v1/subjectaccessreviews",
      { spec },
    );
    return answer.status.allowed;
  });
  const bodies = (namespace: string) =>
    (["Editor", "Viewer"] as const).map((role) => ({
      path: resourcePath("RoleBinding", namespace),
      body: {
        apiVersion: `${rbac}/v1`,
        kind: "RoleBinding",
        metadata: {
          name: `${run}.${role.toLowerCase()}`,
          namespace,
          labels: { a: "mlflow", b: "another", c: "operator", [label.server]: name },
        },
        roleRef: { apiGroup: rbac, kind: "ClusterRole", name: clusterRoleName(role) },
        subjects: [{ kind: "Group", apiGroup: rbac, name: "data-science" }],
      },
    }));
  const orders: Writes = {
    server: url,
    token: await cluster.tokenFor(host, writer),
    ca: await readFile(cluster.caFile, "utf8"),
    concurrency: 16,
    groups: workspaceNames(count).map(bodies),
  };
  const script = join(import.meta.dirname, "../operator/bare-writer.ts");
  return Number(await succeeded(process.execPath, [script], { env: {}, stdin: JSON.stringify(orders) }));
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 180_000; !(await holds()); await sleep(100))
    if (Date.now() > deadline) throw new Error("The measured state was not reached in three minutes.");
}
