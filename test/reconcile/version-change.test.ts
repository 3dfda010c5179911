import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MlflowBackup } from "../../src/api/backup.ts";
import type { MlflowBackupSchedule } from "../../src/api/backup-schedule.ts";
import type { MaintenanceWindow } from "../../src/api/fields/upgrade.ts";
import type { MlflowServer, MlflowServerStatus } from "../../src/api/server.ts";
import type { MlflowServerSpec } from "../../src/api/spec.ts";
import { backupRequired, writersMustStop } from "../../src/api/versions.ts";
import { resolve } from "../../src/features/resolve.ts";
import type { Condition } from "../../src/kube/conditions.ts";
import type { Deployment, Job, Owned, Pod } from "../../src/kube/manifests.ts";
import { annotation, label } from "../../src/kube/names.ts";
import { nextWindow } from "../../src/reconcile/maintenance-window.ts";
import { outcomeOf } from "../../src/reconcile/outcome.ts";
import { planOf } from "../../src/reconcile/plan.ts";
import { failedChecks } from "../../src/reconcile/preflight-checks.ts";
import { statusOf } from "../../src/reconcile/status.ts";
import type { UpgradeBackupInputs } from "../../src/reconcile/upgrade-backup.ts";
import { all, completedJob, inputs, jobOf, pod, postgresql, recordOf, secret, server } from "../support/fixtures.ts";

const spec: Partial<MlflowServerSpec> = { backendStore: { postgresql }, artifactStore: { s3: { bucket: "models" } } };
const references = [secret("db", { username: "mlflow", password: "first" })];
const base = new Date("2026-06-01T12:00:00Z");

/** A server of version 3.16.1 with a pod, whose objects the plans of the test change. */
class World {
  owned: Owned[];
  status: MlflowServerStatus;
  annotations: Record<string, string> = {};
  now = base;
  backups: UpgradeBackupInputs | undefined;
  runningBackup: Owned | undefined;
  spec: Partial<MlflowServerSpec>;

  constructor(version = "3.16.1") {
    this.spec = { ...spec, version };
    const of = inputs(server(this.spec), references);
    this.owned = [
      ...all(of).map((each): Owned => (each.kind === "Job" ? completedJob(each) : ready(each))),
      serverPod(),
    ];
    this.status = { migration: recordOf(jobOf(of)), version };
  }

  /** One reconciliation: writes the objects and the status, and returns what it decided. */
  pass() {
    const { metadata } = server();
    const of: MlflowServer = server(this.spec, {
      metadata: { ...metadata, annotations: this.annotations },
      status: this.status,
    });
    const wanted = inputs(of, references);
    const observed = {
      ...{ server: of, owned: this.owned, unmanaged: [], granted: [], references: wanted.references, now: this.now },
      ...{ model: resolve(wanted), installation: wanted.installation, isMutatedByAdmission: () => false },
      upgradeBackup: this.backups,
      runningBackup: this.runningBackup,
    };
    assert.deepEqual(failedChecks(observed), []);
    const plan = planOf(observed);
    const writes = plan.groups.flat().flatMap((step): string[] => {
      if (step.do === "delete") this.owned = this.owned.filter((each) => each !== step.live);
      if (step.do === "create") this.owned.push(step.manifest);
      if (step.do === "apply")
        this.owned = this.owned.map((each) => (each === step.live ? ready(step.manifest) : each));
      if (step.do === "create backup" && this.backups) this.backups = withBackup(this.backups, step.backup);
      if (step.do === "record") this.status = { ...this.status, migration: step.record };
      const about = "manifest" in step ? step.manifest : "live" in step ? step.live : undefined;
      const component = about?.metadata.labels?.[label.component];
      return [[step.do, about?.kind, about?.kind === "Job" ? component : ""].filter(Boolean).join(" ")];
    });
    const outcome = outcomeOf(observed, plan);
    this.status = statusOf(observed, outcome);
    return { plan, writes, outcome };
  }

