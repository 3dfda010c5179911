import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import type { CredentialSource } from "../../src/kube/client/credentials.ts";
import { clusterRole, leaderElectionRole, namespacedRole, serverRoles } from "../../src/kube/rbac.ts";
import { workspaceClusterRole, workspaceRoleNames } from "../../src/kube/workspace-roles.ts";
import type { ClusterAccess } from "../control-plane/cluster-access.ts";
import { eventually } from "./eventually.ts";
import { applyPatch } from "./objects.ts";

/** A ServiceAccount for an operator, with exactly the permissions of the project. */
export interface OperatorIdentity {
  readonly namespace: string;
  readonly serviceAccount: string;
  /** Its user name in the audit log. */
  readonly user: string;
  /** For an operator in this process; `server` is a proxy in front of the API server. */
  readonly credentials: (server?: string) => CredentialSource;
  /** Path of a kubeconfig, for an operator in another process. */
  readonly kubeconfig: (server?: string) => Promise<string>;
}

/**
 * Creates the ServiceAccount in `home`, with permission for its Lease there. Its other permissions are those of the generated
 * ClusterRole or, with `namespaces`, of the generated Role in each of these.
 */
export async function operatorIdentity(
  cluster: ClusterAccess,
  home: string,
  namespaces?: readonly string[],
  serviceAccount = "operator",
): Promise<OperatorIdentity> {
  const subjects = [{ kind: "ServiceAccount", name: serviceAccount, namespace: home }];
  const apply = async (path: string, body: object) => {
    const answer = await cluster.request("PATCH", `${path}?fieldManager=test&force=true`, {
      body,
      headers: { "content-type": applyPatch },
    });
    assert.ok(answer.status < 300, `${path}: ${answer.status} ${answer.body}`);
  };
  const rbac = "/apis/rbac.authorization.k8s.io/v1";
  const bind = async (kind: "Role" | "ClusterRole", role: string, namespace?: string) => {
    const name = `${role}-of-${serviceAccount}-in-${home}`;
    const scope = namespace === undefined ? "clusterrolebindings" : `namespaces/${namespace}/rolebindings`;
    await apply(`${rbac}/${scope}/${name}`, {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: namespace === undefined ? "ClusterRoleBinding" : "RoleBinding",
      metadata: { name, ...(namespace !== undefined && { namespace }) },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind, name: role },
      subjects,
    });
  };
  const allow = async (role: ReturnType<typeof namespacedRole>) => {
    const { name, namespace } = role.metadata;
    await apply(`${rbac}/namespaces/${namespace}/roles/${name}`, role);
    await bind("Role", name, namespace);
  };

  await apply(`/api/v1/namespaces/${home}/serviceaccounts/${serviceAccount}`, {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: serviceAccount, namespace: home },
  });
  await allow(leaderElectionRole(home));
  if (namespaces === undefined) {
    const role = { ...clusterRole(), metadata: { name: `all-for-operator-in-${home}` } };
    await apply(`${rbac}/clusterroles/${role.metadata.name}`, role);
    await bind("ClusterRole", role.metadata.name);
    for (const each of [...serverRoles(), ...workspaceRoleNames.map(workspaceClusterRole)])
      await apply(`${rbac}/clusterroles/${each.metadata.name}`, each);
  } else {
    for (const namespace of namespaces) await allow(namespacedRole(namespace));
  }
  const user = `system:serviceaccount:${home}:${serviceAccount}`;
  // The authorizer of the API server learns of roles by watches, which takes a moment on a busy machine.
  await effective(cluster, user, { group: "coordination.k8s.io", resource: "leases", verb: "get", namespace: home });
  for (const namespace of namespaces ?? [undefined])
    await effective(cluster, user, { group: "apps", resource: "deployments", verb: "create", namespace });
  return {
    namespace: home,
    serviceAccount,
    user,
    credentials: await tokenCredentials(cluster, home, serviceAccount),
    kubeconfig: (server) => cluster.kubeconfigFor({ serviceAccount, namespace: home }, server),
  };
}

/** Resolves when the API server allows the request. */
async function effective(cluster: ClusterAccess, user: string, resourceAttributes: object): Promise<void> {
  const path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
  const body = {
    apiVersion: "authorization.k8s.io/v1",
    kind: "SubjectAccessReview",
    spec: { user, resourceAttributes },
  };
  await eventually(async () => {
    const answer = await cluster.request("POST", path, { body });
    assert.equal(JSON.parse(answer.body).status?.allowed, true, answer.body);
  }, 60);
}

async function tokenCredentials(
  cluster: ClusterAccess,
  namespace: string,
  serviceAccount: string,
): Promise<OperatorIdentity["credentials"]> {
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${serviceAccount}/token`;
  const answer = await cluster.request("POST", path, { body: { spec: {} } });
  assert.equal(answer.status, 201, answer.body);
  const { status }: { status: { token: string } } = JSON.parse(answer.body);
  const tls = { ca: await readFile(cluster.caFile, "utf8"), rejectUnauthorized: true };
  return (server = cluster.url) => {
    const credentials = { server: new URL(server), headers: { Authorization: `Bearer ${status.token}` }, tls };
    return { current: () => Promise.resolve(credentials), rejected: () => {} };
  };
}
