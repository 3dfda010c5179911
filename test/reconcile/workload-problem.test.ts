import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { V1ContainerStatus } from "@kubernetes/client-node";
import { isReason } from "../../src/api/reasons.ts";
import { resolve } from "../../src/features/resolve.ts";
import type { Deployment, Job, Owned, Pod } from "../../src/kube/manifests.ts";
import { observedSince } from "../../src/reconcile/grace-period.ts";
import { outcomeOf } from "../../src/reconcile/outcome.ts";
import { planOf } from "../../src/reconcile/plan.ts";
import { statusOf } from "../../src/reconcile/status.ts";
import { silentObjects, type Warning, warningsAgainIn } from "../../src/reconcile/warnings.ts";
import { all, deploymentOf, inputs, jobOf, pod, server, startedJob } from "../support/fixtures.ts";

const start = Date.parse("2026-01-01T00:00:00Z");
const at = (seconds: number) => new Date(start + seconds * 1000).toISOString();

/** The outcome for a server this number of seconds after these objects were created, with these events. */
function after(seconds: number, objects: readonly Owned[], events: Readonly<Record<string, readonly Warning[]>> = {}) {
  const of = server();
  const wanted = inputs(of);
  const { installation, references } = wanted;
  const kinds = new Set(objects.map(({ kind }) => kind));
  const others = all(wanted).filter(({ kind }) => !kinds.has(kind) && kind !== "Deployment" && kind !== "Job");
  const observed = {
    ...{
      server: of,
      owned: [...others, ...objects],
      references,
      model: resolve(wanted),
      installation,
      unmanaged: [],
      granted: [],
    },
    isMutatedByAdmission: () => false,
    warnings: new Map(Object.entries(events)),
    now: new Date(start + seconds * 1000),
  };
  const outcome = outcomeOf(observed, planOf(observed));
  assert.ok(isReason(outcome.cause.reason));
  const status = statusOf(observed, outcome);
  assert.equal(observedSince({ ...of, status }, observed.now).getTime(), observed.now.getTime());
  const database = status.conditions?.find(({ type }) => type === "DatabaseReady");
  return { ...outcome, ...outcome.cause, database };
}

const warning = (reason: string, message: string, seconds = 0): Warning => ({ reason, message, time: at(seconds) });

/** The Job of the migration as it was created, or completed. */
function job(more: Partial<Job["spec"]> = {}, status: Job["status"] = {}): Job {
  const wanted = startedJob(jobOf(inputs()));
  const metadata = { ...wanted.metadata, uid: "job", creationTimestamp: at(0) };
  return { ...wanted, metadata, spec: { ...wanted.spec, ...more }, status };
}

const completed = job({}, { conditions: [{ type: "Complete", status: "True" }] });

function deployment(status: Deployment["status"], more: Partial<Deployment["spec"]> = {}): Deployment {
  const wanted = deploymentOf(inputs());
  const metadata = { ...wanted.metadata, uid: "deployment", generation: 2, creationTimestamp: at(-100) };
  return { ...wanted, metadata, spec: { ...wanted.spec, ...more }, status: { observedGeneration: 2, ...status } };
}

const ofJob = [{ apiVersion: "batch/v1", kind: "Job", name: "j", uid: "job", controller: true }];

function podOf(component: "server" | "migration", status: Pod["status"], metadata: Partial<Pod["metadata"]> = {}): Pod {
  const ownerReferences = component === "migration" ? ofJob : [];
  return pod(component, status, { uid: "pod", creationTimestamp: at(0), ownerReferences, ...metadata });
}

const main = { server: "mlflow", migration: "migrate" } as const;

function container(name: string, state: V1ContainerStatus["state"]): V1ContainerStatus {
  return { name, image: "i:1", imageID: "", ready: false, restartCount: 0, ...(state && { state }) };
}

const scheduled = { type: "PodScheduled", status: "True" };
const creating = (component: "server" | "migration"): Pod["status"] => ({
  phase: "Pending",
  conditions: [scheduled],
  containerStatuses: [container(main[component], { waiting: { reason: "ContainerCreating" } })],
});

/** The objects with a pod of one component that makes no progress. */
const withPod = (component: "server" | "migration", status: Pod["status"], metadata: Partial<Pod["metadata"]> = {}) =>
  component === "migration"
    ? [job(), podOf(component, status, metadata)]
    : [completed, deployment({ replicas: 1, updatedReplicas: 1 }), podOf(component, status, metadata)];