  job(component: string): Job {
    const found = this.owned.findLast(
      (each) => each.kind === "Job" && each.metadata.labels?.[label.component] === component,
    );
    assert.ok(found?.kind === "Job", `there is no Job of ${component}`);
    return found;
  }

  deployment(): Deployment {
    const found = this.owned.find((each) => each.kind === "Deployment");
    assert.ok(found?.kind === "Deployment");
    return found;
  }

  complete(component: string): void {
    const job = this.job(component);
    this.owned = this.owned.map((each) =>
      each === job ? { ...job, status: { conditions: [{ type: "Complete", status: "True" }] } } : each,
    );
  }

  endPods(): void {
    this.owned = this.owned.filter(({ kind }) => kind !== "Pod");
  }

  get phase() {
    return this.status.upgrade?.phase;
  }
}

function withBackup(inputs: UpgradeBackupInputs, backup: MlflowBackup): UpgradeBackupInputs {
  return {
    ...inputs,
    backups: [...inputs.backups.filter((each) => each.metadata.name !== backup.metadata.name), backup],
  };
}

function ready<T extends Owned>(object: T): T {
  if (object.kind !== "Deployment") return object;
  const { replicas = 1 } = object.spec;
  return {
    ...object,
    status: { replicas, updatedReplicas: replicas, availableReplicas: replicas, readyReplicas: replicas },
  };
}

function serverPod(): Pod {
  return pod("server", { phase: "Running", conditions: [{ type: "Ready", status: "True" }] });
}

/** Makes the change to the newest version, up to the end of its first preflight. */
function changed(more: Partial<MlflowServerSpec> = {}, from?: string): World {
  const world = new World(from);
  assert.deepEqual(world.pass().writes, [], "a settled server is not written");
  world.spec = { ...world.spec, version: "3.17.2", ...more };
  return world;
}

function approvalIn({ status }: World): string {
  assert.ok(status.upgrade?.approval);
  return status.upgrade.approval;
}

