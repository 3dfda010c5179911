import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type EventRow, eventReasons, isMigrationFailure, unsecuredReasons } from "../../src/api/event-reasons.ts";
import { isReason, reasons } from "../../src/api/reasons.ts";
import type { MlflowServerStatus } from "../../src/api/server.ts";
import type { MigrationRecord } from "../../src/api/status.ts";
import type { MlflowWorkspaceAccessStatus } from "../../src/api/workspace-access.ts";
import { resolve } from "../../src/features/resolve.ts";
import type { Condition } from "../../src/kube/conditions.ts";
import type { Deployment, Owned } from "../../src/kube/manifests.ts";
import type { ReportedEvent } from "../../src/reconcile/cluster.ts";
import { accessEvents, serverEvents } from "../../src/reconcile/lifecycle-events.ts";
import { outcomeOf } from "../../src/reconcile/outcome.ts";
import { planOf } from "../../src/reconcile/plan.ts";
import { statusOf } from "../../src/reconcile/status.ts";
import { checkArtifactsProgram, migrateProgram } from "../../src/resources/python-programs.ts";
import { all, completedJob, inputs, jobOf, recordOf, server, startedJob } from "../support/fixtures.ts";
import { seededRandom } from "../support/seeded-random.ts";

const rows: Readonly<Record<string, EventRow>> = eventReasons;

function condition(type: string, status: Condition["status"], reason: string, observedGeneration = 1): Condition {
  const lastTransitionTime = "2026-01-01T00:00:00Z";
  return { type, status, reason, message: `The message of ${reason}.`, observedGeneration, lastTransitionTime };
}

/** The conditions of a state: `Ready`, `Reconciling` and `Stalled`. */
function state(of: "ready" | "progressing" | "stalled" | "unknown", reason: string, generation?: number): Condition[] {
  const ready = { ready: "True", progressing: "False", stalled: "False", unknown: "Unknown" } as const;
  return [
    condition("Ready", ready[of], reason, generation),
    of === "progressing"
      ? condition("Reconciling", "True", reason, generation)
      : condition("Reconciling", "False", "NotReconciling", generation),
    of === "stalled" || of === "unknown"
      ? condition("Stalled", "True", reason, generation)
      : condition("Stalled", "False", "NotStalled", generation),
  ];
}

const complete: MigrationRecord = {
  job: "demo-migrate-1",
  version: "3.17.2",
  database: "d",
  phase: "Complete",
  attempt: "2026-01-01T00:00:00.000Z",
  startTime: "2026-01-01T00:00:00.000Z",
};
const started: MigrationRecord = { ...complete, phase: "Started" };
const migrated = condition("DatabaseReady", "True", "MigrationComplete");
const migrating = condition("DatabaseReady", "False", "MigrationRunning");
const available = condition("Available", "True", "PodsReady");
const hibernated = condition("Available", "False", "Hibernated");

const firstRollout = { revision: "1", phase: "Complete" } as const;

const ready: MlflowServerStatus = {
  conditions: [...state("ready", "Ready"), migrated, available],
  migration: complete,
  rollout: firstRollout,
};
const rolling: MlflowServerStatus = {
  ...ready,
  conditions: [...state("progressing", "Progressing"), migrated, available],
  rollout: { revision: "2", phase: "Started" },
};
const running: MlflowServerStatus = {
  conditions: [...state("progressing", "MigrationRunning"), migrating],
  migration: started,
};
const failing = (reason: string, more: readonly Condition[] = [condition("DatabaseReady", "False", reason)]) => ({
  ...running,
  conditions: [...state("stalled", reason), ...more],
});
const pause = condition("Paused", "True", "Paused");
const paused: MlflowServerStatus = { ...ready, conditions: [...(ready.conditions ?? []), pause] };
const pausedWithChanges: MlflowServerStatus = {
  ...ready,
  conditions: [...state("stalled", "Paused"), migrated, available, pause],
};
const sleeping: MlflowServerStatus = { ...ready, conditions: [...state("ready", "Hibernated"), migrated, hibernated] };
const waiting = (reason: string, of = ready): MlflowServerStatus => ({
  ...of,
  conditions: [...(of.conditions ?? []), condition("UpgradePending", "True", reason)],
});
const missing: MlflowServerStatus = {
  ...ready,
  conditions: [...state("stalled", "SecretNotFound"), migrated, available],
};
const outdated: MlflowServerStatus = {
  ...ready,
  conditions: [...state("unknown", "WatchFailed"), migrated, available],
};
const pending: MlflowServerStatus = {
  conditions: ["Ready", "Reconciling", "Stalled"].map((type) => condition(type, "Unknown", "Pending")),
};

