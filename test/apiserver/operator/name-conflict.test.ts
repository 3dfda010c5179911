import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { label, manager } from "../../../src/kube/names.ts";
import { onK3s, sharedControlPlane } from "../../control-plane/shared.ts";
import type { Call } from "../../support/audit-log.ts";
import { eventually } from "../../support/eventually.ts";
import type { Draft, ObjectKind } from "../../support/objects.ts";
import { condition, type Fixture, fixture, nothingWasForbidden } from "../../support/operator-fixture.ts";
import { databaseSecret, type Modification, onPostgresql, server } from "../../support/servers.ts";

const podTemplate = {
  metadata: { labels: { app: "foreign" } },
  spec: {
    restartPolicy: "Never",
    securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
    containers: [
      {
        name: "foreign",
        image: "registry.example.com/foreign:1",
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
      },
    ],
  },
};

/** The required fields of each kind besides metadata. */
const contents: Readonly<Partial<Record<ObjectKind, object>>> = {
  Service: { spec: { ports: [{ port: 80 }] } },
  PersistentVolumeClaim: { spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } } },
  Deployment: {
    spec: {
      replicas: 0,
      selector: { matchLabels: { app: "foreign" } },
      template: { ...podTemplate, spec: { ...podTemplate.spec, restartPolicy: "Always" } },
    },
  },
  Job: { spec: { suspend: true, template: podTemplate } },
  Secret: { stringData: { username: "somebody", password: "another password" } },
  NetworkPolicy: { spec: { podSelector: { matchLabels: { app: "foreign" } } } },
  HorizontalPodAutoscaler: {
    spec: { scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "other" }, maxReplicas: 1 },
  },
};

/** Every name of a server's objects, except that of its Job, which is not predictable. */
const names: readonly (readonly [ObjectKind, suffix: string, modification?: Modification])[] = [
  ["ServiceAccount", ""],
  ["Service", ""],
  ["NetworkPolicy", ""],
  ["PersistentVolumeClaim", ""],
  ["Secret", "-admin"],
  ["Secret", "-session"],
  ["Secret", "-auth-config"],
  ["Deployment", ""],
  ["HorizontalPodAutoscaler", "", { ...onPostgresql, "spec.autoscaling": { maxReplicas: 2 } }],
];

/** In seconds. Unmanaged objects are not watched, but checked every 30 s. */
const checkedAgain = 120;

const statusOnly = new Set(["mlflowservers/status"]);

const foreign = (kind: ObjectKind, name: string, metadata: object = {}): Draft => ({
  ...contents[kind],
  metadata: { ...metadata, name },
});

/** The object without fields that controllers write. */
async function untouched({ objects }: Fixture, kind: ObjectKind, name: string): Promise<unknown> {
  const { status, metadata, ...rest } = { status: undefined, ...(await objects.the(kind, name)) };
  const { managedFields, resourceVersion, annotations, ...own } = metadata;
  const managers = (managedFields ?? []).filter((entry) => !entry.subresource).map((entry) => entry.manager);
  return { ...rest, metadata: own, managers: managers.filter((name) => name !== "kube-controller-manager") };
}

/** Waits for another reconciliation and asserts that it does not change the status. */
async function assertSteady(stage: Fixture): Promise<void> {
  const since = await stage.quiet();
  const { status } = await stage.objects.the("MlflowServer", "mlflow");
  const isTried = ({ verb, code }: Call) => verb === "create" && code === 409;
  await eventually(
    async () => assert.ok((await stage.calls(since)).some(isTried), "no reconciliation yet"),
    checkedAgain,
  );
  await stage.quiet();
  const after = await stage.objects.the("MlflowServer", "mlflow");
  assert.deepEqual(after.status, status);
  const reports = (await stage.writes(since)).filter(({ resource }) => resource === "mlflowservers");
  assert.deepEqual(reports, []);
}

