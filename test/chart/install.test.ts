import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { load } from "js-yaml";
import type { MlflowServer } from "../../src/api/server.ts";
import { controlPlaneBinaries } from "../control-plane/binaries.ts";
import { type ControlPlane, startControlPlane } from "../control-plane/control-plane.ts";
import { auditLog } from "../support/audit-log.ts";
import { eventually } from "../support/eventually.ts";
import { startKubelet } from "../support/kubelet.ts";
import { objects } from "../support/objects.ts";
import { condition, freshNamespace } from "../support/operator-fixture.ts";
import { server } from "../support/servers.ts";
import { assertPending } from "../support/status-invariants.ts";
import { chart, helmProgram } from "./helm.ts";
import { call, chartWith, type Installation, installation, may, releaseName } from "./installation.ts";
import { operatorOf } from "./operator-of.ts";
import { type Rendered, renderedObjects } from "./rendering.ts";

const root = join(import.meta.dirname, "../..");
const definitionPath = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/mlflowservers.mlflow-operator.dev";
const unavailableReason = await controlPlaneBinaries().then(
  ({ kubeControllerManager }) => !kubeControllerManager && "KUBEBUILDER_ASSETS has no kube-controller-manager",
  (error: unknown) => String(error),
);

/** A cluster has one CRD, which other test files share, so this file starts its own cluster. */
let cluster: ControlPlane;
before(async () => {
  if (unavailableReason) return;
  await helmProgram();
  cluster = await startControlPlane();
});
after(() => cluster?.close());

/** Applies the smallest server in a namespace, and waits until it is ready. */
async function serverIn(namespace: string): Promise<MlflowServer> {
  const own = objects(cluster, namespace);
  const kubelet = startKubelet(cluster, namespace);
  try {
    await own.create("MlflowServer", server());
    return await eventually(async () => {
      const found = await own.the("MlflowServer", "mlflow");
      assert.equal(condition(found, "Ready").status, "True", JSON.stringify(found.status));
      return found;
    });
  } finally {
    await kubelet.stop();
  }
}

async function forbiddenRequests(user: string): Promise<readonly string[]> {
  const calls = await auditLog(cluster).calls({ user });
  assert.ok(calls.length > 0, `${user} made no call`);
  return calls.filter(({ code }) => code === 403).map(({ verb, uri }) => `${verb} ${uri}`);
}

const definition = () => call<{ metadata: Rendered["metadata"]; spec: unknown }>(cluster, "GET", definitionPath);
const knowsHibernate = async () => JSON.stringify((await definition()).spec).includes('"hibernate":{');

