import assert from "node:assert/strict";
import type { MigrationRecord } from "../../src/api/status.ts";
import { isDowngrade } from "../../src/api/versions.ts";
import type { Job, Owned } from "../../src/kube/manifests.ts";
import { annotation } from "../../src/kube/names.ts";
import { type Migration, migrationOf, recordedFirst } from "../../src/reconcile/migration.ts";
import { inputs, jobOf, pod, postgresql, secret, server } from "../support/fixtures.ts";

/** A model of a server's migration: what users, controllers, kubelets and the operator can do to it, one action at a time. */

export interface Spec {
  readonly version: string;
  readonly database: string;
  readonly password: string;
}

interface ModelJob {
  readonly uid: number;
  readonly spec: Spec;
  readonly name: string;
  readonly inputs: string;
  readonly attempt: string;
  readonly result: "none" | "Complete" | "Failed";
  readonly isDeleting: boolean;
}

interface ModelPod {
  readonly job: number;
  readonly spec: Spec;
  readonly state: "waiting" | "running" | "crashed" | "succeeded";
  readonly isDeleting: boolean;
}

export interface State {
  readonly spec: Spec;
  readonly record: MigrationRecord | undefined;
  readonly jobs: readonly ModelJob[];
  readonly pods: readonly ModelPod[];
  /** The schema of each database: the version that last changed it. */
  readonly schemas: Readonly<Record<string, string>>;
  /** The version whose program last began to run, for each database. */
  readonly lastRuns: Readonly<Record<string, string>>;
  readonly clock: number;
  readonly nextUid: number;
  /** The actions that result in this state. */
  readonly path: readonly string[];
}

export const [older, newer] = ["3.16.1", "3.17.2"];
export const specs: readonly Spec[] = [
  { version: older, database: "one", password: "a" },
  { version: newer, database: "one", password: "a" },
  { version: newer, database: "one", password: "b" },
  { version: older, database: "two", password: "a" },
];

export const initial = (spec: Spec): State => ({
  spec,
  record: undefined,
  jobs: [],
  pods: [],
  schemas: {},
  lastRuns: {},
  clock: 0,
  nextUid: 1,
  path: [],
});

const wantedJobs = new Map(
  specs.map((spec) => {
    const backendStore = { postgresql: { ...postgresql, database: spec.database } };
    const credentials = secret("db", { username: "mlflow", password: spec.password });
    return [JSON.stringify(spec), jobOf(inputs(server({ version: spec.version, backendStore }), [credentials]))];
  }),
);

function wantedFor(spec: Spec): Job {
  const job = wantedJobs.get(JSON.stringify(spec));
  assert.ok(job !== undefined);
  return job;
}

/** Longer than the time in which no Job is created again. */
const secondsOfPass = 11;
const timeOf = (clock: number) => new Date(Date.UTC(2026, 0, 1) + clock * secondsOfPass * 1000);

function ownedIn({ jobs, pods, spec: _ }: State): Owned[] {
  return [
    ...jobs.map((job): Job => {
      const wanted = wantedFor(job.spec);
      return {
        ...wanted,
        metadata: {
          ...wanted.metadata,
          uid: String(job.uid),
          annotations: { ...wanted.metadata.annotations, [annotation.attempt]: job.attempt },
          ...(job.isDeleting && { deletionTimestamp: "2026-01-01T00:00:00Z" }),
        },
        status: job.result === "none" ? { active: 1 } : { conditions: [{ type: job.result, status: "True" }] },
      };
    }),
    ...pods.map(({ job, state, isDeleting }) =>
      pod("migration", podStatuses[state], {
        ownerReferences: [{ apiVersion: "batch/v1", kind: "Job", name: "x", uid: String(job) }],
        ...(isDeleting && { deletionTimestamp: "2026-01-01T00:00:00Z" }),
      }),
    ),
  ];
}

const base = { name: "migrate", image: "i", imageID: "", ready: false, restartCount: 0 };
const podStatuses = {
  waiting: { phase: "Pending" },
  running: { phase: "Running", containerStatuses: [{ ...base, state: { running: {} } }] },
  crashed: {
    phase: "Running",
    containerStatuses: [{ ...base, restartCount: 1, state: { waiting: { reason: "CrashLoopBackOff" } } }],
  },
  succeeded: { phase: "Succeeded", containerStatuses: [{ ...base, state: { terminated: { exitCode: 0 } } }] },
};

export function decided(state: State): Migration {
  return migrationOf(wantedFor(state.spec), {
    owned: ownedIn(state),
    record: state.record,
    now: timeOf(state.clock),
  });
}

