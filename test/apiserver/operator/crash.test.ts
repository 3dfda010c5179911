import assert from "node:assert/strict";
import { before, describe, type TestContext, test } from "node:test";
import type { Secret } from "../../../src/kube/manifests.ts";
import { onK3s, sharedControlPlane } from "../../control-plane/shared.ts";
import { dump } from "../../support/dump.ts";
import { eventually } from "../../support/eventually.ts";
import type { ProxiedRequest } from "../../support/fault.ts";
import { startFaultProxy } from "../../support/fault-proxy.ts";
import { type History, history } from "../../support/history.ts";
import { killedAfterWrites } from "../../support/killed-after-writes.ts";
import { type Fixture, fixture, nothingWasForbidden } from "../../support/operator-fixture.ts";
import { exposed, type Modification, server } from "../../support/servers.ts";

const textOf = ({ method, path }: ProxiedRequest) => `${method} ${path.replace(/^.*\/namespaces\/[^/]+\//, "")}`;

/** The final objects, comparable between namespaces: without the values of generated keys and their hashes. */
async function endState({ objects, namespace }: Fixture): Promise<unknown> {
  // The Job of a previous version is deleted after its pods, and a server can be ready before its route exists.
  await eventually(async () => {
    assert.equal((await objects.list("Job")).length, 1);
    await objects.the("Ingress", "mlflow");
  });
  const text = JSON.stringify(await dump(objects))
    .replaceAll(namespace, "<namespace>")
    .replaceAll(/-migrate-[0-9a-f]{10}/g, "-migrate-#")
    .replaceAll(/("mlflow-operator\.dev\/inputs":)"[0-9a-f]{32}"/g, '$1"#"')
    // The time of the attempt, and a hash with the uid of the volume's claim.
    .replaceAll(/("mlflow-operator\.dev\/(?:attempt|database|rendering)":)"[^"]+"/g, '$1"#"');
  const state: Record<string, { data?: Record<string, string> }> = JSON.parse(text);
  for (const name of ["Secret/mlflow-admin", "Secret/mlflow-session"]) {
    const { data = {} } = state[name] ?? {};
    state[name] = { ...state[name], data: Object.fromEntries(Object.keys(data).map((key) => [key, "drawn"])) };
  }
  return state;
}

/** Asserts that no value was generated twice. */
async function assertDrawnOnce(secrets: History<Secret>): Promise<void> {
  for (const name of ["mlflow-admin", "mlflow-session"]) {
    const versions = await secrets.versions(name);
    const contents = new Set(versions.map(({ object }) => JSON.stringify(object.data)));
    assert.equal(contents.size, 1, `Secret/${name} was rewritten`);
    assert.equal(new Set(versions.map(({ object }) => object.metadata.uid)).size, 1);
  }
}

/** Changes almost every object: ownership of the fields of its POST is first changed, then it is applied. */
const changes: Modification = {
  "spec.version": "3.17.2",
  "spec.authentication.basic.defaultPermission": "EDIT",
  "spec.serviceAccount.annotations": { "example.com/role": "reader" },
  "spec.server.workers": 2,
  "spec.deletionPolicy": "Delete",
  "spec.exposure.externalURL": "https://platform.example.com/mlflow",
};

const former = server("mlflow", exposed, { "spec.version": "3.16.1" });
const changed = server("mlflow", exposed, changes);

/** The final states of a creation and of a change with an operator without faults. */
async function calmEnds(context: TestContext): Promise<readonly unknown[]> {
  const stage = await fixture(context);
  await stage.apply(former);
  await stage.ready("mlflow", 60);
  const created = await endState(stage);
  await stage.apply(changed);
  await stage.ready("mlflow", 60);
  return [created, await endState(stage)];
}

describe("an operator that is killed immediately after a write", { skip: onK3s() }, () => {
  before(async () => void (await sharedControlPlane()));

  test("leaves a state that the next operator completes, after any write of a creation or a change", async (context) => {
    const cluster = await sharedControlPlane();
    const proxy = await startFaultProxy(cluster);
    context.after(() => proxy.close());
    const stage = await fixture(context, { operator: false });
    const secrets = await history(cluster, stage.namespace, "Secret");
    context.after(() => secrets.stop());
    const calm = calmEnds(context);

    const play = async () => {
      const narrow = [`--watch-namespaces=${stage.namespace}`];
      const isReady = async () => void (await stage.ready("mlflow", 0));
      return (await killedAfterWrites(context, proxy, stage.identity, narrow, isReady)).map(textOf);
    };
    await stage.apply(former);
    const ofCreation = await play();
    const created = await endState(stage);
    await stage.apply(changed);
    const ofChange = await play();
    assert.deepEqual([created, await endState(stage)], await calm);
    await assertDrawnOnce(secrets);
    context.diagnostic(`${ofCreation.length} writes of the creation: ${ofCreation.join(", ")}`);
    context.diagnostic(`${ofChange.length} writes of the change: ${ofChange.join(", ")}`);
    // Ten objects and at least one status; eight objects of the change, most of them after a change of field ownership.
    assert.ok(ofCreation.length >= 11 && ofChange.length >= 11);
  });
});

test("nothing was forbidden", { skip: onK3s() }, nothingWasForbidden);