describe("a release", { skip: unavailableReason }, () => {
  let own: Installation;
  let tenant: string;
  let first: MlflowServer;

  test("a dry run creates nothing", async () => {
    own = await installation(cluster);
    await own.run("install", chart, "--dry-run=server");
    assert.equal((await cluster.request("GET", definitionPath)).status, 404);
  });

  test("an older chart installs its older CRD", async () => {
    const older = await chartWith(
      (text) => text.replace(/^ {16}hibernate:\n(?: {18}.*\n)+/m, ""),
      "files/crds/mlflowservers.yaml",
    );
    await own.run("install", older);
    assert.equal(await knowsHibernate(), false);
  });

  test("with an older CRD the operator applies nothing for a server, and its status says why", async () => {
    tenant = await freshNamespace(cluster);
    const inTenant = objects(cluster, tenant);
    const operator = await operatorOf(cluster, own);
    try {
      await inTenant.create("MlflowServer", server());
      await eventually(async () => {
        const ready = condition(await inTenant.the("MlflowServer", "mlflow"), "Ready");
        assert.equal(ready.reason, "CustomResourceDefinitionOutdated");
        assert.match(ready.message, /it does not have spec\.hibernate/);
      });
      assert.deepEqual(await inTenant.list("Deployment"), []);
      await inTenant.remove("MlflowServer", "mlflow");
    } finally {
      await operator.stop();
    }
    assert.deepEqual(await forbiddenRequests(own.user), []);
  });

  test("its pods comply with the restricted Pod Security Standard", async () => {
    await eventually(async () => {
      const pods = await objects(cluster, own.namespace).list("Pod");
      assert.equal(pods.length, 2);
    });
  });

  test("an upgrade includes the CRD", async () => {
    await own.run("upgrade", chart);
    await eventually(async () => assert.equal(await knowsHibernate(), true));
  });

  test("the operator makes a server ready, and none of its requests is forbidden", async () => {
    const operator = await operatorOf(cluster, own);
    try {
      first = await serverIn(tenant);
      assert.ok(operator.messages.includes("this process is the leader"));
    } finally {
      await operator.stop();
    }
    assert.deepEqual(await forbiddenRequests(own.user), []);
  });

  test("an upgrade does not change servers", async () => {
    const before = await objects(cluster, tenant).the("Deployment", "mlflow");
    await own.run("upgrade", chart);
    // The API server uses the new definition a moment later; until then it prunes fields that the previous one does not have.
    const server = await eventually(async () => {
      const patched = await objects(cluster, tenant).patch("MlflowServer", "mlflow", { spec: { hibernate: true } });
      assert.equal(patched.spec.hibernate, true);
      return patched;
    });
    assert.equal(server.metadata.uid, first.metadata.uid);
    assert.equal((await objects(cluster, tenant).the("Deployment", "mlflow")).metadata.uid, before.metadata.uid);
  });

  test("the installed CRDs equal the generated ones", async () => {
    const installed = (await renderedObjects("default")).filter(({ kind }) => kind === "CustomResourceDefinition");
    assert.equal(installed.length, 4);
    for (const { metadata, spec } of installed) {
      const [plural] = metadata.name.split(".");
      const source = JSON.stringify(load(await readFile(join(root, `crds/${plural}.yaml`), "utf8")));
      assert.deepEqual(spec, JSON.parse(source).spec);
    }
  });

  test("rolls the operator's pods only after a change", async () => {
    const generation = async () =>
      (await objects(cluster, own.namespace).the("Deployment", releaseName)).metadata.generation;
    const before = await generation();
    await own.run("upgrade", chart);
    assert.equal(await generation(), before);
    await own.run("upgrade", chart, "--set", "workers=4");
    assert.notEqual(await generation(), before);
  });

  test("a rollback includes the CRD; fields that the older one does not have are back after the upgrade", async () => {
    await own.run("rollback", "1");
    await eventually(async () => assert.equal(await knowsHibernate(), false));
    const server = await objects(cluster, tenant).the("MlflowServer", "mlflow");
    assert.equal(server.metadata.uid, first.metadata.uid);
    await own.run("upgrade", chart);
    await eventually(async () => {
      assert.equal((await objects(cluster, tenant).the("MlflowServer", "mlflow")).spec.hibernate, true);
    });
  });

  test("helm uninstall keeps the CRD and all servers", async () => {
    await own.run("uninstall");
    await eventually(async () => {
      assert.equal(await objects(cluster, own.namespace).get("Deployment", releaseName), undefined);
    });
    assert.equal(
      (await cluster.request("GET", `/apis/rbac.authorization.k8s.io/v1/clusterroles/${releaseName}`)).status,
      404,
    );
    const server = await objects(cluster, tenant).the("MlflowServer", "mlflow");
    assert.equal(server.metadata.uid, first.metadata.uid);
    assert.equal(server.metadata.deletionTimestamp, undefined);
    await objects(cluster, tenant).the("Deployment", "mlflow");
  });

  test("a new release with the same name adopts the CRD and the server", async () => {
    await own.run("install", chart);
    const operator = await operatorOf(cluster, own);
    try {
      await eventually(async () => {
        const server = await objects(cluster, tenant).the("MlflowServer", "mlflow");
        assert.equal(condition(server, "Ready").observedGeneration, server.metadata.generation);
      });
    } finally {
      await operator.stop();
    }
    assert.deepEqual(await forbiddenRequests(own.user), []);
  });

  test("a second release is rejected while the CRD belongs to another, with a remedy", async () => {
    const other = await installation(cluster);
    assert.match(await other.rejected("install", chart), /invalid ownership metadata/);
  });
});