describe("pods that cannot be created", () => {
  const denials = [
    'Error creating: pods "demo-x" is forbidden: failed quota: team: must specify limits.cpu',
    'Error creating: pods "demo-x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true',
    'Error creating: pods "demo-x" is forbidden: unable to validate against any security context constraint',
    'Error creating: admission webhook "validate.kyverno.svc-fail" denied the request: no latest tag',
  ];

  test("are reported with the message of the event, for the Job and the Deployment", () => {
    for (const text of denials) {
      const ofMigration = after(6, [job()], { job: [warning("FailedCreate", text)] });
      const conditions = [{ type: "ReplicaFailure", status: "True", message: text }];
      const ofServer = after(6, [completed, deployment({ conditions })]);
      for (const { state, reason, message } of [ofMigration, ofServer]) {
        assert.deepEqual([state, reason], ["stalled", "PodsRejected"]);
        assert.ok(message.includes(text), message);
      }
      assert.equal(ofMigration.database?.reason, "PodsRejected");
    }
  });

  test("are checked when a Job has no pod for five seconds, but not if it has one or is finished", () => {
    const silent = (seconds: number, ...owned: Owned[]) =>
      silentObjects(owned, new Date(start + seconds * 1000)).length;
    assert.equal(silent(4, job()), 0);
    assert.equal(silent(6, job()), 1);
    assert.equal(silent(6, job(), podOf("migration", {})), 0);
    assert.equal(silent(6, completed), 0);
    assert.equal(silent(6, job({ suspend: true })), 0);
    assert.equal(warningsAgainIn([job()], new Date(start)), 5);
    assert.equal(warningsAgainIn([completed, deployment({})], new Date(start)), undefined);
  });

  test("without an event are reported after half a minute, and stalled after a minute", () => {
    assert.equal(after(20, [job()]).reason, "MigrationRunning");
    const { state, reason, againInSeconds } = after(50, [job()]);
    assert.deepEqual([state, reason, againInSeconds], ["progressing", "PodsNotCreated", 10]);
    assert.equal(after(60, [job()]).state, "stalled");
    assert.equal(after(600, [job({}, { failed: 3 })]).reason, "MigrationRunning");
  });
});

describe("pods that do not start", () => {
  for (const component of ["server", "migration"] as const) {
    test(`of the ${component} are reported with the message of the event, and stalled within a minute`, () => {
      const objects = withPod(component, creating(component));
      const events = { pod: [warning("FailedMount", 'MountVolume.SetUp failed for volume "data": no such volume', 5)] };
      const early = after(12, objects, events);
      assert.deepEqual([early.state, early.reason, early.againInSeconds], ["progressing", "PodNotStarting", 15]);
      const late = after(31, objects, events);
      assert.deepEqual([late.state, late.reason], ["stalled", "PodNotStarting"]);
      assert.match(late.message, /pod demo-.*-pod does not start \(FailedMount\): MountVolume.*no such volume/);
    });

    test(`of the ${component} are not reported for a resolved failure, nor while an image may still be pulled`, () => {
      const objects = withPod(component, creating(component));
      const old = { pod: [warning("FailedMount", "timed out", 5)] };
      assert.notEqual(after(300, objects, old).reason, "PodNotStarting");
      assert.equal(after(300, objects).state, "progressing");
      assert.ok((after(300, objects).againInSeconds ?? 0) > 0, "nothing reads the events again");
    });

    test(`of the ${component} are stalled after ten minutes without an event, with what they wait for`, () => {
      const { state, reason, message } = after(601, withPod(component, creating(component)));
      assert.deepEqual([state, reason], ["stalled", "PodNotStarting"]);
      assert.match(message, new RegExp(`container ${main[component]} is waiting \\(ContainerCreating\\)`));
      const injected = {
        ...creating(component),
        initContainerStatuses: [container("vault-agent-init", { running: {} })],
      };
      assert.match(
        after(601, withPod(component, injected)).message,
        /init container vault-agent-init is still running/,
      );
      assert.match(after(601, withPod(component, { phase: "Pending" })).message, /no scheduler has considered it/);
    });

    test(`of the ${component} that do not terminate on a lost node are reported with the command to delete them`, () => {
      const running = { phase: "Running", containerStatuses: [container(main[component], { running: {} })] };
      const gone = withPod(component, running, { deletionTimestamp: at(0) });
      assert.notEqual(after(200, gone).reason, "PodNotTerminating");
      const { state, reason, message } = after(301, gone);
      assert.deepEqual([state, reason], ["stalled", "PodNotTerminating"]);
      assert.match(message, /kubectl delete pod -n team-a demo-.*-pod --force/);
    });
  }

  test("are reported by their status first: image, missing key of a Secret, no node", () => {
    const reasons = [
      ["ImagePullBackOff", "ImagePullFailed"],
      ["CreateContainerConfigError", "ContainerNotCreated"],
    ] as const;
    for (const component of ["server", "migration"] as const) {
      for (const [waiting, expected] of reasons) {
        const status = { containerStatuses: [container(main[component], { waiting: { reason: waiting } })] };
        assert.equal(after(15, withPod(component, { phase: "Pending", ...status })).reason, expected);
      }
      const none = { type: "PodScheduled", status: "False", reason: "Unschedulable", message: "0/3 nodes" };
      const { state, reason } = after(15, withPod(component, { phase: "Pending", conditions: [none] }));
      assert.deepEqual([state, reason], ["stalled", "Unschedulable"]);
    }
  });
});

