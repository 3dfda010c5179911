import assert from "node:assert/strict";
import { before, describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Secret } from "../../../src/kube/manifests.ts";
import { onK3s, sharedControlPlane } from "../../control-plane/shared.ts";
import { dump } from "../../support/dump.ts";
import type { ProxiedRequest } from "../../support/fault.ts";
import { type FaultProxy, startFaultProxy } from "../../support/fault-proxy.ts";
import { type History, history } from "../../support/history.ts";
import { operatorProcess } from "../../support/operator-process.ts";
import { condition, nothingWasForbidden, type Scene, scene } from "../../support/scene.ts";
import { exposed, type Modification, server } from "../../support/servers.ts";

const isWrite = ({ method }: ProxiedRequest) => method !== "GET";
const textOf = ({ method, path }: ProxiedRequest) => `${method} ${path.replace(/^.*\/namespaces\/[^/]+\//, "")}`;

/** Starts operator after operator, each killed right after its first write, until one finds nothing more to do. */
async function play(context: TestContext, stage: Scene, proxy: FaultProxy): Promise<readonly string[]> {
  const kubeconfig = await stage.identity.kubeconfig(proxy.url);
  const writes: string[] = [];
  for (;;) {
    assert.ok(writes.length < 60, `there is no end to it: ${writes.join(", ")}`);
    const mortal = operatorProcess(context, kubeconfig, stage.identity, [`--watch-namespaces=${stage.namespace}`]);
    const rule = proxy.fault({
      when: isWrite,
      times: 1,
      fault: { kind: "run", at: "response", run: () => mortal.signal("SIGKILL") },
    });
    // Writes that were made at once with the first must not be done, or they would never be the only ones.
    const others = proxy.fault({ when: isWrite, fault: { kind: "hang" } });
    const rest = mortal.logged(/^all watches are synced$/).then(() => settled(stage));
    // When the operator is killed first, nothing is logged any more.
    rest.catch(() => {});
    const ending = await Promise.race([mortal.ended, rest]);
    rule.remove();
    others.remove();
    if (ending === undefined) {
      mortal.signal("SIGKILL");
      return writes;
    }
    assert.equal(ending.signal, "SIGKILL", mortal.output());
    writes.push(textOf(await rule.first));
  }
}

/** Resolves once the server is Ready and stays so for a second, for which a living operator found nothing to write. */
async function settled(stage: Scene): Promise<undefined> {
  await stage.ready("mlflow", 60);
  await sleep(1000);
  const { status } = condition(await stage.objects.the("MlflowServer", "mlflow"), "Ready");
  return status === "True" ? undefined : settled(stage);
}

/** What is there in the end, comparable between namespaces: keys that were drawn are only named, and hashes of them. */
async function endState({ objects, namespace }: Scene): Promise<unknown> {
  const text = JSON.stringify(await dump(objects))
    .replaceAll(namespace, "<namespace>")
    .replaceAll(/-migrate-[0-9a-f]{10}/g, "-migrate-#")
    .replaceAll(/("mlflow-operator\.dev\/inputs":)"[0-9a-f]{32}"/g, '$1"#"');
  const state: Record<string, { data?: Record<string, string> }> = JSON.parse(text);
  for (const name of ["Secret/mlflow-admin", "Secret/mlflow-session"]) {
    const { data = {} } = state[name] ?? {};
    state[name] = { ...state[name], data: Object.fromEntries(Object.keys(data).map((key) => [key, "drawn"])) };
  }
  return state;
}

/** Whatever was drawn once was never drawn again. */
async function assertDrawnOnce(secrets: History<Secret>): Promise<void> {
  for (const name of ["mlflow-admin", "mlflow-session"]) {
    const versions = await secrets.versions(name);
    const contents = new Set(versions.map(({ object }) => JSON.stringify(object.data)));
    assert.equal(contents.size, 1, `Secret/${name} was rewritten`);
    assert.equal(new Set(versions.map(({ object }) => object.metadata.uid)).size, 1);
  }
}

/** Touches almost every object: each is first taken over from the POST that made it, then applied. */
const changes: Modification = {
  "spec.version": "3.17.2",
  "spec.authentication.basic.defaultPermission": "EDIT",
  "spec.serviceAccount.annotations": { "example.com/role": "reader" },
  "spec.server.workers": 2,
  "spec.deletionPolicy": "Delete",
  "spec.exposure.externalUrl": "https://platform.example.com/mlflow",
};

const former = server("mlflow", exposed, { "spec.version": "3.16.1" });
const changed = server("mlflow", exposed, changes);

/** The ends of a creation and of a change with an operator that nobody disturbs. */
async function calmEnds(context: TestContext): Promise<readonly unknown[]> {
  const stage = await scene(context);
  await stage.apply(former);
  await stage.ready("mlflow", 60);
  const created = await endState(stage);
  await stage.apply(changed);
  await stage.ready("mlflow", 60);
  return [created, await endState(stage)];
}

describe("an operator that is killed right after a write", { skip: onK3s() }, () => {
  before(async () => void (await sharedControlPlane()));

  test("leaves what the next ends alike, whichever write it is, of a creation and of a change", async (context) => {
    const cluster = await sharedControlPlane();
    const proxy = await startFaultProxy(cluster);
    context.after(() => proxy.close());
    const stage = await scene(context, { operator: false });
    const secrets = await history(cluster, stage.namespace, "Secret");
    context.after(() => secrets.stop());
    const calm = calmEnds(context);

    await stage.apply(former);
    const ofCreation = await play(context, stage, proxy);
    const created = await endState(stage);
    await stage.apply(changed);
    const ofChange = await play(context, stage, proxy);
    assert.deepEqual([created, await endState(stage)], await calm);
    await assertDrawnOnce(secrets);
    context.diagnostic(`${ofCreation.length} writes of the creation: ${ofCreation.join(", ")}`);
    context.diagnostic(`${ofChange.length} writes of the change: ${ofChange.join(", ")}`);
    // Ten objects, and a status at least; of the change eight objects, most of them taken over first.
    assert.ok(ofCreation.length >= 11 && ofChange.length >= 11);
  });
});

test("nothing was forbidden", { skip: onK3s() }, nothingWasForbidden);