/** The invariants of every decision in every state. */
function assertSafe(state: State, decision: Migration): void {
  const about = () => `after ${state.path.join(", ")}: ${JSON.stringify({ state, decision: decision.cause })}`;
  const isAtWork = (uid: number) => state.pods.some(({ job, state: s }) => job === uid && s === "running");
  for (const { metadata } of decision.remove) {
    assert.ok(!isAtWork(Number(metadata.uid)), `a Job with a running pod is deleted ${about()}`);
  }
  if (decision.create !== undefined) {
    const isOpen = state.jobs.some(({ result }) => result !== "Complete");
    assert.ok(!isOpen, `a Job is created next to an unfinished one ${about()}`);
    assert.ok(
      state.pods.every(({ state: s }) => s === "succeeded"),
      `a Job is created next to a pod of another ${about()}`,
    );
  }
  if (decision.complete) {
    const { version, database } = state.spec;
    assert.equal(state.lastRuns[database], version, `another version has run last ${about()}`);
    assert.equal(state.schemas[database], version, `the schema is of another version ${about()}`);
    assert.ok(!state.pods.some(({ state: s }) => s === "running"), `complete while a migration runs ${about()}`);
  }
  if (decision.isRejected) assert.equal(decision.create ?? decision.remove[0], undefined, about());
}

/** The invariants of every state. */
function assertSound(state: State): State {
  const running = state.pods.filter(({ state: s }) => s === "running");
  assert.ok(running.length <= 1, `two migrations run after ${state.path.join(", ")}`);
  return state;
}

/** The states after a reconciliation that is interrupted after each of its writes; the last one is that of a complete one. */
export function passes(state: State): State[] {
  const decision = decided(state);
  assertSafe(state, decision);
  const states: State[] = [];
  let now: State = { ...state, clock: state.clock + 1, path: [...state.path, "pass"] };
  const wrote = (next: State) => {
    now = next;
    states.push(assertSound(next));
  };
  if (decision.isRecordedFirst) wrote({ ...now, record: recordedFirst(decision) });
  for (const { metadata } of decision.remove) {
    const jobs = now.jobs.map((job) => (String(job.uid) === metadata.uid ? { ...job, isDeleting: true } : job));
    const pods = now.pods.map((each) => (String(each.job) === metadata.uid ? { ...each, isDeleting: true } : each));
    wrote({ ...now, jobs, pods });
  }
  if (decision.create !== undefined) {
    const { name, annotations = {} } = decision.create.metadata;
    assert.ok(!now.jobs.some((job) => job.name === name), `the name of Job ${name} is in use`);
    const uid = now.nextUid;
    const job: ModelJob = {
      uid,
      spec: now.spec,
      name,
      inputs: annotations[annotation.inputs] ?? "",
      attempt: annotations[annotation.attempt] ?? "",
      result: "none",
      isDeleting: false,
    };
    const pods: ModelPod[] = [...now.pods, { job: uid, spec: now.spec, state: "waiting", isDeleting: false }];
    wrote({ ...now, jobs: [...now.jobs, job], pods, nextUid: uid + 1 });
  }
  const isNews = JSON.stringify(now.record) !== JSON.stringify(decision.record);
  if (isNews || states.length === 0) wrote({ ...now, record: decision.record });
  return states;
}

type Action = readonly [name: string, after: State];

/** The actions of nodes and controllers, in any order. */
export function progress(state: State): Action[] {
  const actions: Action[] = [];
  state.pods.forEach((each, index) => {
    const become = (change: Partial<ModelPod> | undefined) =>
      state.pods.flatMap((other, at) =>
        at !== index ? [other] : change === undefined ? [] : [{ ...other, ...change }],
      );
    const { database, version } = each.spec;
    if (each.state === "waiting" || each.state === "crashed") {
      // A node does not start a terminating pod.
      if (each.isDeleting) actions.push(["pod gone", { ...state, pods: become(undefined) }]);
      else {
        const lastRuns = { ...state.lastRuns, [database]: version };
        actions.push(["pod starts", { ...state, pods: become({ state: "running" }), lastRuns }]);
      }
    }
    if (each.state === "running") {
      if (isDowngrade(state.schemas[database] ?? "", version)) {
        actions.push([
          "schema too new",
          { ...state, pods: become(each.isDeleting ? undefined : { state: "crashed" }) },
        ]);
      } else {
        const schemas = { ...state.schemas, [database]: version };
        const pods = become(each.isDeleting ? undefined : { state: "succeeded" });
        const jobs = each.isDeleting ? state.jobs : completed(state.jobs, each.job);
        actions.push(["pod succeeds", { ...state, schemas, pods, jobs }]);
      }
    }
    if (each.state === "succeeded" && each.isDeleting)
      actions.push(["pod gone", { ...state, pods: become(undefined) }]);
    if (!each.isDeleting && !state.jobs.some(({ uid }) => uid === each.job)) {
      actions.push(["garbage collection", { ...state, pods: become({ isDeleting: true }) }]);
    }
  });
  for (const { uid, isDeleting } of state.jobs) {
    if (isDeleting && !state.pods.some(({ job }) => job === uid)) {
      actions.push(["Job gone", { ...state, jobs: state.jobs.filter((job) => job.uid !== uid) }]);
    }
  }
  return actions.map(([name, after]) => [name, assertSound({ ...after, path: [...state.path, name] })]);
}

