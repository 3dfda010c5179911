import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { test } from "node:test";
import { dump, loadAll } from "js-yaml";
import { serverRoles } from "../../src/kube/rbac.ts";
import { workspaceClusterRole, workspaceRoleNames } from "../../src/kube/workspace-roles.ts";
import { isObject } from "../chart/rendering.ts";
import { auditLog } from "../support/audit-log.ts";
import { objects } from "../support/objects.ts";
import { freshNamespace } from "../support/operator-fixture.ts";
import { imageReference, liveCluster } from "./live-cluster.ts";
import { operatorName, operatorPods } from "./operator-pods.ts";

const root = join(import.meta.dirname, "../..");
const namespace = operatorName;
const user = `system:serviceaccount:${namespace}:${operatorName}`;

test("the manifests without Helm, on a real node", { timeout: 1_200_000 }, async (context) => {
  const cluster = await liveCluster();
  await imageReference(cluster, "mlflow-operator");
  const own = objects(cluster, namespace);
  const operator = operatorPods(cluster, namespace);
  const tenant = objects(cluster, await freshNamespace(cluster));
  const log = auditLog(cluster);
  const began = await log.mark();
  const kubectlWith = async (stdin: string | undefined, ...args: readonly string[]) => {
    const { code, stdout, stderr } = await cluster.kubectl(args, stdin);
    assert.equal(code, 0, `kubectl ${args.join(" ")}: ${stderr}`);
    assert.doesNotMatch(stderr, /[Ww]arning/);
    return stdout;
  };
  const kubectl = (...args: readonly string[]) => kubectlWith(undefined, ...args);
  // A reused cluster can have the CRD of another version of the project, which other tests replace, too.
  const apply = (...args: readonly string[]) => kubectl("apply", "--server-side", "--force-conflicts", ...args);
  const ownDocuments = await documentsOfItsOwn();
  const uninstall = () => kubectlWith(ownDocuments, "delete", "--ignore-not-found", "-f", "-");
  const overlay = await mkdtemp(join(tmpdir(), "mlflow-operator-overlay-"));
  await uninstall();
  context.after(async () => {
    if (!context.passed) context.diagnostic(await operator.logs());
    await uninstall();
    await cluster.request("DELETE", `/api/v1/namespaces/${tenant.namespace}`);
    await rm(overlay, { recursive: true });
  });

  await context.test("the single manifest runs two replicas, which wait while another holds the Lease", async () => {
    // This operator watches all namespaces, including those of other tests: it must not become leader.
    await kubectl("create", "namespace", namespace);
    const spec = { holderIdentity: "this test", leaseDurationSeconds: 86_400 };
    await own.create("Lease", { metadata: { name: operatorName }, spec });
    await apply("-f", join(root, "config/install.yaml"));
    await kubectl("rollout", "status", `deployment/${operatorName}`, "--namespace", namespace, "--timeout=5m");
    assert.equal((await own.the("Lease", operatorName)).spec?.holderIdentity, "this test");
    const calls = await log.calls({ since: began, user });
    assert.ok(calls.some(({ verb, resource }) => verb === "watch" && resource === "mlflowservers"));
    assert.deepEqual(
      calls.filter(({ code }) => code === 403),
      [],
    );
  });

  await context.test("an overlay of the kustomize base is applied, and the operator works", async () => {
    const patch = [
      {
        op: "add",
        path: "/spec/template/spec/containers/0/args/-",
        value: `--watch-namespaces=${tenant.namespace}`,
      },
    ];
    const kustomization = {
      apiVersion: "kustomize.config.k8s.io/v1beta1",
      kind: "Kustomization",
      resources: [relative(overlay, join(root, "config/base"))],
      patches: [{ target: { kind: "Deployment", name: operatorName }, patch: dump(patch) }],
    };
    await writeFile(join(overlay, "kustomization.yaml"), dump(kustomization));
    await apply("-k", overlay);
    await kubectl("rollout", "status", `deployment/${operatorName}`, "--namespace", namespace, "--timeout=5m");
    await own.remove("Lease", operatorName);
    await operator.leaderAndOther();
    await operator.worksOn(tenant, "looked-at");
  });

  await context.test("uninstalling keeps the CRD and the servers", async () => {
    await uninstall();
    assert.equal((await cluster.request("GET", `/api/v1/namespaces/${namespace}`)).status, 404);
    const roles = await kubectl("get", "clusterroles,clusterrolebindings", "--output=name");
    assert.doesNotMatch(roles, new RegExp(`/${operatorName}(-|$)`, "m"));
    assert.ok((await tenant.the("MlflowServer", "looked-at")).metadata.deletionTimestamp === undefined);
  });
});

/** Returns the manifests without the roles of servers and workspaces, which other tests are using. */
async function documentsOfItsOwn(): Promise<string> {
  const documents: unknown[] = loadAll(await readFile(join(root, "config/base/operator.yaml"), "utf8"));
  const shared = [...serverRoles(), ...workspaceRoleNames.map(workspaceClusterRole)].map(
    ({ metadata }) => metadata.name,
  );
  const own = documents
    .filter(isObject)
    .filter(({ kind, metadata }) => kind !== "ClusterRole" || !shared.includes(metadata.name));
  return own.map((document) => dump(document)).join("---\n");
}