describe("a change of the version", () => {
  test("begins with a preflight Job, while everything runs as before", () => {
    const world = changed();
    const before = world.deployment();
    const { writes, outcome } = world.pass();
    assert.deepEqual(writes, ["create Job preflight"]);
    assert.deepEqual([outcome.state, outcome.cause.reason], ["progressing", "PreflightRunning"]);
    assert.equal(world.deployment(), before);
    const { since, ...upgrade } = world.status.upgrade ?? {};
    const job = world.job("preflight");
    assert.equal(since, base.toISOString());
    assert.deepEqual(upgrade, {
      ...{ phase: "Preflight", from: "3.16.1", to: "3.17.2", waitingFor: `Job/${job.metadata.name}` },
    });
    assert.equal(job.spec.template.spec?.containers[0]?.image, "example.com/mlflow:3.17.2");
    assert.deepEqual(world.pass().writes, [], "it waits without a call");
  });

  test("stops the pods if the version requires it, migrates, and starts the new ones", () => {
    const world = changed();
    world.pass();
    world.complete("preflight");
    const { writes } = world.pass();
    assert.deepEqual([writes, world.phase], [["apply Deployment"], "StoppingWriters"]);
    assert.equal(world.deployment().spec.replicas, 0);
    assert.equal(world.deployment().spec.template.metadata?.labels?.[label.version], "3.16.1");
    assert.deepEqual(world.pass().writes, [], "the pod has not terminated");
    world.endPods();
    assert.ok(world.pass().writes.includes("create Job migration"));
    assert.deepEqual([world.phase, world.deployment().spec.replicas], ["Migrating", 0]);
    world.complete("migration");
    world.pass();
    assert.deepEqual(
      [world.deployment().spec.replicas, world.deployment().metadata.annotations?.[annotation.stoppedFor]],
      [1, undefined],
    );
    assert.equal(world.deployment().spec.template.metadata?.labels?.[label.version], "3.17.2");
    for (let count = 0; count < 3; count += 1) world.pass();
    assert.deepEqual([world.status.upgrade, world.status.version], [undefined, "3.17.2"]);
    assert.deepEqual(
      world.owned.filter(({ metadata }) => metadata.labels?.[label.component] === "preflight"),
      [],
    );
    assert.deepEqual(world.pass().writes, []);
  });

  test("keeps the pods until the migration is complete with the strategy Rolling, or between versions that allow it", () => {
    for (const world of [changed({ upgrade: { strategy: "Rolling" } }), changed({}, "3.17.1")]) {
      world.pass();
      world.complete("preflight");
      assert.ok(world.pass().writes.includes("create Job migration"));
      assert.equal(world.deployment().spec.replicas, 1);
    }
    const stopped = changed({ upgrade: { strategy: "StopWriters" } }, "3.17.1");
    stopped.pass();
    stopped.complete("preflight");
    stopped.pass();
    assert.equal(stopped.deployment().spec.replicas, 0);
  });

  test("reports why the checks fail, keeps the pods, and continues when the checks pass", () => {
    const world = changed();
    world.pass();
    const { uid = "uid-of-job", name } = world.job("preflight").metadata;
    world.owned = world.owned.map((each) =>
      each.metadata.name === name ? { ...each, metadata: { ...each.metadata, uid } } : each,
    );
    const message = JSON.stringify({ reason: "UnsupportedImage", message: "The MLflow image contains MLflow 3.16.1." });
    const failing = pod(
      "preflight",
      {
        phase: "Running",
        containerStatuses: [
          {
            ...{ name: "preflight", image: "i", imageID: "", ready: false, restartCount: 1 },
            state: { waiting: { reason: "CrashLoopBackOff" } },
            lastState: { terminated: { exitCode: 1, message } },
          },
        ],
      },
      { ownerReferences: [{ apiVersion: "batch/v1", kind: "Job", name, uid, controller: true }] },
    );
    world.owned.push(failing);
    const { writes, outcome } = world.pass();
    assert.deepEqual([writes, outcome.state, outcome.cause.reason], [[], "stalled", "UnsupportedImage"]);
    assert.equal(
      outcome.cause.message,
      "Preflight of the change from MLflow 3.16.1 to 3.17.2: The MLflow image contains MLflow 3.16.1. The pods of MLflow 3.16.1 keep serving.",
    );
    const { conditions = [] } = world.status;
    assert.equal(conditions.find(({ type }) => type === "Available")?.status, "True");
    world.owned = world.owned.filter((each) => each !== failing);
    world.complete("preflight");
    world.pass();
    assert.equal(world.phase, "StoppingWriters");
  });

  test("waits for approval of this version and image after its checks, and checks again when it is approved", () => {
    const world = changed({ upgrade: { approval: "Manual" } });
    // A version alone does not say which image was checked.
    world.annotations = { [annotation.approveUpgrade]: "3.17.2" };
    world.pass();
    const approval = approvalIn(world);
    world.complete("preflight");
    const { outcome } = world.pass();
    assert.deepEqual([outcome.cause.reason, world.phase], ["ApprovalRequired", "Waiting"]);
    assert.match(outcome.cause.message, /\(image \S+3\.17\.2\S*\) waits .* has "3.17.2", which does not approve /);
    assert.ok(outcome.cause.message.endsWith(`mlflow-operator.dev/approve-upgrade=${approval}`));
    assert.equal(world.status.upgrade?.waitingFor, `annotation mlflow-operator.dev/approve-upgrade: ${approval}`);
    assert.equal(approvalIn(world), approval);
    assert.deepEqual(world.pass().writes, []);
    world.annotations = { [annotation.approveUpgrade]: approval };
    assert.deepEqual(world.pass().writes.toSorted(), ["create Job preflight", "delete Job preflight"]);
    world.complete("preflight");
    world.pass();
    assert.equal(world.phase, "StoppingWriters");
  });

  test("is not approved by the approval of another version, image, database or previous version", () => {
    const manual = { upgrade: { approval: "Manual" } } as const;
    const approvals = [
      changed(manual),
      changed({ ...manual, version: "3.17.1" }),
      changed({ ...manual, image: { repository: "registry.example.com/mlflow" } }),
      changed({ ...manual, backendStore: { postgresql: { ...postgresql, database: "other" } } }),
      changed(manual, "3.17.0"),
    ].map((world) => {
      world.pass();
      return approvalIn(world);
    });
    assert.equal(new Set(approvals).size, approvals.length, approvals.join());
    const again = changed(manual);
    again.pass();
    assert.equal(approvalIn(again), approvals[0]);
    for (const each of approvals) assert.match(each, /^3\.17\.[12]-[0-9a-f]{10}$/);
  });

  test("waits again if the image changes after the approval, in each step before the migration, and pods run meanwhile", () => {
    const image = { repository: "registry.example.com/mlflow" };
    for (const steps of [0, 1, 2]) {
      const world = changed({ upgrade: { approval: "Manual" } });
      world.pass();
      world.complete("preflight");
      world.annotations = { [annotation.approveUpgrade]: approvalIn(world) };
      for (let count = 0; count < steps; count += 1) {
        world.pass();
        world.complete("preflight");
      }
      assert.equal(world.deployment().spec.replicas, steps === 2 ? 0 : 1);
      world.spec = { ...world.spec, image };
      for (let count = 0; count < 4; count += 1) {
        world.pass();
        world.complete("preflight");
      }
      const { outcome, writes } = world.pass();
      assert.deepEqual([outcome.cause.reason, writes, world.deployment().spec.replicas], ["ApprovalRequired", [], 1]);
      assert.ok(
        !world.owned.some(
          ({ metadata }) =>
            metadata.labels?.[label.component] === "migration" && metadata.name !== world.status.migration?.job,
        ),
      );
    }
  });

  test("whose image changes after the migration has begun keeps the pods stopped, and reports it", () => {
    const world = changed({ upgrade: { approval: "Manual" } });
    world.pass();
    world.complete("preflight");
    world.annotations = { [annotation.approveUpgrade]: approvalIn(world) };
    for (let count = 0; count < 2; count += 1) {
      world.pass();
      world.complete("preflight");
    }
    world.endPods();
    assert.ok(world.pass().writes.includes("create Job migration"));
    world.complete("migration");
    world.spec = { ...world.spec, image: { repository: "registry.example.com/mlflow" } };
    for (let count = 0; count < 4; count += 1) {
      world.pass();
      world.complete("preflight");
    }
    const { outcome } = world.pass();
    assert.equal(outcome.cause.reason, "ApprovalRequired");
    assert.match(outcome.cause.message, /No pods run until then: the migration of another change has begun\./);
    assert.equal(world.deployment().spec.replicas, 0);
  });

  test("waits for a backup that is being written, before pods are stopped and before the migration", () => {
    const running = pod("backup", { phase: "Running" });
    const world = changed();
    world.runningBackup = running;
    world.pass();
    world.complete("preflight");
    const { outcome, writes } = world.pass();
    assert.deepEqual([outcome.cause.reason, writes, world.phase], ["UpgradeBackupRunning", [], "Waiting"]);
    assert.match(
      outcome.cause.message,
      /waits until Pod\/\S+, which writes a backup of the databases, ends\..* keep serving/,
    );
    world.runningBackup = undefined;
    world.pass();
    assert.equal(world.phase, "StoppingWriters");
    world.endPods();
    world.runningBackup = running;
    assert.deepEqual(world.pass().writes, [], "the migration waits as well");
    world.runningBackup = undefined;
    assert.ok(world.pass().writes.includes("create Job migration"));
  });

  test("waits for the maintenance window with its time, and is not held any more once pods are stopped", () => {
    const world = changed({ upgrade: { maintenanceWindow: { startHour: 22, hours: 1 } } });
    world.pass();
    world.complete("preflight");
    const { outcome } = world.pass();
    assert.deepEqual([outcome.cause.reason, outcome.againInSeconds], ["OutsideMaintenanceWindow", 3600]);
    assert.equal(world.status.upgrade?.waitingFor, "maintenance window at 2026-06-01T22:00Z");
    world.now = new Date("2026-06-01T22:30:00Z");
    world.pass();
    world.complete("preflight");
    world.pass();
    assert.equal(world.phase, "StoppingWriters");
    world.now = new Date("2026-06-01T23:30:00Z");
    world.status = { ...world.status };
    delete world.status.upgrade;
    world.endPods();
    assert.ok(world.pass().writes.includes("create Job migration"), "a lost status holds nothing");
  });

  test("can be withdrawn in each step before the migration: the pods of the former version run again", () => {
    for (const passes of [1, 2]) {
      const world = changed();
      for (let count = 0; count < passes; count += 1) {
        if (count === 1) world.complete("preflight");
        world.pass();
      }
      world.spec = { ...world.spec, version: "3.16.1" };
      for (let count = 0; count < 3; count += 1) world.pass();
      assert.deepEqual([world.deployment().spec.replicas, world.status.upgrade], [1, undefined]);
      assert.deepEqual(world.pass().writes, []);
    }
  });

  test("that is withdrawn after its migration is rejected as a downgrade, and keeps the pods", () => {
    const world = changed({}, "3.17.0");
    world.pass();
    world.complete("preflight");
    assert.ok(world.pass().writes.includes("create Job migration"));
    world.pass();
    world.spec = { ...world.spec, version: "3.17.0" };
    world.complete("migration");
    for (let count = 0; count < 3; count += 1) world.pass();
    const { outcome, writes } = world.pass();
    assert.deepEqual([outcome.cause.reason, writes, world.deployment().spec.replicas], ["DowngradeRejected", [], 1]);
  });

  test("is not repeated if other clients delete the completed Job of the checks", () => {
    const world = changed({ upgrade: { approval: "Manual" } });
    world.pass();
    world.complete("preflight");
    world.pass();
    const job = world.job("preflight");
    world.owned = world.owned.filter((each) => each !== job);
    assert.deepEqual(world.pass().writes, []);
    assert.equal(world.phase, "Waiting");
  });

  test("continues from every state, whatever was written before a crash and whether the status was", () => {
    // Bits: whether the status of a pass is lost.
    for (const lost of [0b0, 0b1, 0b10, 0b100, 0b1000, 0b10000, 0b101010, 0b111111]) {
      const world = changed();
      for (let count = 0; count < 12; count += 1) {
        const { status } = world;
        world.pass();
        const { migration } = world.status;
        if ((lost >> count) & 1)
          world.status = { ...status, ...(status.migration === undefined && migration && { migration }) };
        for (const component of ["preflight", "migration"]) {
          if (
            world.owned.some((each) => each.kind === "Job" && each.metadata.labels?.[label.component] === component)
          ) {
            world.complete(component);
          }
        }
        if (world.deployment().spec.replicas === 0) world.endPods();
      }
      assert.deepEqual(
        [world.status.upgrade, world.status.version, world.deployment().spec.replicas],
        [undefined, "3.17.2", 1],
      );
      assert.deepEqual(world.pass().writes, []);
    }
  });
});