/** A terminating Job still completes, as with the Job controller. */
function completed(jobs: readonly ModelJob[], uid: number): ModelJob[] {
  return jobs.map((job) => (job.uid === uid ? { ...job, result: "Complete" } : job));
}

/** The actions of users and other controllers, and failures. */
export function faults(state: State): Action[] {
  const actions: Action[] = [];
  for (const spec of specs) {
    if (spec !== state.spec) {
      const { version, database, password } = spec;
      actions.push([`spec ${version} ${database} ${password}`, { ...state, spec }]);
    }
  }
  for (const { uid, result } of state.jobs) {
    const deleting = (is: readonly ModelPod[]) =>
      is.map((each) => (each.job === uid ? { ...each, isDeleting: true } : each));
    const jobs = state.jobs.map((job) => (job.uid === uid ? { ...job, isDeleting: true } : job));
    actions.push(["foreground deletion, as of a TTL", { ...state, jobs, pods: deleting(state.pods) }]);
    const others = state.jobs.filter((job) => job.uid !== uid);
    actions.push(["background deletion", { ...state, jobs: others }]);
    if (result === "none") {
      const failed = state.jobs.map((job) => (job.uid === uid ? { ...job, result: "Failed" as const } : job));
      const without = state.pods.filter(({ job }) => job !== uid);
      actions.push(["Job fails", { ...state, jobs: failed, pods: without }]);
    }
  }
  state.pods.forEach((each, index) => {
    if (each.state !== "running") return;
    const pods = state.pods.map((other, at) => (at === index ? { ...other, state: "crashed" as const } : other));
    actions.push(["program fails", { ...state, pods }]);
    const { database, version } = each.spec;
    if (!isDowngrade(state.schemas[database] ?? "", version)) {
      const schemas = { ...state.schemas, [database]: version };
      actions.push(["program fails after its work", { ...state, pods, schemas }]);
    }
  });
  if (state.record !== undefined) actions.push(["status is lost", { ...state, record: undefined }]);
  return actions.map(([name, after]) => [name, assertSound({ ...after, path: [...state.path, name] })]);
}

/** A key that is equal for equivalent states: only the order of times and uids matters. */
export function keyOf(state: State): string {
  const attempts = [...state.jobs.map(({ attempt }) => attempt), state.record?.attempt ?? ""].sort();
  const rank = (attempt: string) => attempts.indexOf(attempt);
  const order = new Map(state.jobs.map(({ uid }, index) => [uid, index]));
  const { job, phase, attempt = "", previous } = state.record ?? {};
  return JSON.stringify([
    state.spec,
    [job, phase, rank(attempt), previous?.job],
    state.jobs.map((each) => [each.name, each.inputs, rank(each.attempt), each.result, each.isDeleting]),
    state.pods.map((each) => [order.get(each.job), each.spec, each.state, each.isDeleting]),
    state.schemas,
    state.lastRuns,
  ]);
}

/**
 * Follows a state without further faults, and asserts that it converges to the spec: with complete reconciliations, or with operators
 * that exit after their first write.
 */
export function assertArrives(state: State, passesAre: "whole" | "cut off"): void {
  let now = state;
  for (let round = 0; round < 60; round += 1) {
    now = passes(now).at(passesAre === "whole" ? -1 : 0) ?? now;
    for (let step = 0; step <= round % 4; step += 1) now = progress(now)[0]?.[1] ?? now;
    const decision = decided(now);
    const { version, database } = now.spec;
    const isTooNew = isDowngrade(now.schemas[database] ?? "", version);
    const isReported = decision.isRejected === true || now.pods.some(({ spec }) => spec === now.spec);
    if (isTooNew ? isReported && !decision.complete : decision.complete) return;
  }
  assert.fail(`it does not converge: ${JSON.stringify(decided(now).cause)} after ${state.path.join(", ")}`);
}