const endpoint = (
  status: "True" | "False" | "Unknown",
  reason: string,
  endpointProblem?: "EndpointOpen" | "NetworkPolicyMissing",
): MlflowServerStatus => ({
  ...ready,
  conditions: [...(ready.conditions ?? []), condition("EndpointSecured", status, reason)],
  ...(endpointProblem !== undefined && { endpointProblem }),
});

const namesOf = (events: readonly ReportedEvent[]) => events.map(({ type, reason }) => `${type} ${reason}`);

describe("the Events of an MlflowServer", () => {
  const again = { ...started, startTime: "2026-01-01T01:00:00.000Z" };
  const later: MigrationRecord = { ...started, job: "demo-migrate-2", attempt: "2026-01-02T00:00:00.000Z" };
  const deletedJob: MlflowServerStatus = {
    ...running,
    migration: { ...later, previous: complete },
    rollout: firstRollout,
  };
  const { startTime: _, ...uncreated } = started;
  const { migration: __, ...withoutMigration } = ready;
  const { rollout: ___, ...withoutRollout } = ready;
  const storeFails = failing("ArtifactStoreNotFound", [condition("DatabaseReady", "False", "MigrationPending")]);
  const transitions: Record<string, [MlflowServerStatus | undefined, MlflowServerStatus, ...string[]]> = {
    "a new server whose migration starts": [pending, running, "Normal MigrationStarted"],
    "a server without a status": [undefined, running, "Normal MigrationStarted"],
    "a migration whose Job is not created yet": [pending, { ...running, migration: uncreated }],
    "a Job that is created again": [running, { ...running, migration: again }, "Normal MigrationStarted"],
    "a migration that completes": [
      running,
      { ...running, conditions: [...state("progressing", "Progressing"), migrated], migration: complete },
      "Normal MigrationCompleted",
    ],
    "a migration that completes between two reconciliations": [
      pending,
      { ...ready, rollout: { revision: "1", phase: "Started" }, conditions: rolling.conditions ?? [] },
      "Normal MigrationCompleted",
      "Normal RolloutStarted",
    ],
    "a completion that was recorded before the status": [
      { ...running, migration: complete },
      { ...running, conditions: [...state("progressing", "Progressing"), migrated], migration: complete },
      "Normal MigrationCompleted",
    ],
    "a migration whose Job was deleted before it ran": [deletedJob, { ...rolling, rollout: firstRollout }],
    "a record that an administrator removed": [withoutMigration, ready],
    "a migration that fails": [running, failing("DatabaseUnreachable"), "Warning MigrationFailed"],
    "a migration that fails for another reason": [
      failing("DatabaseUnreachable"),
      failing("DatabaseNotFound"),
      "Warning MigrationFailed",
    ],
    "a migration that fails again": [failing("DatabaseNotFound"), failing("DatabaseNotFound")],
    "a migration that fails because of the artifact store": [running, storeFails, "Warning MigrationFailed"],
    "a migration that cannot start": [running, failing("ImagePullFailed"), "Warning ImagePullFailed"],
    "a migration that takes long": [running, failing("MigrationOverdue"), "Warning MigrationOverdue"],
    "a rollout that starts": [ready, rolling, "Normal RolloutStarted"],
    "a rollout that completes": [
      rolling,
      { ...ready, rollout: { revision: "2", phase: "Complete" } },
      "Normal RolloutCompleted",
      "Normal Ready",
    ],
    "a rollout that completes before it is reported": [
      ready,
      { ...ready, rollout: { revision: "2", phase: "Complete" } },
      "Normal RolloutCompleted",
    ],
    "a pod that is no longer ready": [ready, { ...rolling, rollout: firstRollout }],
    "a pod that is ready again": [{ ...rolling, rollout: firstRollout }, ready, "Normal Ready"],
    "a ready server of an operator that did not record rollouts": [withoutRollout, ready],
    hibernation: [ready, sleeping, "Normal Hibernated"],
    "the end of hibernation": [
      sleeping,
      {
        ...rolling,
        rollout: firstRollout,
        conditions: [...state("progressing", "Progressing"), migrated, available],
      },
      "Normal HibernationEnded",
    ],
    "a problem during hibernation": [
      sleeping,
      { ...sleeping, conditions: [...state("stalled", "SecretNotFound"), migrated, hibernated] },
      "Warning SecretNotFound",
    ],
    "a pause": [ready, paused, "Normal Paused"],
    "the end of a pause": [paused, ready, "Normal Resumed"],
    "a change during a pause": [paused, pausedWithChanges],
    "the end of a pause with a change": [pausedWithChanges, ready, "Normal Resumed", "Normal Ready"],
    "a problem during a pause": [
      paused,
      { ...missing, conditions: [...(missing.conditions ?? []), pause] },
      "Warning SecretNotFound",
    ],
    "the end of a pause with a problem": [paused, missing, "Normal Resumed", "Warning SecretNotFound"],
    "an upgrade that stops": [waiting("UpgradeWaiting"), waiting("UpgradeStopped"), "Warning UpgradeStopped"],
    "an upgrade that continues": [waiting("UpgradeStopped"), waiting("UpgradeWaiting"), "Normal UpgradeContinued"],
    "an upgrade that continues with this server": [
      waiting("UpgradeStopped"),
      rolling,
      "Normal UpgradeContinued",
      "Normal RolloutStarted",
    ],
    "a problem of a server that an upgrade has not changed": [
      waiting("UpgradeStopped"),
      missing,
      "Warning SecretNotFound",
    ],
    "a problem": [ready, missing, "Warning SecretNotFound"],
    "the same problem": [missing, missing],
    "the end of a problem": [missing, ready, "Normal Ready"],
    "an outdated cache": [ready, outdated, "Warning WatchFailed"],
    "an outdated cache during a pause": [paused, outdated, "Warning WatchFailed"],
    "an endpoint of a new server": [endpoint("Unknown", "NotChecked"), endpoint("True", "Secured")],
    "an endpoint that opens": [
      endpoint("True", "Secured"),
      endpoint("False", "EndpointOpen", "EndpointOpen"),
      "Warning EndpointOpen",
    ],
    "an open endpoint whose pods are replaced": [
      endpoint("False", "EndpointOpen", "EndpointOpen"),
      endpoint("Unknown", "NotChecked", "EndpointOpen"),
    ],
    "an endpoint that is open after its pods were replaced": [
      endpoint("Unknown", "NotChecked", "EndpointOpen"),
      endpoint("False", "EndpointOpen", "EndpointOpen"),
    ],
    "an endpoint that is secured after its pods were replaced": [
      endpoint("Unknown", "NotChecked", "EndpointOpen"),
      endpoint("True", "Secured"),
      "Normal EndpointSecured",
    ],
    "an endpoint whose problem changes": [
      endpoint("False", "EndpointOpen", "EndpointOpen"),
      endpoint("False", "NetworkPolicyMissing", "NetworkPolicyMissing"),
      "Warning NetworkPolicyMissing",
    ],
    "an endpoint that answers something else": [
      endpoint("False", "EndpointOpen", "EndpointOpen"),
      endpoint("False", "UnexpectedResponse", "EndpointOpen"),
    ],
  };

  for (const [what, [before, after, ...expected]] of Object.entries(transitions)) {
    test(`${expected.length === 0 ? "are none for" : "are recorded for"} ${what}`, () =>
      assert.deepEqual(namesOf(serverEvents(before, after)), expected));
  }

  test("quote the reason of a failed migration", () => {
    const [event] = serverEvents(running, failing("DatabaseUnreachable"));
    assert.equal(event?.message, "DatabaseUnreachable: The message of DatabaseUnreachable.");
    assert.equal(serverEvents(running, failing("MigrationFailed"))[0]?.message, "The message of MigrationFailed.");
  });
});