describe("the backup before a change of the version", () => {
  const destination = { persistentVolumeClaim: { claimName: "backups" } };
  const metadata = { name: "nightly", namespace: "team-a" };
  const schedule: MlflowBackupSchedule = {
    ...{ apiVersion: "mlflow-operator.dev/v1alpha1", kind: "MlflowBackupSchedule", metadata },
    spec: { serverRef: { name: "demo" }, schedule: "0 2 * * *", destination },
  };
  const settings = { upgrade: { backup: { scheduleRef: { name: "nightly" } } } };
  const inputsOf = (more: Partial<UpgradeBackupInputs> = {}) => ({ schedule, backups: [], missing: [], ...more });

  /** A change after its preflight. */
  function checked(
    more: Partial<UpgradeBackupInputs> = {},
    spec: Partial<MlflowServerSpec> = settings,
    from?: string,
  ): World {
    const world = changed(spec, from);
    world.backups = inputsOf(more);
    world.pass();
    world.complete("preflight");
    return world;
  }

  /** Sets the phase of the last backup. */
  function reached(world: World, phase: "Running" | "Completed" | "Failed", reason = "DatabaseFull"): MlflowBackup {
    const backup = world.backups?.backups.at(-1);
    assert.ok(backup !== undefined);
    const conditions: Condition[] = [
      {
        ...{ type: "Ready", status: "False", reason, message: "No space." },
        observedGeneration: 1,
        lastTransitionTime: "",
      } as const,
    ];
    const changedBackup = { ...backup, status: { phase, conditions } };
    world.backups = withBackup(world.backups ?? inputsOf(), changedBackup);
    return changedBackup;
  }

  test("is written when no pod writes any longer, and the migration follows", () => {
    const world = checked();
    assert.deepEqual([world.pass().writes, world.phase], [["apply Deployment"], "StoppingWriters"]);
    world.endPods();
    const { writes, outcome } = world.pass();
    assert.deepEqual(
      [writes, world.phase, outcome.cause.reason],
      [["create backup"], "BackingUp", "UpgradeBackupRunning"],
    );
    const [backup] = world.backups?.backups ?? [];
    assert.deepEqual(backup?.spec, { serverRef: { name: "demo" }, destination });
    assert.match(backup?.metadata.name ?? "", /^demo-upgrade-[0-9a-f]{10}$/);
    assert.equal(world.status.upgrade?.waitingFor, `MlflowBackup/${backup?.metadata.name}`);
    assert.deepEqual(world.pass().writes, []);
    reached(world, "Running");
    assert.deepEqual(world.pass().writes, []);
    reached(world, "Completed");
    assert.ok(world.pass().writes.includes("create Job migration"));
    // From now on it does not matter whether the backup exists.
    world.backups = inputsOf();
    world.complete("migration");
    for (let count = 0; count < 4; count += 1) world.pass();
    assert.deepEqual([world.status.upgrade, world.status.version], [undefined, "3.17.2"]);
  });

  test("is written while the pods serve, where they need not stop", () => {
    const world = checked({}, settings, "3.17.1");
    assert.deepEqual([world.pass().writes, world.deployment().spec.replicas], [["create backup"], 1]);
    reached(world, "Completed");
    assert.ok(world.pass().writes.includes("create Job migration"));
  });

  test("starts the pods again if it fails, and is written again when the failed one is deleted", () => {
    const world = checked();
    world.pass();
    world.endPods();
    world.pass();
    const { name } = reached(world, "Failed").metadata;
    const { writes, outcome } = world.pass();
    assert.deepEqual(writes, ["apply Deployment"]);
    const { spec: of, metadata: meta } = world.deployment();
    assert.deepEqual([of.replicas, meta.annotations?.[annotation.stoppedFor]], [1, undefined]);
    assert.equal(of.template.metadata?.labels?.[label.version], "3.16.1");
    assert.deepEqual(
      [outcome.state, outcome.cause.reason, world.phase],
      ["stalled", "UpgradeBackupFailed", "BackingUp"],
    );
    assert.match(
      outcome.cause.message,
      new RegExp(`^MlflowBackup/${name} .* failed \\(DatabaseFull\\).* keep serving\\. `),
    );
    assert.match(outcome.cause.message, new RegExp(`kubectl delete mlflowbackup -n team-a ${name}\\.`));
    world.owned.push(serverPod());
    assert.deepEqual(world.pass().writes, [], "it waits without a call");
    world.backups = inputsOf();
    assert.deepEqual([world.pass().writes, world.phase], [["apply Deployment"], "StoppingWriters"]);
    world.endPods();
    assert.deepEqual(world.pass().writes, ["create backup"]);
  });

  test("is written again if it is interrupted, while the pods stay stopped", () => {
    const world = checked();
    world.pass();
    world.endPods();
    world.pass();
    const { name } = reached(world, "Failed", "BackupInterrupted").metadata;
    const { writes, outcome } = world.pass();
    assert.deepEqual([writes, world.deployment().spec.replicas, world.phase], [["create backup"], 0, "BackingUp"]);
    assert.equal(world.status.upgrade?.waitingFor, `MlflowBackup/${name}-2`);
    assert.match(outcome.cause.message, new RegExp(`^MlflowBackup/${name}-2 is written .* MlflowBackup/${name} was`));
    assert.deepEqual(world.pass().writes, []);
    reached(world, "Completed");
    // From now on it does not matter whether the first one exists.
    world.backups = inputsOf({ backups: world.backups?.backups.slice(1) ?? [] });
    assert.ok(world.pass().writes.includes("create Job migration"));
  });

  test("has failed if it is interrupted five times, or if one after an interruption fails", () => {
    const world = checked();
    world.pass();
    world.endPods();
    world.pass();
    for (let count = 1; count < 5; count += 1) {
      reached(world, "Failed", "BackupInterrupted");
      assert.deepEqual(world.pass().writes, ["create backup"]);
    }
    const { name } = reached(world, "Failed", "BackupInterrupted").metadata;
    const { writes, outcome } = world.pass();
    assert.deepEqual([writes, outcome.cause.reason], [["apply Deployment"], "UpgradeBackupFailed"]);
    assert.match(name, /-5$/);
    assert.match(outcome.cause.message, new RegExp(`kubectl delete mlflowbackup -n team-a ${name}\\.`));
    // When it is deleted, it is written again.
    const [first, second] = world.backups?.backups ?? [];
    assert.ok(first !== undefined && second !== undefined);
    world.backups = inputsOf({ backups: [first, second] });
    reached(world, "Failed");
    assert.equal(world.pass().outcome.cause.reason, "UpgradeBackupFailed");
    world.backups = inputsOf({ backups: [first] });
    world.pass();
    world.endPods();
    assert.deepEqual(world.pass().writes, ["create backup"]);
    assert.deepEqual(world.backups?.backups.map(({ metadata }) => metadata.name.slice(-2)).at(-1), "-2");
  });

  test("keeps the pods if its schedule or a Secret does not exist", () => {
    const missing = [{ reason: "SecretNotFound", message: "Secret s3 does not exist." }] as const;
    for (const [more, reason] of [
      [{ schedule: undefined }, "BackupScheduleNotFound"],
      [{ missing }, "SecretNotFound"],
    ] as const) {
      const world = checked(more);
      const { writes, outcome } = world.pass();
      assert.deepEqual([writes, outcome.cause.reason, world.phase], [[], reason, "Waiting"]);
      assert.match(outcome.cause.message, /The pods of MLflow 3\.16\.1 keep serving\.$/);
      assert.equal(world.deployment().spec.replicas, 1);
      world.backups = inputsOf();
      world.pass();
      assert.equal(world.phase, "StoppingWriters");
    }
  });

  test("can be left out after a failure, and the change can be withdrawn", () => {
    for (const change of [{ upgrade: {} }, { version: "3.16.1" }]) {
      const world = checked();
      world.pass();
      world.endPods();
      world.pass();
      reached(world, "Failed");
      world.pass();
      world.spec = { ...world.spec, ...change };
      for (let count = 0; count < 8; count += 1) {
        world.pass();
        for (const component of ["preflight", "migration"])
          if (world.owned.some((each) => each.metadata.labels?.[label.component] === component))
            world.complete(component);
        if (world.deployment().spec.replicas === 0) world.endPods();
      }
      assert.deepEqual([world.status.upgrade, world.status.version], [undefined, world.spec.version]);
    }
  });

  test("has another name for each change, also for the same one after a restoration", () => {
    const names = [undefined, "later"].map((attempt) => {
      const world = new World();
      const { migration } = world.status;
      if (attempt !== undefined && migration) world.status = { ...world.status, migration: { ...migration, attempt } };
      world.spec = { ...world.spec, ...settings, version: "3.17.2" };
      world.backups = inputsOf();
      world.pass();
      world.complete("preflight");
      world.pass();
      world.endPods();
      world.pass();
      return world.backups?.backups[0]?.metadata.name;
    });
    assert.notEqual(names[0], names[1]);
  });

  test("is asked for where MLflow requires one and the spec does not", () => {
    const text = "requires a restorable backup before its migration, and spec.upgrade.backup is not set";
    const world = changed();
    assert.ok(world.pass().outcome.cause.message.includes(text));
    world.complete("preflight");
    assert.ok(world.pass().outcome.cause.message.includes(text));
    const other = changed({}, "3.17.0");
    assert.ok(!other.pass().outcome.cause.message.includes(text));
    assert.deepEqual([backupRequired("3.16.1", "3.17.2"), backupRequired("3.17.0", "3.17.2")], [true, false]);
  });
});

