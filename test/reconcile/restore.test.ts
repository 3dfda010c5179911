import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MlflowBackup, MlflowBackupStatus } from "../../src/api/backup.ts";
import type { MlflowServerStatus } from "../../src/api/server.ts";
import type { MlflowServerSpec } from "../../src/api/spec.ts";
import { resolve } from "../../src/features/resolve.ts";
import type { Job, Owned, Pod } from "../../src/kube/manifests.ts";
import { label } from "../../src/kube/names.ts";
import type { RestoreSource } from "../../src/reconcile/observed-state.ts";
import { outcomeOf } from "../../src/reconcile/outcome.ts";
import { planOf } from "../../src/reconcile/plan.ts";
import { statusOf } from "../../src/reconcile/status.ts";
import { inputs, pod, server } from "../support/fixtures.ts";

const now = new Date("2026-06-01T12:00:00Z");
const restore = { backupRef: { name: "nightly" } };

function backup(phase: NonNullable<MlflowBackupStatus["phase"]>): MlflowBackup {
  return {
    apiVersion: "mlflow-operator.dev/v1alpha1",
    kind: "MlflowBackup",
    metadata: { name: "nightly", namespace: "team-a", uid: "uid-of-backup" },
    spec: {
      serverRef: { name: "other" },
      existing: { path: "ml/other/nightly" },
      destination: { persistentVolumeClaim: { claimName: "backups" } },
    },
    status: { phase },
  };
}

const completed: RestoreSource = { backup: backup("Completed"), missing: [] };
const report = { backup: "a", experiments: 3, runs: 5, users: 2, registeredModels: 1, credentials: 2 };

/** A new server whose objects the plans of the test change. */
class World {
  owned: Owned[] = [];
  status: MlflowServerStatus = {};
  spec: Partial<MlflowServerSpec> = { restore };
  source: RestoreSource | undefined = completed;

  /** One reconciliation: writes the objects and the status, and returns what it decided. */
  pass() {
    const of = server(this.spec, { status: this.status });
    const wanted = inputs(of);
    const observed = {
      ...{ server: of, owned: this.owned, unmanaged: [], granted: [], references: wanted.references, now },
      ...{ model: resolve(wanted), installation: wanted.installation, isMutatedByAdmission: () => false },
      ...(this.status.restore === undefined && this.source && { restore: this.source }),
    };
    const plan = planOf(observed);
    const writes = plan.groups.flat().flatMap((step): string[] => {
      if (step.do === "delete") this.owned = this.owned.filter((each) => each !== step.live);
      if (step.do === "create") this.owned.push(step.manifest);
      const about = "manifest" in step ? step.manifest : "live" in step ? step.live : undefined;
      return [`${step.do} ${about?.kind} ${about?.metadata.labels?.[label.component] ?? ""}`.trim()];
    });
    const outcome = outcomeOf(observed, plan);
    this.status = statusOf(observed, outcome);
    return { writes, outcome, reason: outcome.cause.reason, state: outcome.state };
  }

  jobs(component: string): Job[] {
    return this.owned.filter(
      (each): each is Job => each.kind === "Job" && each.metadata.labels?.[label.component] === component,
    );
  }

  /** A pod of the Job whose program has ended. */
  end(exitCode: number, message: object, isRunning = false): void {
    const [job] = this.jobs("restore");
    assert.ok(job);
    const terminated = { exitCode, message: JSON.stringify(message), finishedAt: "2026-06-01T11:59:00Z" as never };
    const container = {
      name: "restore",
      image: "i",
      imageID: "",
      ready: false,
      restartCount: 0,
      state: { terminated },
    };
    const owner = { apiVersion: "batch/v1", kind: "Job", name: job.metadata.name, uid: "job", controller: true };
    const status: Pod["status"] = {
      phase: isRunning ? "Running" : exitCode === 0 ? "Succeeded" : "Failed",
      containerStatuses: [container],
    };
    this.owned = this.owned
      .filter(({ kind }) => kind !== "Pod")
      .map((each) => (each === job ? { ...job, metadata: { ...job.metadata, uid: "job" } } : each));
    this.owned.push(pod("restore", status, { ownerReferences: [owner] }));
  }

  condition() {
    const found = this.status.conditions?.find(({ type }) => type === "Restored");
    return { text: `${found?.status} ${found?.reason}`, message: found?.message ?? "" };
  }
}