describe("the Events of a MlflowWorkspaceAccess", () => {
  const access = (...of: Parameters<typeof state>): MlflowWorkspaceAccessStatus => ({ conditions: state(...of) });
  const granted = access("ready", "Granted");
  const transitions: Record<
    string,
    [MlflowWorkspaceAccessStatus | undefined, MlflowWorkspaceAccessStatus, ...string[]]
  > = {
    "a grant in force": [pending, granted, "Normal Granted"],
    "the same grant": [granted, granted],
    "a changed grant": [granted, access("ready", "Granted", 2), "Normal Granted"],
    "a grant that expires": [granted, access("stalled", "Expired"), "Normal Expired"],
    "an access that has expired before": [undefined, access("stalled", "Expired"), "Normal Expired"],
    "a grant without its server": [granted, access("progressing", "WorkspaceNotServed"), "Warning Revoked"],
    "a grant in a namespace that opts out": [granted, access("stalled", "WorkspaceOptInMissing"), "Warning Revoked"],
    "an access without a workspace": [
      pending,
      access("stalled", "WorkspaceOptInMissing"),
      "Warning WorkspaceOptInMissing",
    ],
    "an access that waits": [pending, access("progressing", "WorkspaceOptInMissing")],
    // Its subjects keep their role.
    "a field that is not supported": [granted, access("stalled", "UnsupportedField"), "Warning UnsupportedField"],
    "a later expiry": [access("stalled", "Expired"), access("ready", "Granted", 2), "Normal Granted"],
  };

  for (const [what, [before, after, ...expected]] of Object.entries(transitions)) {
    test(`${expected.length === 0 ? "are none for" : "are recorded for"} ${what}`, () => {
      const events = accessEvents(before, after);
      assert.deepEqual(namesOf(events), expected);
      for (const { action } of events) assert.equal(action, "Grant");
    });
  }
});