describe("the table of versions", () => {
  test("stops writers from 3.16 to any 3.17 only", () => {
    for (const to of ["3.17.0", "3.17.1", "3.17.2"]) assert.ok(writersMustStop("3.16.1", to) !== undefined);
    assert.ok(writersMustStop("unknown", "3.17.2") !== undefined);
    assert.equal(writersMustStop("3.17.0", "3.17.2"), undefined);
    assert.equal(writersMustStop("3.17.2", "3.17.2"), undefined);
    assert.equal(writersMustStop("3.17.2", "3.16.1"), undefined);
  });
});

describe("a maintenance window", () => {
  const next = (window: MaintenanceWindow, now: string) => nextWindow(window, new Date(now))?.toISOString();

  test("is open for its hours, in UTC, also after midnight, and names its next start", () => {
    const daily = { startHour: 22, hours: 4 };
    assert.equal(next(daily, "2026-11-30T21:59:59Z"), "2026-11-30T22:00:00.000Z");
    assert.equal(next(daily, "2026-11-30T22:00:00Z"), undefined);
    assert.equal(next(daily, "2026-12-01T01:59:59Z"), undefined);
    assert.equal(next(daily, "2026-12-01T02:00:00Z"), "2026-12-01T22:00:00.000Z");
    assert.equal(next({ startHour: 0, hours: 24 }, "2026-12-01T02:00:00Z"), undefined);
  });

  test("opens on its days only, also at the end of a month and a year", () => {
    // 2026-11-30 is a Monday.
    const weekend: MaintenanceWindow = { days: ["Sat", "Sun"], startHour: 2, hours: 4 };
    assert.equal(next(weekend, "2026-11-30T03:00:00Z"), "2026-12-05T02:00:00.000Z");
    assert.equal(next(weekend, "2026-12-05T03:00:00Z"), undefined);
    assert.equal(next(weekend, "2026-12-06T06:00:00Z"), "2026-12-12T02:00:00.000Z");
    assert.equal(next({ days: ["Mon"], startHour: 23, hours: 2 }, "2026-12-01T00:30:00Z"), undefined);
    assert.equal(next({ days: ["Mon"], startHour: 0, hours: 1 }, "2026-11-30T01:00:00Z"), "2026-12-07T00:00:00.000Z");
    assert.equal(next({ days: ["Fri"], startHour: 5, hours: 1 }, "2026-12-31T05:00:00Z"), "2027-01-01T05:00:00.000Z");
  });
});