describe("the restore of a backup", () => {
  test("runs before the migration and before pods, once", () => {
    const world = new World();
    const first = world.pass();
    assert.ok(first.writes.includes("create Job restore"), first.writes.join(", "));
    assert.ok(first.writes.includes("create ServiceAccount server"), first.writes.join(", "));
    assert.deepEqual([world.jobs("migration").length, first.reason], [0, "RestoreRunning"]);
    assert.ok(!first.writes.some((each) => each.includes("Deployment")));
    assert.equal(world.condition().text, "False RestoreRunning");
    assert.deepEqual(world.pass().writes, []);
    world.end(0, report);
    assert.ok(world.pass().writes.includes("create Job migration"));
    const { backup: name, location, time, ...counts } = world.status.restore ?? {};
    assert.deepEqual([name, location, time], ["nightly", "pvc://backups/ml/other/nightly", "2026-06-01T11:59:00Z"]);
    assert.deepEqual(counts, { experiments: 3, runs: 5, users: 2, registeredModels: 1, credentials: 2 });
    assert.equal(world.condition().text, "True RestoreCompleted");
    assert.match(world.condition().message, /3 experiments, 5 runs, 1 registered models, 2 users/);
    // The Job stays for its log until the field is removed; the record stays.
    assert.equal(world.jobs("restore").length, 1);
    world.spec = {};
    world.pass();
    assert.equal(world.jobs("restore").length, 0);
    assert.equal(world.status.restore?.backup, "nightly");
  });

  test("is ignored afterwards, which the condition reports", () => {
    const world = new World();
    world.status = { restore: { backup: "nightly", location: "l", time: "2026-06-01T11:59:00Z" } };
    world.spec = { restore: { backupRef: { name: "other" } } };
    const { writes } = world.pass();
    assert.ok(!writes.includes("create Job restore"));
    assert.match(world.condition().message, /names MlflowBackup\/other and is ignored/);
  });

  test("waits for its backup, and names what is wrong with it", () => {
    const world = new World();
    const missing = [{ reason: "SecretNotFound", message: "Secret s does not exist" } as const];
    const cases: readonly (readonly [RestoreSource, string, string])[] = [
      [{ backup: undefined, missing: [] }, "stalled", "BackupNotFound"],
      [{ backup: backup("Failed"), missing: [] }, "stalled", "BackupUnusable"],
      [{ backup: backup("Running"), missing: [] }, "progressing", "RestorePending"],
      [{ ...completed, missing }, "stalled", "SecretNotFound"],
    ];
    for (const [source, state, reason] of cases) {
      world.source = source;
      const found = world.pass();
      assert.equal(found.reason, reason);
      // Another object of the same release may still be created.
      if (reason === "BackupUnusable" || state === "progressing") assert.equal(found.state, state);
      assert.equal(world.condition().text, `False ${reason}`);
      assert.deepEqual([...world.jobs("restore"), ...world.jobs("migration")], []);
    }
    world.source = completed;
    assert.equal(world.pass().reason, "RestoreRunning");
  });

  test("that the program refuses has its reason, and another Job when the spec is corrected", () => {
    const world = new World();
    world.pass();
    const message = "The kek-passphrase is not that of the backup.";
    world.end(1, { reason: "RestoreKeysMismatch", message });
    const refused = world.pass();
    assert.deepEqual(
      [refused.state, refused.reason, refused.outcome.cause.message],
      ["stalled", "RestoreKeysMismatch", message],
    );
    assert.equal(world.jobs("migration").length, 0);
    const [former] = world.jobs("restore");
    world.spec = { restore: { ...restore, accept: ["NewKeys"] } };
    const changed = world.pass();
    assert.deepEqual([changed.writes, changed.reason], [["delete Job restore"], "RestorePending"]);
    // Its pod may still run.
    world.owned = world.owned.map((each) => (each.kind === "Pod" ? { ...each, status: { phase: "Running" } } : each));
    assert.deepEqual(world.pass().writes, []);
    world.owned = world.owned.filter(({ kind }) => kind !== "Pod");
    assert.deepEqual(world.pass().writes, ["create Job restore"]);
    assert.notEqual(world.jobs("restore")[0]?.metadata.name, former?.metadata.name);
  });

  test("is complete although an injected container runs, and without a report of its numbers", () => {
    const world = new World();
    world.pass();
    world.end(0, { experiments: "many", runs: -1, users: 1.5 }, true);
    world.pass();
    const { backup: _, location: __, time: ___, ...counts } = world.status.restore ?? {};
    assert.deepEqual(counts, {});
    assert.equal(world.condition().text, "True RestoreCompleted");
  });

  test("reports credentials that cannot be decrypted", () => {
    const world = new World();
    world.pass();
    world.end(0, { ...report, unreadableCredentials: 1 });
    world.pass();
    assert.match(world.condition().message, /1 of 2 stored credentials cannot be decrypted/);
  });
});