describe("in any sequence of statuses", () => {
  const random = seededRandom(20261129);
  const pick = <T>(...values: readonly [T, ...T[]]): T => values[Math.floor(random() * values.length)] ?? values[0];
  const phases = ["Started", "Complete"] as const;

  function anyStatus(): MlflowServerStatus | undefined {
    if (random() < 0.05) return undefined;
    const problem = pick("SecretNotFound", "DatabaseUnreachable", "Paused", "CrashLooping", "Unschedulable");
    const database = pick(migrated, migrating, condition("DatabaseReady", "False", "DatabaseUnreachable"));
    const attempt = pick("2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z");
    const pauses = pick<Condition[]>([], [], [pause]);
    const upgrade = pick<Condition[]>(
      [],
      [],
      [condition("UpgradePending", "True", pick("UpgradeWaiting", "UpgradeStopped"))],
    );
    const conditions = [
      ...pick(
        state("ready", pick("Ready", "Hibernated")),
        state("progressing", "Progressing"),
        state("stalled", problem),
        state("unknown", "WatchFailed"),
      ),
      database,
      pick(available, hibernated, condition("Available", "False", "NoPodReady")),
      pick(
        condition("EndpointSecured", "True", "Secured"),
        condition("EndpointSecured", "False", "EndpointOpen"),
        condition("EndpointSecured", "False", "NetworkPolicyMissing"),
        condition("EndpointSecured", "Unknown", "ProbeFailed"),
      ),
      ...pauses,
      ...upgrade,
      ...pick(
        [],
        [condition("RotationPending", "True", "RotationRunning")],
        [condition("RotationPending", "True", "DatabaseUnreachable")],
      ),
    ];
    const secured = conditions.find(({ type }) => type === "EndpointSecured");
    const found = unsecuredReasons.find((reason) => reason === secured?.reason);
    const former = secured?.status === "True" ? undefined : pick(undefined, ...unsecuredReasons);
    const endpointProblem = found ?? former;
    return {
      conditions,
      ...(endpointProblem !== undefined && { endpointProblem }),
      ...(random() < 0.9 && { migration: { ...complete, attempt, startTime: attempt, phase: pick(...phases) } }),
      ...(random() < 0.5 && {
        upgrade: {
          phase: pick("Preflight", "Waiting", "StoppingWriters", "Migrating", "RollingOut"),
          from: "3.16.1",
          to: pick("3.17.1", "3.17.2"),
          since: attempt,
          waitingFor: pick("one", "other"),
        },
      }),
      ...(random() < 0.5 && {
        rotations: [
          pick(
            { name: "session", phase: "Preparing", startedAt: attempt } as const,
            { name: "session", phase: "Completed", startedAt: attempt, completedAt: attempt } as const,
            { name: "references", phase: "Completed", completedAt: attempt } as const,
          ),
        ],
      }),
      ...(random() < 0.5 && { restore: { backup: "nightly", location: "pvc://backups/nightly", time: attempt } }),
      ...(random() < 0.9 && { rollout: { revision: pick("1", "2"), phase: pick(...phases) } }),
    };
  }

  /** What the new status must show if there is an Event of a reason. */
  const shows: Readonly<Record<keyof typeof eventReasons, (status: MlflowServerStatus) => boolean>> = {
    RestoreCompleted: ({ restore }) => restore !== undefined,
    MigrationStarted: ({ migration }) => migration?.phase === "Started",
    MigrationCompleted: (status) => status.migration?.phase === "Complete" && is(status, "DatabaseReady", "True"),
    MigrationFailed: (status) => is(status, "Stalled", "True") && is(status, "DatabaseReady", "False"),
    RolloutStarted: ({ rollout }) => rollout?.phase === "Started",
    RolloutCompleted: ({ rollout }) => rollout?.phase === "Complete",
    Ready: (status) => is(status, "Ready", "True", "Ready"),
    Hibernated: (status) => is(status, "Available", "False", "Hibernated"),
    HibernationEnded: (status) => !is(status, "Available", "False", "Hibernated"),
    Paused: (status) => is(status, "Paused", "True"),
    Resumed: (status) => !is(status, "Paused", "True"),
    UpgradeStopped: (status) => is(status, "UpgradePending", "True", "UpgradeStopped"),
    UpgradeContinued: (status) => !is(status, "UpgradePending", "True", "UpgradeStopped"),
    EndpointOpen: (status) => is(status, "EndpointSecured", "False", "EndpointOpen"),
    NetworkPolicyMissing: (status) => is(status, "EndpointSecured", "False", "NetworkPolicyMissing"),
    EndpointSecured: (status) => is(status, "EndpointSecured", "True", "Secured"),
    UpgradeStarted: ({ upgrade }) => upgrade !== undefined,
    PreflightFailed: (status) => is(status, "Stalled", "True") && status.upgrade?.phase === "Preflight",
    UpgradeHeld: ({ upgrade }) => upgrade?.phase === "Waiting",
    WritersStopped: ({ upgrade }) => upgrade?.phase === "StoppingWriters",
    RotationStarted: ({ rotations = [] }) => rotations.some(({ phase }) => phase !== "Completed"),
    RotationCompleted: ({ rotations = [] }) => rotations.some(({ phase }) => phase === "Completed"),
    RotationHeld: (status) => is(status, "RotationPending", "True"),
    UpgradeCompleted: (status) => is(status, "Ready", "True") && status.upgrade === undefined,
    Granted: () => false,
    Expired: () => false,
    Revoked: () => false,
    BackupStarted: () => false,
    BackupCompleted: () => false,
  };

  function is({ conditions }: MlflowServerStatus, type: string, status: string, reason?: string): boolean {
    const found = conditions?.find((each) => each.type === type);
    return found?.status === status && (reason === undefined || found.reason === reason);
  }

  function assertShown(event: ReportedEvent, status: MlflowServerStatus): void {
    const text = `${JSON.stringify(event)} ${JSON.stringify(status)}`;
    const row = rows[event.reason];
    assert.notEqual(event.message, "", text);
    if (row === undefined || (row.type === "Normal" && event.type === "Warning")) {
      assert.ok(
        isReason(event.reason) && event.type === "Warning" && is(status, "Stalled", "True", event.reason),
        text,
      );
      return;
    }
    assert.deepEqual([event.type, event.action, row.kind], [row.type, row.action, "MlflowServer"], text);
    const show = Object.entries(shows).find(([reason]) => reason === event.reason)?.[1];
    assert.ok(show?.(status), text);
  }

  test("each Event is shown by the new status, at most one of a reason, and equal statuses have none", () => {
    const seen = new Set<string>();
    let before = anyStatus();
    for (let times = 0; times < 20_000; times += 1) {
      const after = anyStatus() ?? ready;
      const events = serverEvents(before, after);
      for (const event of events) {
        seen.add(event.reason);
        assertShown(event, after);
      }
      assert.equal(new Set(events.map(({ reason }) => reason)).size, events.length);
      // After a restart the operator reads the same status.
      assert.deepEqual(serverEvents(structuredClone(after), after), []);
      before = random() < 0.9 ? after : anyStatus();
    }
    const known = Object.entries(rows).filter(([, { kind }]) => kind === "MlflowServer");
    for (const [reason] of known) assert.ok(seen.has(reason), `${reason} was never recorded`);
  });
});

