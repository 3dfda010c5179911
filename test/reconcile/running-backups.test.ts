import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Job, Owned, Pod } from "../../src/kube/manifests.ts";
import { isOfJob, runningBackups } from "../../src/reconcile/backup/running-backups.ts";

const names = { one: "demo-backup-1111111111", other: "demo-backup-2222222222" };

function job(name: string, condition?: "Complete" | "Failed", metadata: object = {}): Job {
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name, namespace: "ml", uid: name, ...metadata },
    spec: { template: {} },
    status: condition === undefined ? {} : { conditions: [{ type: condition, status: "True" }] },
  };
}

function pod(of: string, phase: "Pending" | "Running" | "Succeeded" | "Failed", terminated?: object): Pod {
  const state = terminated === undefined ? {} : { terminated };
  const container = { name: "backup", image: "mlflow", imageID: "", ready: false, restartCount: 0, state };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: `${of}-abcde`,
      namespace: "ml",
      ownerReferences: [{ apiVersion: "batch/v1", kind: "Job", name: of, uid: of, controller: true }],
    },
    status: { phase, containerStatuses: [container as never] },
  };
}

const running = (...objects: Owned[]) =>
  runningBackups(objects).map(({ kind, metadata }) => `${kind}/${metadata.name}`);

describe("the backups that may run", () => {
  test("are pods whose program has not ended, also after their Job was deleted", () => {
    assert.deepEqual(running(job(names.one), pod(names.one, "Running")), [`Pod/${names.one}-abcde`]);
    assert.deepEqual(running(pod(names.one, "Running")), [`Pod/${names.one}-abcde`]);
    assert.deepEqual(running(pod(names.one, "Pending")), [`Pod/${names.one}-abcde`]);
    assert.deepEqual(running(job(names.one), pod(names.one, "Succeeded")), []);
    // An injected container keeps the pod and its Job running.
    assert.deepEqual(running(job(names.one), pod(names.one, "Running", { exitCode: 0 })), []);
  });

  test("are Jobs that can create a pod", () => {
    assert.deepEqual(running(job(names.one), job(names.other, "Complete")), [`Job/${names.one}`]);
    assert.deepEqual(running(job(names.one, "Failed")), []);
    assert.deepEqual(running(job(names.one, undefined, { deletionTimestamp: "2026-01-31T18:00:00Z" })), []);
  });

  test("belong to a Job by their name or their controller", () => {
    const one = new Set([names.one]);
    assert.ok(isOfJob(job(names.one), one) && isOfJob(pod(names.one, "Running"), one));
    assert.ok(!isOfJob(job(names.other), one) && !isOfJob(pod(names.other, "Running"), one));
  });
});