describe("the operator's permissions", { skip: unavailableReason }, () => {
  let own: Installation;
  let tenant: string;
  before(async () => {
    tenant = await freshNamespace(cluster);
    const [found] = (
      await call<{ items: { subjects: { namespace: string }[]; metadata: { name: string } }[] }>(
        cluster,
        "GET",
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
      )
    ).items.filter(({ metadata }) => metadata.name === releaseName);
    const namespace = found?.subjects[0]?.namespace ?? "";
    own = { ...(await installation(cluster)), namespace, user: `system:serviceaccount:${namespace}:${releaseName}` };
  });

  /** `verb resource[/subresource][.group]`: permissions that would allow privilege escalation. */
  const dangerous = [
    "patch roles.rbac.authorization.k8s.io",
    "patch clusterroles.rbac.authorization.k8s.io",
    "bind clusterroles.rbac.authorization.k8s.io",
    "escalate clusterroles.rbac.authorization.k8s.io",
    "impersonate users",
    "impersonate serviceaccounts",
    "create serviceaccounts/token",
    "create pods",
    "create pods/exec",
    "get pods/log",
    "create pods/ephemeralcontainers",
    "get nodes/proxy",
    "patch namespaces",
    "patch customresourcedefinitions.apiextensions.k8s.io",
    "patch validatingwebhookconfigurations.admissionregistration.k8s.io",
    "create certificatesigningrequests.certificates.k8s.io",
    "create mlflowservers.mlflow-operator.dev",
    "update mlflowservers.mlflow-operator.dev",
    "delete mlflowservers.mlflow-operator.dev",
    "create subjectaccessreviews.authorization.k8s.io",
    "get namespaces",
    "delete leases.coordination.k8s.io",
    "deletecollection secrets",
    "create daemonsets.apps",
  ];
  for (const right of dangerous) {
    test(`it cannot ${right}`, async () => {
      const [verb = "", what = ""] = right.split(" ");
      const [path = "", ...group] = what.split(".");
      const [resource = "", subresource] = path.split("/");
      const where = { group: group.join("."), namespace: own.namespace, ...(subresource && { subresource }) };
      assert.equal(await may(cluster, own.user, verb, resource, where), false);
    });
  }

  test("it can bind the roles of servers and no others, not even by an existing binding", async () => {
    const asOperator = async (args: readonly string[], stdin?: string) => {
      const { code, stderr } = await cluster.kubectl([...args, "--as", own.user, "--dry-run=server"], stdin);
      return code === 0 ? "done" : stderr;
    };
    const apiGroup = "rbac.authorization.k8s.io";
    const bind = (role: string) => {
      const isOfWorkspaces = role.startsWith("mlflow-workspace");
      const labels = {
        "app.kubernetes.io/managed-by": "mlflow-operator",
        "mlflow-operator.dev/server": "demo",
        "mlflow-operator.dev/server-namespace": tenant,
      };
      const name = isOfWorkspaces ? `mlflow.${tenant}.demo.admin` : `${tenant}.demo`;
      const manifest = {
        apiVersion: `${apiGroup}/v1`,
        kind: isOfWorkspaces ? "RoleBinding" : "ClusterRoleBinding",
        metadata: { name, labels, ...(isOfWorkspaces && { namespace: tenant }) },
        roleRef: { apiGroup, kind: "ClusterRole", name: role },
        subjects: [{ kind: "ServiceAccount", name: "demo", namespace: tenant }],
      };
      return asOperator(["create", "-f", "-"], JSON.stringify(manifest));
    };
    for (const role of ["mlflow-server", "mlflow-server-reviewer", "mlflow-workspace-admin"])
      assert.equal(await bind(role), "done");
    for (const role of ["cluster-admin", "edit"])
      assert.match(await bind(role), /attempting to grant RBAC permissions not currently held|forbidden/, role);
    const [path, name] = ["/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", `taken-${own.namespace}`];
    await call(cluster, "POST", path, {
      metadata: { name },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
    });
    const subjects = [{ kind: "ServiceAccount", name: releaseName, namespace: own.namespace }];
    const patch = ["patch", "clusterrolebinding", name, "--type=merge", "-p", JSON.stringify({ subjects })];
    assert.match(
      await asOperator(patch),
      /attempting to grant RBAC permissions not currently held|ValidatingAdmissionPolicy/,
    );
  });

  test("it can write its own Lease and no other", async () => {
    const lease = { group: "coordination.k8s.io", namespace: own.namespace };
    assert.equal(await may(cluster, own.user, "update", "leases", { ...lease, name: releaseName }), true);
    assert.equal(await may(cluster, own.user, "update", "leases", { ...lease, name: "other" }), false);
    assert.equal(
      await may(cluster, own.user, "get", "leases", { ...lease, namespace: "kube-system", name: releaseName }),
      false,
    );
  });

  test("viewers and editors of a namespace have the same permissions on its servers, and in no other namespace", async () => {
    const namespace = await freshNamespace(cluster);
    for (const role of ["view", "edit"])
      await call(cluster, "POST", `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/rolebindings`, {
        metadata: { name: role },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role },
        subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: `${role}er` }],
      });
    const can = (user: string, verb: string, where = namespace) =>
      may(cluster, user, verb, "mlflowservers", { group: "mlflow-operator.dev", namespace: where });
    await eventually(async () => {
      assert.deepEqual(
        [await can("viewer", "list"), await can("viewer", "patch"), await can("editer", "list")],
        [true, false, true],
      );
      assert.deepEqual([await can("editer", "create"), await can("editer", "create", "default")], [true, false]);
    });
    const status = { group: "mlflow-operator.dev", namespace, subresource: "status" };
    assert.equal(await may(cluster, "editer", "patch", "mlflowservers", status), false);
  });
});

