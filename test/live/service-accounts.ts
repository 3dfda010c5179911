import assert from "node:assert/strict";
import type { Subject } from "../../src/kube/manifests.ts";
import { type LiveFixture, timeoutSeconds } from "./live-fixture.ts";
import { waitUntil } from "./wait-until.ts";

const rbac = "/apis/rbac.authorization.k8s.io/v1";

/** The audience of the API server of the tests, which is also its issuer. */
export const apiAudience = "https://kubernetes.default.svc";

/** The permissions of MLflow users in a namespace: the pseudo-resources of the kubernetes-auth plugin. */
const userRules = [
  {
    apiGroups: ["mlflow.kubeflow.org"],
    resources: ["experiments", "registeredmodels", "datasets"],
    verbs: ["get", "list", "create", "update", "delete"],
  },
];

/** Creates a ServiceAccount, with or without permissions on MLflow in the namespace. */
export async function serviceAccount(
  fixture: LiveFixture,
  name: string,
  { mayUse }: { mayUse: boolean },
): Promise<void> {
  await fixture.objects.create("ServiceAccount", { metadata: { name } });
  if (mayUse) await grant(fixture, name, [{ kind: "ServiceAccount", name, namespace: fixture.namespace }]);
}

/** Grants subjects all permissions except administration in a namespace, by default the fixture's. Resolves when that is effective. */
export async function grant(
  fixture: LiveFixture,
  name: string,
  subjects: readonly Subject[],
  namespace = fixture.namespace,
): Promise<void> {
  const place = `${rbac}/namespaces/${namespace}`;
  await created(fixture, `${place}/roles`, { kind: "Role", metadata: { name: `use-${name}` }, rules: userRules });
  await created(fixture, `${place}/rolebindings`, {
    kind: "RoleBinding",
    metadata: { name: `use-${name}` },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: `use-${name}` },
    subjects,
  });
  for (const subject of subjects) await waitForReadAccess(fixture, subject, namespace);
}

/**
 * Resolves when the API server allows the subject to read experiments. Its authorizer sees a binding shortly later, by a watch,
 * and MLflow's plugin caches a denial for a minute.
 */
export async function waitForReadAccess(fixture: LiveFixture, subject: Subject, namespace: string): Promise<void> {
  const attributes = { group: "mlflow.kubeflow.org", resource: "experiments", verb: "get", namespace };
  const spec = { ...asWhom(subject), resourceAttributes: attributes };
  await waitUntil(async () => {
    const path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    const answer = await created(fixture, path, { kind: "SubjectAccessReview", spec }, "authorization.k8s.io/v1");
    const { status }: { status?: { allowed?: boolean } } = JSON.parse(answer);
    assert.equal(status?.allowed, true, answer);
  }, 60);
}

function asWhom({ kind, name, namespace }: Subject): { readonly user: string; readonly groups?: readonly string[] } {
  if (kind === "User") return { user: name };
  if (kind === "Group") return { user: "member", groups: [name] };
  const user = `system:serviceaccount:${namespace}:${name}`;
  return { user, groups: ["system:serviceaccounts", `system:serviceaccounts:${namespace}`] };
}

/** Returns a token of a ServiceAccount, as in a projected volume. */
export async function serviceAccountToken(fixture: LiveFixture, name: string, audience = apiAudience): Promise<string> {
  const path = `/api/v1/namespaces/${fixture.namespace}/serviceaccounts/${name}/token`;
  const spec = { audiences: [audience], expirationSeconds: 3600 };
  const answer = await created(fixture, path, { kind: "TokenRequest", spec }, "authentication.k8s.io/v1");
  const { status }: { status?: { token?: string } } = JSON.parse(answer);
  assert.ok(status?.token !== undefined, answer);
  return status.token;
}

const openPrefix = "discovery-for-";
const disabledLabel = "tests/discovery";

/** Blocks anonymous access to the API server's public keys in the whole cluster. Other tests wait until the returned function is called. */
export async function disableDiscovery({ objects, cluster }: LiveFixture): Promise<() => Promise<void>> {
  const name = "discovery-disabled";
  await objects.create("ConfigMap", { metadata: { name, labels: { [disabledLabel]: "disabled" } } });
  await waitUntil(async () => {
    const { body } = await cluster.request("GET", `${rbac}/clusterrolebindings`);
    assert.ok(!body.includes(`"name":"${openPrefix}`), "another test allows anonymous access to the keys");
  }, timeoutSeconds);
  return () => objects.remove("ConfigMap", name);
}

async function isDiscoveryDisabled({ cluster }: LiveFixture): Promise<boolean> {
  const { body } = await cluster.request("GET", `/api/v1/configmaps?labelSelector=${disabledLabel}`);
  const { items }: { items: { metadata: { creationTimestamp: string } }[] } = JSON.parse(body);
  // A test that was killed does not remove its ConfigMap.
  return items.some(({ metadata }) => Date.now() - Date.parse(metadata.creationTimestamp) < timeoutSeconds * 1000);
}

/**
 * Allows anonymous access to the API server's public keys; returns a function that revokes it. The binding exists before it has
 * subjects, so that this and a test that disables discovery always detect each other.
 */
export async function enableDiscovery(fixture: LiveFixture): Promise<() => Promise<void>> {
  const name = `${openPrefix}${fixture.namespace}`;
  const binding = {
    kind: "ClusterRoleBinding",
    metadata: { name },
    roleRef: {
      apiGroup: "rbac.authorization.k8s.io",
      kind: "ClusterRole",
      name: "system:service-account-issuer-discovery",
    },
  };
  const close = async () => void (await fixture.objects.attempt("DELETE", `${rbac}/clusterrolebindings/${name}`));
  await waitUntil(async () => {
    assert.ok(!(await isDiscoveryDisabled(fixture)), "another test has disabled discovery");
    await created(fixture, `${rbac}/clusterrolebindings`, binding);
    if (!(await isDiscoveryDisabled(fixture))) return;
    await close();
    assert.fail("another test has just disabled discovery");
  }, timeoutSeconds);
  await fixture.objects.patch("ClusterRoleBinding", name, {
    subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "Group", name: "system:unauthenticated" }],
  });
  return close;
}

async function created(
  { objects }: LiveFixture,
  path: string,
  body: object,
  apiVersion = "rbac.authorization.k8s.io/v1",
): Promise<string> {
  const answer = await objects.attempt("POST", path, { apiVersion, ...body });
  assert.ok(answer.status < 300, `${path}: ${answer.status} ${answer.body}`);
  return answer.body;
}
