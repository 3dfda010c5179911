import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { before, describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { MlflowServer } from "../../../src/api/server.ts";
import { ClusterConnection } from "../../../src/client/cluster.ts";
import { credentialsFor } from "../../../src/kube/client/api-access.ts";
import { apiClient } from "../../../src/kube/client/api-client.ts";
import { ApiError, isApiError } from "../../../src/kube/errors.ts";
import type { ConfigMap, Job, Manifest, Owned, Secret, Service } from "../../../src/kube/manifests.ts";
import { finalizer, label, manager } from "../../../src/kube/names.ts";
import { type Key, keyText, type ObjectMeta } from "../../../src/kube/object.ts";
import type { Cluster } from "../../../src/reconcile/cluster.ts";
import { smallest } from "../../api/documents.ts";
import type { ClusterAccess } from "../../control-plane/cluster-access.ts";
import { sharedControlPlane } from "../../control-plane/shared.ts";
import { type AuditLog, auditLog } from "../../support/audit-log.ts";
import { assertPending } from "../../support/status-invariants.ts";
import { installDefinition } from "../admission/verdict.ts";

let access: ClusterAccess;
let log: AuditLog;

before(async () => {
  access = await sharedControlPlane();
  log = auditLog(access);
  await installDefinition(access);
});

interface Connected {
  readonly key: Key;
  readonly connection: ClusterConnection;
  /** One reconciliation of the server. */
  readonly reconcile: <T>(run: (cluster: Cluster) => Promise<T>) => Promise<T>;
  /** Keys that were reported as changed since the last call. */
  readonly notifications: () => string[];
  /** Requests except lists and watches since the last call, from the audit log: `verb resource`. */
  readonly calls: () => Promise<string[]>;
  readonly lost: unknown[];
}

/** A namespace with one server, and a connection that watches it. */
async function connected(context: TestContext, watchAll = false): Promise<Connected> {
  const key = { namespace: `cluster-${randomUUID().slice(0, 8)}`, name: "mlflow" };
  await call("POST", "/api/v1/namespaces", { metadata: { name: key.namespace } });
  await call("POST", serversPath(key), smallest);
  const userAgent = `client-test/${randomUUID()}`;
  const client = apiClient({ credentials: credentialsFor({ kubeconfig: access.kubeconfigPath }), userAgent });
  let keys: string[] = [];
  const lost: unknown[] = [];
  const connection = new ClusterConnection({
    client,
    ...(watchAll ? {} : { namespaces: [key.namespace] }),
    onServer: (changed) => {
      if (changed.namespace === key.namespace) keys.push(keyText(changed));
    },
    instance: "pod-0",
    onEventWriteError: (error) => void lost.push(error),
  });
  context.after(() => {
    connection.stop();
    client.close();
  });
  assert.ok(await connection.synced);
  // Each listed kind of the operator lets the schema be read again.
  await connection.reconcile(key, (cluster) => cluster.skew("MlflowServer"));
  let since = await log.mark();
  return {
    key,
    connection,
    lost,
    reconcile: (run) => connection.reconcile(key, run),
    notifications: () => {
      const soFar = [...new Set(keys)];
      keys = [];
      return soFar;
    },
    calls: async () => {
      const made = await log.calls({ since, userAgent, exclude: ({ verb }) => verb === "list" || verb === "watch" });
      since = await log.mark();
      return made.map(({ verb, resource, subresource }) => `${verb} ${resource}${subresource && `/${subresource}`}`);
    },
  };
}

const serversPath = ({ namespace }: Key) => `/apis/mlflow-operator.dev/v1alpha1/namespaces/${namespace}/mlflowservers`;

async function call<T = Owned>(method: string, path: string, body?: unknown, type = "application/json"): Promise<T> {
  const answer = await access.request(method, path, {
    headers: { "content-type": type },
    ...(body !== undefined && { body }),
  });
  assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${answer.body}`);
  return JSON.parse(answer.body);
}

const mergePatch = (path: string, body: unknown) => call("PATCH", path, body, "application/merge-patch+json");

async function until(condition: () => unknown, what: string): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await condition())) {
    assert.ok(performance.now() < deadline, `${what} did not happen within 60 s`);
    await sleep(10);
  }
}

/** Usually long enough for a watch event after a response: used to check that there is none. */
const moment = () => sleep(200);

function metadata({ namespace, name: server }: Key, name: string): ObjectMeta {
  return { namespace, name, labels: { [label.managedBy]: manager, [label.server]: server } };
}

function service(key: Key, ports: Service["spec"]["ports"] = [{ name: "http", port: 80, targetPort: 5000 }]): Service {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: metadata(key, "mlflow"),
    spec: { selector: { app: "a" }, ports },
  };
}

function configMap(key: Key, data: Record<string, string>, name = "settings"): ConfigMap {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: metadata(key, name), data };
}

/** The only cached object of the server. */
async function only({ reconcile, key }: Connected): Promise<Owned> {
  const [object, ...more] = await reconcile(async (cluster) => cluster.owned(key));
  assert.ok(object !== undefined && more.length === 0);
  return object;
}

const live = (path: string) =>
  call<{ metadata: ObjectMeta; data?: Record<string, string>; spec?: Service["spec"] }>("GET", path);

describe("create", () => {
  test("makes one request, and the next reconciliation sees the object", async (context) => {
    const one = await connected(context);
    assert.equal(await one.reconcile((cluster) => cluster.create(service(one.key))), "created");
    assert.equal((await only(one)).kind, "Service");
    assert.deepEqual(await one.calls(), ["create services"]);
  });

  test("returns exists if the name is in use, by any owner", async (context) => {
    const one = await connected(context);
    await call("POST", `/api/v1/namespaces/${one.key.namespace}/configmaps`, { metadata: { name: "settings" } });
    const manifest = configMap(one.key, { a: "b" });
    assert.equal(await one.reconcile((cluster) => cluster.create(manifest)), "exists");
    const found = await one.reconcile((cluster) => cluster.read(manifest));
    assert.deepEqual([found?.metadata.labels, found?.kind], [undefined, "ConfigMap"]);
    assert.equal(await one.reconcile((cluster) => cluster.read(service(one.key))), undefined);
  });

  test("throws an ApiError with the reason if the API server rejects it", async (context) => {
    const one = await connected(context);
    const wrong = service(one.key, [{ port: 99_999 }]);
    await assert.rejects(
      one.reconcile((cluster) => cluster.create(wrong)),
      (error) => {
        assert.ok(error instanceof ApiError);
        assert.deepEqual([error.status, error.reason], [422, "Invalid"]);
        assert.match(error.message, /^POST \/api\/v1\/namespaces\/[^ ]*\/services: 422 Invalid: .*99999/);
        return true;
      },
    );
  });
});

describe("apply", () => {
  test("removes fields that are missing in the manifest: two requests after create, later one", async (context) => {
    const one = await connected(context);
    const path = `/api/v1/namespaces/${one.key.namespace}/configmaps/settings`;
    const write = async (data: Record<string, string>) => {
      const before = await only(one);
      await one.calls();
      await one.reconcile((cluster) => cluster.apply(configMap(one.key, data), before));
      return (await live(path)).data;
    };
    await one.reconcile((cluster) => cluster.create(configMap(one.key, { a: "1", b: "2", c: "3" })));
    assert.deepEqual(await write({ a: "1", b: "2" }), { a: "1", b: "2" });
    assert.deepEqual(await one.calls(), ["patch configmaps", "patch configmaps"]);
    assert.deepEqual(await write({ a: "1" }), { a: "1" });
    assert.deepEqual(await one.calls(), ["patch configmaps"]);
    const { managedFields } = (await live(path)).metadata;
    assert.deepEqual(
      managedFields?.map(({ manager: by, operation }) => [by, operation]),
      [[manager, "Apply"]],
    );
  });

  test("removes list items of a Service with defaults from the API server", async (context) => {
    const one = await connected(context);
    const both = service(one.key, [
      { name: "http", port: 80, targetPort: 5000 },
      { name: "metrics", port: 81, targetPort: 5001 },
    ]);
    await one.reconcile((cluster) => cluster.create(both));
    const before = await only(one);
    await one.reconcile((cluster) => cluster.apply(service(one.key), before));
    const { spec } = await live(`/api/v1/namespaces/${one.key.namespace}/services/mlflow`);
    assert.deepEqual(
      spec?.ports?.map(({ name }) => name),
      ["http"],
    );
  });

  test("reverts changes of other clients and keeps their additions", async (context) => {
    const one = await connected(context);
    const path = `/api/v1/namespaces/${one.key.namespace}/configmaps/settings`;
    const manifest = configMap(one.key, { a: "1" });
    await one.reconcile((cluster) => cluster.create(manifest));
    for (const drifted of ["x", "y"]) {
      const {
        metadata: { resourceVersion },
      } = await mergePatch(path, { data: { a: drifted, other: "kept" } });
      await until(async () => (await only(one)).metadata.resourceVersion === resourceVersion, "the drift in the cache");
      const before = await only(one);
      await one.calls();
      await one.reconcile((cluster) => cluster.apply(manifest, before));
      assert.deepEqual((await live(path)).data, { a: "1", other: "kept" });
      assert.ok((await one.calls()).length <= 2);
    }
  });

  test("merges an entry of operation Update with one of operation Apply", async (context) => {
    const one = await connected(context);
    const path = `/api/v1/namespaces/${one.key.namespace}/configmaps/settings`;
    await call(
      "PATCH",
      `${path}?fieldManager=${manager}`,
      configMap(one.key, { a: "1" }),
      "application/apply-patch+yaml",
    );
    await call("PATCH", `${path}?fieldManager=${manager}`, { data: { b: "2" } }, "application/merge-patch+json");
    await until(async () => (await only(one)).metadata.managedFields?.length === 2, "both entries in the cache");
    const before = await only(one);
    await one.reconcile((cluster) => cluster.apply(configMap(one.key, { c: "3" }), before));
    const after = await live(path);
    assert.deepEqual([after.data, after.metadata.managedFields?.length], [{ c: "3" }, 1]);
  });

  test("does not recreate a deleted object, or take over one of another client", async (context) => {
    const one = await connected(context);
    const maps = `/api/v1/namespaces/${one.key.namespace}/configmaps`;
    const manifest = configMap(one.key, { a: "1" });
    await one.reconcile((cluster) => cluster.create(manifest));
    const created = await only(one);
    const before = { ...created, metadata: { ...created.metadata, managedFields: [{ manager, operation: "Apply" }] } };
    await call("DELETE", `${maps}/settings`);
    await assert.rejects(
      one.reconcile((cluster) => cluster.apply(manifest, before)),
      ApiError,
    );
    assert.equal((await access.request("GET", `${maps}/settings`)).status, 404);
    await call("POST", maps, { metadata: { name: "settings" }, data: { other: "1" } });
    await assert.rejects(
      one.reconcile((cluster) => cluster.apply(manifest, before)),
      ApiError,
    );
    assert.deepEqual((await live(`${maps}/settings`)).data, { other: "1" });
  });

  test("fails instead of changing the wrong entry if the cache is outdated", async (context) => {
    const one = await connected(context);
    await one.reconcile((cluster) => cluster.create(configMap(one.key, { a: "1" })));
    const before = await only(one);
    const stale = {
      ...before,
      metadata: { ...before.metadata, managedFields: [{ manager: "x" }, { manager, operation: "Update" }] },
    };
    const late = { ...before, metadata: { ...before.metadata, managedFields: [{ manager, operation: "Update" }] } };
    await one.reconcile((cluster) => cluster.apply(configMap(one.key, {}), before));
    // A conflict is retried without a report; it is not a rejection.
    for (const outdated of [stale, late])
      await assert.rejects(
        one.reconcile((cluster) => cluster.apply(configMap(one.key, {}), outdated)),
        (error) => isApiError(error, 409),
      );
  });
});

describe("delete", () => {
  const job = (key: Key): Job => ({
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: metadata(key, "migrate"),
    spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "a", image: "a" }] } } },
  });

  test("is visible to the next reconciliation; deleting a missing object succeeds", async (context) => {
    const one = await connected(context);
    await one.reconcile((cluster) => cluster.create(configMap(one.key, {})));
    const object = await only(one);
    await one.reconcile((cluster) => cluster.delete(object));
    assert.deepEqual(await one.reconcile(async (cluster) => cluster.owned(one.key)), []);
    await one.reconcile((cluster) => cluster.delete(object));
    await moment();
    assert.deepEqual(await one.reconcile(async (cluster) => cluster.owned(one.key)), []);
  });

  test("does not delete another object with the name", async (context) => {
    const one = await connected(context);
    const path = `/api/v1/namespaces/${one.key.namespace}/configmaps/settings`;
    await one.reconcile((cluster) => cluster.create(configMap(one.key, { a: "1" })));
    const object = await only(one);
    await call("DELETE", path);
    await call("POST", `/api/v1/namespaces/${one.key.namespace}/configmaps`, { metadata: { name: "settings" } });
    await one.reconcile((cluster) => cluster.delete(object));
    assert.equal((await live(path)).metadata.name, "settings");
  });

  test("of a Job waits for its pods", async (context) => {
    const one = await connected(context);
    await one.reconcile((cluster) => cluster.create(job(one.key)));
    const pods = `/api/v1/namespaces/${one.key.namespace}/pods`;
    await until(async () => (await call<{ items: Owned[] }>("GET", pods)).items.length === 1, "a pod");
    const pod = (await call<{ items: Owned[] }>("GET", pods)).items[0];
    assert.ok(pod);
    await mergePatch(`${pods}/${pod.metadata.name}`, { metadata: { finalizers: ["test.example/hold"] } });
    const object = await only(one);
    await one.reconcile((cluster) => cluster.delete(object));
    await until(
      async () => (await only(one)).metadata.deletionTimestamp !== undefined,
      "the deletion of the Job, which exists while its pod does,",
    );
    await moment();
    assert.ok((await only(one)).metadata.deletionTimestamp, "the Job exists while its pod does");
    await mergePatch(`${pods}/${pod.metadata.name}`, { metadata: { finalizers: null } });
    await until(
      async () => (await one.reconcile(async (cluster) => cluster.owned(one.key))).length === 0,
      "the end of the Job",
    );
  });

  test("of an object with finalizers leaves it in the cache as terminating, and so does the release of a server", async (context) => {
    const one = await connected(context);
    const { key } = one;
    const finalizers = ["test.example/hold"];
    const spec = {
      serverRef: { name: key.name },
      destination: { persistentVolumeClaim: { claimName: "backups" } },
    };
    const backups = `/apis/mlflow-operator.dev/v1alpha1/namespaces/${key.namespace}/mlflowbackups`;
    const held = { apiVersion: "mlflow-operator.dev/v1alpha1", kind: "MlflowBackup", spec };
    await call("POST", backups, { ...held, metadata: { name: "held", finalizers } });
    const read = () => one.reconcile(async (cluster) => cluster.backups(key));
    await until(async () => (await read()).length === 1, "the backup in the cache");
    const [backup] = await read();
    assert.ok(backup);
    // Without a pause: the watch event can be later.
    const after = await one.reconcile(async (cluster) => {
      await cluster.deleteBackup(backup);
      return cluster.backups(key);
    });
    assert.equal(after.length, 1);
    assert.ok(after[0]?.metadata.deletionTimestamp);
    await mergePatch(`${backups}/held`, { metadata: { finalizers: null } });
    await until(async () => (await read()).length === 0, "the end of the backup");

    const path = `${serversPath(key)}/${key.name}`;
    await mergePatch(path, { metadata: { finalizers: [...finalizers, finalizer] } });
    const server = () => one.reconcile(async (cluster) => cluster.server(key));
    await until(async () => (await server())?.metadata.finalizers?.length === 2, "the finalizers in the cache");
    await call("DELETE", path);
    await until(async () => (await server())?.metadata.deletionTimestamp !== undefined, "the deletion in the cache");
    const terminating = await server();
    assert.ok(terminating);
    const released = await one.reconcile(async (cluster) => {
      await cluster.removeFinalizer(terminating);
      return cluster.server(key);
    });
    assert.deepEqual(released?.metadata.finalizers, finalizers);
    await mergePatch(path, { metadata: { finalizers: null } });
    await until(async () => (await server()) === undefined, "the end of the server");
  });

  test("of a Deployment deletes its ReplicaSets and pods", async (context) => {
    const one = await connected(context);
    const labels = { app: "a" };
    const manifest: Manifest = {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: metadata(one.key, "mlflow"),
      spec: {
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: "a", image: "a" }] } },
      },
    };
    await one.reconcile((cluster) => cluster.create(manifest));
    const sets = `/apis/apps/v1/namespaces/${one.key.namespace}/replicasets`;
    await until(async () => (await call<{ items: Owned[] }>("GET", sets)).items.length === 1, "a ReplicaSet");
    const object = await only(one);
    await one.reconcile((cluster) => cluster.delete(object));
    await until(
      async () => (await call<{ items: Owned[] }>("GET", sets)).items.length === 0,
      "the end of the ReplicaSet",
    );
  });
});

describe("report", () => {
  const serverOf = async ({ reconcile, key }: Connected) => {
    const server = await reconcile(async (cluster) => cluster.server(key));
    assert.ok(server !== undefined);
    return server;
  };

  test("replaces the whole status in one request, and the next reconciliation sees it", async (context) => {
    const one = await connected(context);
    const server = await serverOf(one);
    await one.reconcile((cluster) => cluster.report(server, { url: "http://a", version: "3.17.2", replicas: 1 }));
    assert.deepEqual((await serverOf(one)).status, { url: "http://a", version: "3.17.2", replicas: 1 });
    const reported = await serverOf(one);
    await one.calls();
    await one.reconcile((cluster) => cluster.report(reported, { version: "3.17.2" }));
    assert.deepEqual(await one.calls(), ["patch mlflowservers/status"]);
    const { status, spec } = await call<{ status: unknown; spec: unknown }>(
      "GET",
      `${serversPath(one.key)}/${one.key.name}`,
    );
    assert.deepEqual(status, { version: "3.17.2" });
    assert.deepEqual(spec, server.spec);
  });

  test("fails for a server that was deleted and created again", async (context) => {
    const one = await connected(context);
    const server = await serverOf(one);
    await call("DELETE", `${serversPath(one.key)}/${one.key.name}`);
    await call("POST", serversPath(one.key), smallest);
    await assert.rejects(
      one.reconcile((cluster) => cluster.report(server, { version: "3.17.2" })),
      ApiError,
    );
    assertPending(await call<MlflowServer>("GET", `${serversPath(one.key)}/${one.key.name}`));
  });

  test("does not hide a concurrent change of the spec", async (context) => {
    const one = await connected(context);
    const server = await serverOf(one);
    await one.reconcile((cluster) => cluster.report(server, { version: "3.17.2" }));
    await moment();
    one.notifications();
    const reported = await serverOf(one);
    await Promise.all([
      mergePatch(`${serversPath(one.key)}/${one.key.name}`, { spec: { hibernate: true } }),
      one
        .reconcile((cluster) => cluster.report(reported, { version: "3.17.2", replicas: 1 }))
        .catch((error: unknown) => assert.ok(isApiError(error, 409), String(error))),
    ]);
    await until(async () => (await serverOf(one)).spec.hibernate === true, "the new spec");
    await until(() => one.notifications().includes(keyText(one.key)), "the call");
  });
});

describe("recordEvent", () => {
  const reported = {
    type: "Warning",
    reason: "SecretNotFound",
    action: "Reconcile",
    message: "Create Secret db.",
  } as const;

  test("is shown by kubectl describe", async (context) => {
    const one = await connected(context);
    await one.reconcile(async (cluster) => {
      const server = cluster.server(one.key);
      assert.ok(server);
      await cluster.recordEvent(server, reported);
    });
    assert.deepEqual([one.lost, await one.calls()], [[], ["create events"]]);
    const { stdout } = await access.kubectl([
      "describe",
      "mlflowserver",
      one.key.name,
      "--namespace",
      one.key.namespace,
    ]);
    assert.match(stdout, /Warning\s+SecretNotFound\s+\S+\s+mlflow-operator\s+Create Secret db\./);
  });

  test("does not fail a reconciliation if it is rejected", async (context) => {
    const one = await connected(context);
    await one.reconcile(async (cluster) => {
      const server = cluster.server(one.key);
      assert.ok(server);
      await cluster.recordEvent({ ...server, metadata: { ...server.metadata, namespace: "absent" } }, reported);
    });
    assert.equal(one.lost.length, 1);
  });
});

describe("a change that affects a server", () => {
  test("is reported: of itself, of objects with its label, also if they are deleted or relabelled", async (context) => {
    const one = await connected(context);
    const path = `/api/v1/namespaces/${one.key.namespace}/configmaps`;
    await until(() => one.notifications().includes(keyText(one.key)), "the server");
    await call("POST", path, configMap(one.key, {}));
    await until(() => one.notifications().includes(keyText(one.key)), "the creation");
    await mergePatch(`${path}/settings`, { metadata: { labels: { [label.server]: "other" } } });
    const both = [keyText(one.key), `${one.key.namespace}/other`];
    const notifications = new Set<string>();
    await until(() => {
      for (const key of one.notifications()) notifications.add(key);
      return both.every((key) => notifications.has(key));
    }, "the call for both");
    await call("DELETE", `${path}/settings`);
    await until(() => one.notifications().includes(`${one.key.namespace}/other`), "the deletion");
    await call("DELETE", `${serversPath(one.key)}/${one.key.name}`);
    await until(() => one.notifications().includes(keyText(one.key)), "the end of the server");
    assert.equal(await one.reconcile(async (cluster) => cluster.server(one.key)), undefined);
  });

  test("is not a change of objects that it does not read: no request, no report", async (context) => {
    const one = await connected(context, true);
    await moment();
    one.notifications();
    for (const kind of ["secrets", "configmaps"]) {
      const path = `/api/v1/namespaces/${one.key.namespace}/${kind}`;
      for (let index = 0; index < 5; index++) await call("POST", path, { metadata: { name: `unmanaged-${index}` } });
      await mergePatch(`${path}/unmanaged-1`, { metadata: { annotations: { a: "b" } } });
      await call("DELETE", `${path}/unmanaged-2`);
    }
    await moment();
    assert.deepEqual([one.notifications(), await one.calls()], [[], []]);
  });
});

describe("a Secret that a spec references", () => {
  const secret = (data: Record<string, string>) => ({ metadata: { name: "db" }, stringData: data });
  const passwordIn = (found: Secret | undefined) => found?.data?.["password"] && atob(found.data["password"]);

  async function reading(context: TestContext) {
    const one = await connected(context);
    const path = `/api/v1/namespaces/${one.key.namespace}/secrets`;
    const read = () =>
      one.reconcile(async (cluster) =>
        passwordIn(await cluster.secret(one.key.namespace, "db", new Set(["password"]))),
      );
    const called = () => until(() => one.notifications().includes(keyText(one.key)), "the call for its reader");
    await moment();
    one.notifications();
    return { one, path, read, called };
  }

  test("is fetched once for each version, and its changes are reported", async (context) => {
    const { one, path, read, called } = await reading(context);
    await call("POST", path, secret({ password: "a" }));
    assert.deepEqual([await read(), await read(), await one.calls()], ["a", "a", ["get secrets"]]);
    await mergePatch(`${path}/db`, { stringData: { password: "b" } });
    await called();
    assert.deepEqual([await read(), await read(), await one.calls()], ["b", "b", ["get secrets"]]);
    await call("DELETE", `${path}/db`);
    await called();
    assert.deepEqual([await read(), await read(), await one.calls()], [undefined, undefined, ["get secrets"]]);
    await call("POST", path, secret({ password: "c" }));
    await called();
    assert.deepEqual([await read(), await one.calls()], ["c", ["get secrets"]]);
  });

  test("is no longer reported when reconciliations do not read it, except while they fail", async (context) => {
    const { one, path, read, called } = await reading(context);
    await call("POST", path, secret({ password: "a" }));
    await read();
    await assert.rejects(
      one.reconcile(async () => Promise.reject(new Error("this reconciliation fails"))),
      /this reconciliation fails/,
    );
    await mergePatch(`${path}/db`, { stringData: { password: "b" } });
    await called();
    await one.reconcile(async () => {});
    await mergePatch(`${path}/db`, { stringData: { password: "c" } });
    await moment();
    assert.deepEqual(one.notifications(), []);
  });

  test("with the label of the operator is read once for each version, and its changes are reported for its readers", async (context) => {
    const { one, path, read } = await reading(context);
    const other = { ...one.key, name: "other" };
    const owned = { ...secret({ password: "a" }), metadata: metadata(other, "db") };
    await call("POST", path, owned);
    const isCached = async () => {
      await one.calls();
      return (await read()) === "a" && (await one.calls()).length === 0;
    };
    await until(isCached, "the Secret in the cache");
    one.notifications();
    await mergePatch(`${path}/db`, { stringData: { password: "b" } });
    const notifications = new Set<string>();
    await until(() => {
      for (const key of one.notifications()) notifications.add(key);
      return notifications.has(keyText(one.key)) && notifications.has(keyText(other));
    }, "the call for its server and its reader");
    await one.calls();
    assert.deepEqual([await read(), await one.calls()], ["b", ["get secrets"]]);
    assert.deepEqual([await read(), await one.calls()], ["b", []]);
    await mergePatch(`${path}/db`, {
      metadata: { labels: { [label.managedBy]: "another-operator" } },
      stringData: { password: "c" },
    });
    await until(async () => (await read()) === "c", "the content after the label was removed");
  });

  test("works in the same way for a ConfigMap", async (context) => {
    const one = await connected(context);
    const path = `/api/v1/namespaces/${one.key.namespace}/configmaps`;
    const read = () =>
      one.reconcile(async (cluster) => (await cluster.configMap(one.key.namespace, "ca", new Set(["ca.crt"])))?.data);
    assert.equal(await read(), undefined);
    await call("POST", path, { metadata: { name: "ca" }, data: { "ca.crt": "a" } });
    await until(async () => (await read())?.["ca.crt"] === "a", "the content");
    assert.deepEqual(await one.calls(), ["get configmaps", "get configmaps"]);
  });
});
