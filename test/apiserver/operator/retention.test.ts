import assert from "node:assert/strict";
import { before, describe, type TestContext, test } from "node:test";
import { annotation } from "../../../src/kube/names.ts";
import { onK3s, sharedControlPlane } from "../../control-plane/shared.ts";
import { eventually } from "../../support/eventually.ts";
import { condition, type Fixture, fixture, nothingWasForbidden } from "../../support/operator-fixture.ts";
import { secret, server } from "../../support/servers.ts";

const stored = [
  ["Secret", "mlflow-session"],
  ["Secret", "mlflow-admin"],
  ["PersistentVolumeClaim", "mlflow"],
] as const;

const deleted = { "spec.deletionPolicy": "Delete" };

async function running(context: TestContext, ...modifications: Parameters<typeof server>[1][]): Promise<Fixture> {
  const stage = await fixture(context);
  await stage.apply(server("mlflow", ...modifications.filter((each) => each !== undefined)));
  await stage.ready("mlflow", 60);
  return stage;
}

/** Generated Secrets, volumes, and the hash of the pods' inputs: everything that must not change without a reason. */
async function kept({ objects }: Fixture) {
  const [session, admin, volume, deployment] = await Promise.all([
    objects.the("Secret", "mlflow-session"),
    objects.the("Secret", "mlflow-admin"),
    objects.the("PersistentVolumeClaim", "mlflow"),
    objects.the("Deployment", "mlflow"),
  ]);
  const hash = deployment.spec.template.metadata?.annotations?.[annotation.inputs];
  return {
    session: [session.metadata.uid, session.data],
    admin: [admin.metadata.uid, admin.data],
    volume: volume.metadata.uid,
    hash,
  };
}

/** Confirms, as an administrator, the loss of a generated Secret. */
async function confirm({ objects }: Fixture, name: string): Promise<void> {
  const annotations = { [annotation.replaceLostSecrets]: name };
  await objects.patch("MlflowServer", "mlflow", { metadata: { annotations } });
}

async function gone({ objects }: Fixture): Promise<void> {
  await eventually(async () => {
    assert.equal(await objects.get("MlflowServer", "mlflow"), undefined);
    assert.equal(await objects.get("Deployment", "mlflow"), undefined);
    assert.deepEqual(await objects.list("Pod"), []);
  });
}