describe("a release for some namespaces", { skip: unavailableReason }, () => {
  test("the operator watches these namespaces and no others", async () => {
    const own = await installation(cluster);
    const [one, other, unwatched] = await Promise.all([1, 2, 3].map(() => freshNamespace(cluster)));
    assert.ok(one && other && unwatched);
    const sets = ["crds.enabled=false", "rbac.aggregateToUserRoles=false", `watchNamespaces={${one},${other}}`];
    await own.run("install", chart, ...sets.flatMap((set) => ["--set", set]));
    const operator = await operatorOf(cluster, own);
    try {
      await Promise.all([one, other].map(serverIn));
      await objects(cluster, unwatched).create("MlflowServer", server());
    } finally {
      await operator.stop();
    }
    assert.deepEqual(await forbiddenRequests(own.user), []);
    for (const [namespace, expected] of [
      [one, true],
      [other, true],
      [unwatched, false],
      [own.namespace, false],
    ] as const)
      assert.equal(await may(cluster, own.user, "get", "secrets", { namespace }), expected, namespace);
    assertPending(await objects(cluster, unwatched).the("MlflowServer", "mlflow"));
    await own.run("uninstall");
    await eventually(async () => {
      assert.equal(await may(cluster, own.user, "get", "secrets", { namespace: one }), false);
    });
  });
});

describe("without Helm", { skip: unavailableReason }, () => {
  test("the kustomize base equals the single file", async () => {
    const built = await cluster.kubectl(["kustomize", join(root, "config/base")]);
    assert.equal(built.code, 0, built.stderr);
    const names = async (text: string) => {
      const listed = await cluster.kubectl(["create", "--dry-run=client", "--output=name", "-f", "-"], text);
      assert.equal(listed.code, 0, listed.stderr);
      return listed.stdout.trim().split("\n").sort();
    };
    const single = await readFile(join(root, "config/install.yaml"), "utf8");
    assert.deepEqual(await names(built.stdout), await names(single));
  });

  test("the API server accepts the single file, twice", async () => {
    const args = ["apply", "--server-side", "--force-conflicts", "-f", join(root, "config/install.yaml")];
    for (let time = 1; time <= 2; time += 1) {
      const { code, stderr } = await cluster.kubectl(args);
      assert.equal(code, 0, stderr);
      assert.doesNotMatch(stderr, /[Ww]arning/);
    }
  });
});