test("the life of a server has one Event for each of its steps", () => {
  const wanted = inputs(server());
  const { installation, references } = wanted;
  const job = jobOf(wanted);
  const record = recordOf(job);
  const uncreated: Owned[] = all(wanted).filter(({ kind }) => kind !== "Job" && kind !== "Deployment");
  const deployment = (
    revision: string,
    generation: number,
    pods: Partial<NonNullable<Deployment["status"]>>,
  ): Owned[] =>
    all(wanted)
      .filter((each): each is Deployment => each.kind === "Deployment")
      .map((each) => ({
        ...each,
        metadata: {
          ...each.metadata,
          generation,
          annotations: { ...each.metadata.annotations, "deployment.kubernetes.io/revision": revision },
        },
        status: { observedGeneration: generation, ...pods },
      }));
  const up = { replicas: 1, updatedReplicas: 1, availableReplicas: 1, readyReplicas: 1 };
  const steps: readonly [string, readonly Owned[], ...string[]][] = [
    ["nothing exists", uncreated, "MigrationStarted"],
    ["the Job runs", [...uncreated, startedJob(job)]],
    ["the Job is complete", [...uncreated, completedJob(job)]],
    [
      "the Deployment exists",
      [...uncreated, completedJob(job), ...deployment("1", 1, { replicas: 1, updatedReplicas: 1 })],
      "MigrationCompleted",
      "RolloutStarted",
    ],
    ["the pod is ready", [...uncreated, completedJob(job), ...deployment("1", 1, up)], "RolloutCompleted", "Ready"],
    ["the Job is deleted", [...uncreated, ...deployment("1", 1, up)]],
    ["the pod is lost", [...uncreated, ...deployment("1", 1, { ...up, availableReplicas: 0 })]],
    ["the pod is back", [...uncreated, ...deployment("1", 1, up)], "Ready"],
    ["another template rolls out", [...uncreated, ...deployment("2", 2, { ...up, replicas: 2 })], "RolloutStarted"],
    ["and is ready", [...uncreated, ...deployment("2", 2, up)], "RolloutCompleted", "Ready"],
  ];
  let status: MlflowServerStatus | undefined;
  for (const [what, owned, ...expected] of steps) {
    // The operator that created the Job has stored its attempt.
    const migration = status?.migration && { ...status.migration, attempt: record.attempt, startTime: record.attempt };
    const of = { ...server(), status: { ...status, ...(migration && { migration }) } };
    const observed = {
      ...{ server: of, owned, references, installation, inputs: { ...wanted, server: of }, model: resolve(wanted) },
      ...{ unmanaged: [], granted: [], isMutatedByAdmission: () => false, now: new Date(0) },
    };
    const outcome = outcomeOf(observed, planOf(observed));
    // Such an outcome is not reported.
    if (outcome.isInterim) continue;
    const after = statusOf(observed, outcome);
    const events = serverEvents(of.status, after).map(({ reason }) => reason);
    assert.deepEqual(events, expected, `${what}: ${JSON.stringify(after)}`);
    status = after;
  }
  assert.deepEqual(status?.rollout, { revision: "2", phase: "Complete" });
});

test("every reason that the migration Job reports is that of a failed migration", () => {
  const reported = Object.keys(reasons).filter((reason) =>
    new RegExp(`"${reason}"`).test(`${migrateProgram.text}${checkArtifactsProgram.text}`),
  );
  assert.ok(reported.length > 20, reported.join());
  // The database needs a migration that the spec disables.
  const others = reported.filter((reason) => !isMigrationFailure(reason) && reason !== "ManualMigrationNeeded");
  assert.deepEqual(others, []);
});