describe("generated Secrets and volumes", { skip: onK3s(), concurrency: 4 }, () => {
  before(async () => void (await sharedControlPlane()));

  test("stay unchanged by re-apply, restart, scaling, hibernation, and deletion and re-creation", async (context) => {
    const stage = await running(context);
    const first = await kept(stage);
    await stage.apply(server());
    await stage.objects.patch("MlflowServer", "mlflow", { metadata: { annotations: { touched: "yes" } } });
    assert.deepEqual(await kept(stage), first);
    await stage.stop();
    await stage.start();
    await stage.apply(server("mlflow", { "spec.hibernate": true }));
    await stage.ready();
    assert.deepEqual(await kept(stage), first);
    await stage.apply(server());
    await stage.ready();
    await stage.apply(server("mlflow", { "spec.replicas": 0 }));
    await stage.ready();
    assert.deepEqual(await kept(stage), first);
    await stage.objects.remove("MlflowServer", "mlflow");
    await gone(stage);
    await stage.apply(server());
    await stage.ready("mlflow", 60);
    assert.deepEqual(await kept(stage), first);
  });

  test("are adopted with all other objects by a server of the same name, after a deletion with --cascade=orphan", async (context) => {
    const stage = await running(context);
    const first = await kept(stage);
    const { uid } = (await stage.objects.the("Deployment", "mlflow")).metadata;
    await stage.stop();
    await stage.objects.remove("MlflowServer", "mlflow", { propagationPolicy: "Orphan" });
    await eventually(async () => {
      assert.equal(await stage.objects.get("MlflowServer", "mlflow"), undefined);
      assert.equal((await stage.objects.the("Deployment", "mlflow")).metadata.ownerReferences, undefined);
    });
    await stage.start();
    const { metadata } = await stage.apply(server());
    await stage.ready();
    assert.deepEqual(await kept(stage), first);
    const adopted = await stage.objects.the("Deployment", "mlflow");
    assert.deepEqual([adopted.metadata.uid, adopted.metadata.ownerReferences?.[0]?.uid], [uid, metadata.uid]);
  });

  test("with Retain have no owner and no label that GitOps tools track", async (context) => {
    const stage = await running(context);
    for (const [kind, name] of stored) {
      const { ownerReferences, labels, annotations, finalizers } = (await stage.objects.the(kind, name)).metadata;
      assert.equal(ownerReferences, undefined, `${kind}/${name}`);
      assert.equal(labels?.["app.kubernetes.io/instance"], undefined);
      assert.equal(annotations?.["argocd.argoproj.io/tracking-id"], undefined);
      assert.deepEqual(finalizers ?? [], kind === "PersistentVolumeClaim" ? ["kubernetes.io/pvc-protection"] : []);
    }
  });

  test("with Delete are deleted with the server, and a new one gets new ones", async (context) => {
    const stage = await running(context, deleted);
    const before = await stage.objects.the("Secret", "mlflow-admin");
    for (const [kind, name] of stored) {
      const owners = (await stage.objects.the(kind, name)).metadata.ownerReferences?.map((owner) => owner.kind);
      assert.deepEqual(owners, ["MlflowServer"], `${kind}/${name}`);
    }
    await stage.objects.remove("MlflowServer", "mlflow");
    await eventually(async () => {
      for (const [kind, name] of stored) assert.equal(await stage.objects.get(kind, name), undefined);
    });
    await stage.apply(server("mlflow", deleted));
    await stage.ready("mlflow", 60);
    assert.notDeepEqual((await stage.objects.the("Secret", "mlflow-admin")).data, before.data);
  });

  test("follow a change of the policy and back", async (context) => {
    const stage = await running(context);
    const first = await kept(stage);
    const owners = () =>
      Promise.all(
        stored.map(async ([kind, name]) => (await stage.objects.the(kind, name)).metadata.ownerReferences?.length),
      );
    await stage.apply(server("mlflow", deleted));
    await eventually(async () => assert.deepEqual(await owners(), [1, 1, 1]));
    await stage.apply(server("mlflow", { "spec.deletionPolicy": "Retain" }));
    await eventually(async () => assert.deepEqual(await owners(), [undefined, undefined, undefined]));
    await stage.ready();
    assert.deepEqual(await kept(stage), first);
    await stage.objects.remove("MlflowServer", "mlflow");
    await gone(stage);
    for (const [kind, name] of stored) await stage.objects.the(kind, name);
  });

  test("are used after a user changes them: pods restart, and a lost key stalls the server", async (context) => {
    const stage = await running(context);
    const { data } = await stage.objects.the("Secret", "mlflow-session");
    const hash = async () => (await kept(stage)).hash;
    const before = await hash();
    const chosen = Buffer.from("chosen by a person").toString("base64");
    await stage.objects.patch("Secret", "mlflow-session", { data: { "kek-passphrase": chosen } });
    await eventually(async () => assert.notEqual(await hash(), before));
    await stage.ready();
    await stage.objects.patch("Secret", "mlflow-session", { data: { "webhook-key": null } });
    const lost = await stage.stalled("GeneratedSecretLost");
    assert.match(condition(lost, "Stalled").message, /^Secret mlflow-session has lost webhook-key, /);
    await confirm(stage, "mlflow-session");
    const renewed = await eventually(async () => {
      const { data: now } = await stage.objects.the("Secret", "mlflow-session");
      assert.ok(now?.["webhook-key"] !== undefined, "the key is not back");
      return now;
    });
    assert.deepEqual(renewed, { ...data, "kek-passphrase": chosen, "webhook-key": renewed["webhook-key"] });
    assert.notEqual(renewed["webhook-key"], data?.["webhook-key"]);
    await stage.ready();
  });

  test("stall the server if they are deleted, until they are restored", async (context) => {
    const stage = await running(context);
    const before = await kept(stage);
    for (const name of ["mlflow-session", "mlflow-admin"]) {
      const { data, metadata, type } = await stage.objects.the("Secret", name);
      await stage.objects.remove("Secret", name);
      const { message } = condition(await stage.stalled("GeneratedSecretLost"), "Stalled");
      assert.match(message, new RegExp(`^Secret ${name} is missing, .* Restore the Secret from a backup, or confirm`));
      assert.equal(await stage.objects.get("Secret", name), undefined);
      await stage.objects.create("Secret", { metadata: { name, labels: metadata.labels ?? {} }, data, type });
      await stage.ready();
    }
    const { hash, session, admin } = await kept(stage);
    assert.deepEqual([hash, session[1], admin[1]], [before.hash, before.session[1], before.admin[1]]);
  });

  test("are generated again if they are deleted and the loss is confirmed, and pods restart", async (context) => {
    const stage = await running(context);
    const before = await kept(stage);
    await stage.objects.remove("Secret", "mlflow-session");
    await stage.stalled("GeneratedSecretLost");
    await confirm(stage, "mlflow-session");
    await eventually(async () => {
      const after = await kept(stage);
      assert.notDeepEqual(after.session, before.session);
      assert.notEqual(after.hash, before.hash);
      assert.deepEqual(after.admin, before.admin);
    });
    await stage.ready("mlflow", 60);
  });

  test("are not generated if the spec refers to a user's own, which are never written", async (context) => {
    const stage = await fixture(context);
    const admin = await stage.objects.create(
      "Secret",
      secret("admin", { username: "root", password: "a long password" }),
    );
    const session = await stage.objects.create(
      "Secret",
      secret("session", {
        "flask-secret-key": "f".repeat(32),
        "kek-passphrase": "k".repeat(32),
        "webhook-key": `${"w".repeat(43)}=`,
      }),
    );
    await stage.apply(
      server("mlflow", {
        "spec.authentication.basic.adminCredentialsSecretRef": { name: "admin" },
        "spec.server.sessionSecretRef": { name: "session" },
      }),
    );
    const ready = await stage.ready("mlflow", 60);
    assert.equal(ready.status?.adminCredentialsSecretRef?.name, "admin");
    assert.equal(await stage.objects.get("Secret", "mlflow-admin"), undefined);
    assert.equal(await stage.objects.get("Secret", "mlflow-session"), undefined);
    await stage.objects.remove("MlflowServer", "mlflow");
    await gone(stage);
    assert.deepEqual(await stage.objects.the("Secret", "admin"), admin);
    assert.deepEqual(await stage.objects.the("Secret", "session"), session);
  });
});

test("nothing was forbidden", { skip: onK3s() }, nothingWasForbidden);