describe("a name conflict", { skip: onK3s(), concurrency: 4 }, () => {
  before(async () => void (await sharedControlPlane()));

  for (const [title, labelled] of [
    ["by an object without labels", false],
    ["by an object with a controller of its own and our labels", true],
  ] as const) {
    test(`${title} is reported, the object is not changed, and the server becomes Ready once it is deleted`, async (context) => {
      const stage = await fixture(context);
      await stage.objects.create("Secret", databaseSecret);
      const owner = await stage.objects.create("ConfigMap", { metadata: { name: "owner" } });
      const { uid } = owner.metadata;
      const metadataOf = (name: string) => ({
        ...(labelled && {
          labels: { [label.managedBy]: manager, [label.server]: name },
          ownerReferences: [{ apiVersion: "v1", kind: "ConfigMap", name: "owner", uid, controller: true }],
        }),
      });
      const cases = names.map(([kind, suffix, modification = {}], index) => {
        const name = `s${index}`;
        return { kind, name, taken: `${name}${suffix}`, modification };
      });
      const before = await Promise.all(
        cases.map(async ({ kind, name, taken }) => {
          await stage.objects.create(kind, foreign(kind, taken, metadataOf(name)));
          return untouched(stage, kind, taken);
        }),
      );
      const since = await stage.mark();
      for (const { name, modification } of cases) await stage.apply(server(name, modification));
      for (const { kind, name, taken } of cases) {
        const stalled = await stage.stalled("NameConflict", name, 60);
        const { message } = condition(stalled, "Stalled");
        assert.ok(message.startsWith(`${kind}/${taken} in namespace ${stage.namespace} exists`), message);
        assert.match(message, labelled ? /belongs to ConfigMap\/owner/ : /does not belong to this server/);
        assert.equal(condition(stalled, "Ready").status, "False");
      }
      const after = await Promise.all(cases.map(({ kind, taken }) => untouched(stage, kind, taken)));
      assert.deepEqual(after, before);
      const written = (await stage.writes(since)).filter(({ verb, code }) => verb !== "create" && code < 300);
      assert.deepEqual(new Set(written.map(({ resource, subresource }) => `${resource}/${subresource}`)), statusOnly);
      for (const { kind, taken } of cases) await stage.objects.remove(kind, taken);
      for (const { name } of cases) await stage.ready(name, checkedAgain);
    });
  }

  test("with an object that only has the operator's labels is reported", async (context) => {
    const stage = await fixture(context);
    const labels = { [label.managedBy]: manager, [label.server]: "mlflow" };
    await stage.objects.create("Service", foreign("Service", "mlflow", { labels }));
    const before = await untouched(stage, "Service", "mlflow");
    await stage.apply(server());
    await stage.stalled("NameConflict");
    assert.deepEqual(await untouched(stage, "Service", "mlflow"), before);
    await stage.objects.remove("Service", "mlflow");
    await stage.ready("mlflow", checkedAgain);
  });

  test("for the ServiceAccount is reported, and no pod runs with the permissions of the unmanaged one", async (context) => {
    const stage = await fixture(context);
    await stage.objects.create("ServiceAccount", foreign("ServiceAccount", "mlflow"));
    await stage.apply(server());
    await stage.stalled("NameConflict");
    await assertSteady(stage);
    assert.deepEqual([...(await stage.objects.list("Job")), ...(await stage.objects.list("Deployment"))], []);
    await stage.objects.remove("ServiceAccount", "mlflow");
    await stage.ready("mlflow", checkedAgain);
  });

  test("for the Secret with the database URI is reported", async (context) => {
    const stage = await fixture(context);
    await stage.objects.create("Secret", databaseSecret);
    await stage.objects.create("Secret", foreign("Secret", "mlflow-store"));
    const before = await untouched(stage, "Secret", "mlflow-store");
    await stage.apply(server("mlflow", onPostgresql));
    await stage.stalled("NameConflict");
    assert.deepEqual(await untouched(stage, "Secret", "mlflow-store"), before);
    await stage.objects.remove("Secret", "mlflow-store");
    await stage.ready("mlflow", checkedAgain);
  });

  test("for the Job is reported", async (context) => {
    const stage = await fixture(context);
    await stage.apply(server());
    await stage.ready("mlflow", 60);
    await stage.stop();
    const [job] = await stage.objects.list("Job");
    assert.ok(job !== undefined);
    const { name } = job.metadata;
    await stage.objects.remove("Job", name, { propagationPolicy: "Background" });
    await eventually(async () => assert.equal(await stage.objects.get("Job", name), undefined));
    await stage.objects.create("Job", foreign("Job", name));
    const before = await untouched(stage, "Job", name);
    // While the status records the migration, no Job is needed.
    await stage.start();
    await stage.ready("mlflow", 60);
    await stage.stop();
    const status = `/apis/mlflow-operator.dev/v1alpha1/namespaces/${stage.namespace}/mlflowservers/mlflow/status`;
    await stage.cluster.request("PATCH", status, {
      headers: { "content-type": "application/merge-patch+json" },
      body: { status: { migration: null } },
    });
    await stage.start();
    const stalled = await stage.stalled("NameConflict");
    assert.ok(condition(stalled, "Stalled").message.startsWith(`Job/${name} in namespace`));
    assert.equal(condition(stalled, "Available").status, "True");
    assert.deepEqual([condition(stalled, "DatabaseReady").status, stalled.status?.migration], ["False", undefined]);
    await assertSteady(stage);
    assert.deepEqual(await untouched(stage, "Job", name), before);
    await stage.objects.remove("Job", name, { propagationPolicy: "Background" });
    await stage.ready("mlflow", checkedAgain);
  });

  test("with objects of a deleted server of the same name ends when they are garbage collected", async (context) => {
    const stage = await fixture(context);
    await stage.apply(server());
    await stage.ready("mlflow", 60);
    for (const _round of [1, 2, 3]) {
      const former = await stage.objects.the("Deployment", "mlflow");
      await stage.objects.remove("MlflowServer", "mlflow");
      await stage.apply(server());
      const ready = await stage.ready("mlflow", 60);
      const { metadata } = await stage.objects.the("Deployment", "mlflow");
      assert.notEqual(metadata.uid, former.metadata.uid);
      assert.deepEqual(
        metadata.ownerReferences?.map(({ uid }) => uid),
        [ready.metadata.uid],
      );
    }
  });
});

test("nothing was forbidden", { skip: onK3s() }, nothingWasForbidden);
