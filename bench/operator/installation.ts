import { cp, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { definitions } from "../../src/api/definitions.ts";
import { resourcePath } from "../../src/kube/kinds.ts";
import { clusterRole, leaderElectionRole } from "../../src/kube/rbac.ts";
import type { ClusterAccess } from "../../test/control-plane/cluster-access.ts";
import { succeeded } from "../../test/control-plane/completed.ts";
import { adminRequest } from "../admin-request.ts";

/** The namespace of the operator, with its service accounts and Lease. */
export const home = "mlflow-operator";

export const accounts = ["operator-a", "operator-b"] as const;

/** User name of a service account of the operator in the audit log. */
export const userOf = (account: string) => `system:serviceaccount:${home}:${account}`;

/** Installs the CRDs, and service accounts with only the generated roles. */
export async function install(cluster: ClusterAccess): Promise<void> {
  const rbac = "/apis/rbac.authorization.k8s.io/v1";
  const apiGroup = "rbac.authorization.k8s.io";
  const subjects = accounts.map((name) => ({ kind: "ServiceAccount", name, namespace: home }));
  const [everywhere, here] = [clusterRole(), leaderElectionRole(home)];
  for (const definition of definitions())
    await adminRequest(cluster, "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition);
  await adminRequest(cluster, "POST", "/api/v1/namespaces", { metadata: { name: home } });
  for (const name of accounts)
    await adminRequest(cluster, "POST", `/api/v1/namespaces/${home}/serviceaccounts`, { metadata: { name } });
  await adminRequest(cluster, "POST", `${rbac}/clusterroles`, everywhere);
  await adminRequest(cluster, "POST", `${rbac}/namespaces/${home}/roles`, here);
  await adminRequest(cluster, "POST", `${rbac}/clusterrolebindings`, {
    metadata: { name: "operator" },
    roleRef: { apiGroup, kind: "ClusterRole", name: everywhere.metadata.name },
    subjects,
  });
  await adminRequest(cluster, "POST", `${rbac}/namespaces/${home}/rolebindings`, {
    metadata: { name: "operator" },
    roleRef: { apiGroup, kind: "Role", name: here.metadata.name },
    subjects,
  });
  while ((await cluster.request("GET", resourcePath("MlflowServer", "default"))).status !== 200) await sleep(100);
}

/** Builds the released bundle, copies it to a temporary folder (removed by the caller) so that a later build does not change it, and returns its path. */
export async function builtBundle(): Promise<string> {
  const root = join(import.meta.dirname, "../..");
  await succeeded(process.execPath, ["scripts/build.ts"], { cwd: root, env: process.env });
  const aside = await mkdtemp(join(tmpdir(), "mlflow-operator-bench-"));
  await cp(join(root, "dist"), aside, { recursive: true });
  await cp(join(root, "package.json"), join(aside, "package.json"));
  return join(aside, "mlflow-operator.js");
}