test("reports a sidecar that keeps the Job from completing", () => {
  const ended = container("migrate", { terminated: { exitCode: 0, finishedAt: new Date(start) } });
  const containerStatuses = [ended, container("linkerd-proxy", { running: {} })];
  const objects = withPod("migration", { phase: "Running", containerStatuses });
  const early = after(5, objects);
  assert.deepEqual([early.state, early.reason, early.againInSeconds], ["progressing", "SidecarRunning", 10]);
  const { state, reason, message } = after(16, objects);
  assert.deepEqual([state, reason], ["stalled", "SidecarRunning"]);
  assert.match(message, /container linkerd-proxy of pod demo-migration-pod still runs/);
  const atWork = [container("migrate", { running: {} }), container("linkerd-proxy", { running: {} })];
  assert.equal(
    after(60, withPod("migration", { phase: "Running", containerStatuses: atWork })).reason,
    "MigrationRunning",
  );
});

test("a suspended Job and a paused Deployment are reported immediately and stalled after a minute", () => {
  const suspended = { type: "Suspended", status: "True", lastTransitionTime: new Date(start) };
  const paused = { type: "Progressing", status: "Unknown", reason: "DeploymentPaused" };
  const cases = [
    ["JobSuspended", [job({ suspend: true }, { conditions: [suspended] })]],
    [
      "RolloutPaused",
      [
        completed,
        deployment({ replicas: 1, conditions: [{ ...paused, lastTransitionTime: new Date(start) }] }, { paused: true }),
      ],
    ],
  ] as const;
  for (const [expected, objects] of cases) {
    const early = after(20, objects);
    assert.deepEqual([early.state, early.reason, early.againInSeconds], ["progressing", expected, 40]);
    assert.deepEqual([after(60, objects).state, after(60, objects).reason], ["stalled", expected]);
  }
  const done = { replicas: 1, updatedReplicas: 1, availableReplicas: 1, readyReplicas: 1 };
  assert.equal(after(60, [completed, deployment(done, { paused: true })]).state, "ready");
});

describe("a Job of a previous spec that this reconciliation deletes", () => {
  const former = job();
  const ofFormerSpec = (more: Partial<Job["spec"]> = {}): Job => ({
    ...former,
    metadata: { ...former.metadata, name: "demo-migrate-0000000000" },
    spec: { ...former.spec, ...more },
  });
  const waiting = (reason: string) => ({ containerStatuses: [container(main.migration, { waiting: { reason } })] });
  const exited = { exitCode: 1, message: '{"reason":"DatabaseTooNew","message":"a newer schema"}' };
  const problems: Readonly<Record<string, readonly Owned[]>> = {
    "an image that cannot be pulled": [ofFormerSpec(), podOf("migration", waiting("ImagePullBackOff"))],
    "a container that cannot be created": [ofFormerSpec(), podOf("migration", waiting("CreateContainerConfigError"))],
    "a program that failed": [
      ofFormerSpec(),
      podOf("migration", {
        containerStatuses: [
          {
            ...container(main.migration, { waiting: { reason: "CrashLoopBackOff" } }),
            lastState: { terminated: exited },
          },
        ],
      }),
    ],
    "no node": [
      ofFormerSpec(),
      podOf("migration", { conditions: [{ type: "PodScheduled", status: "False", reason: "Unschedulable" }] }),
    ],
    "a pod that has not started": [ofFormerSpec(), podOf("migration", creating("migration"))],
    "no pod": [ofFormerSpec()],
    "a suspension": [ofFormerSpec({ suspend: true })],
  };
  for (const [title, objects] of Object.entries(problems))
    test(`does not report ${title} for the current spec`, () => {
      const { state, reason, message } = after(700, objects, { job: [warning("FailedCreate", "denied")] });
      assert.deepEqual([state, reason], ["progressing", "MigrationPending"], message);
      assert.match(message, /Job\/demo-migrate-0000000000/);
    });
});

test("text of other components is bounded and on one line", () => {
  const { message } = after(6, [job()], { job: [warning("FailedCreate", `a\nb${"c".repeat(5000)}`)] });
  assert.ok(message.length < 400 && !message.includes("\n"), message);
});
