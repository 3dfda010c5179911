import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MlflowServer } from "../../src/api/server.ts";
import { age } from "../../src/cli/live/age.ts";
import { eventsOf, type LiveEvent } from "../../src/cli/live/events.ts";
import { podSummaries } from "../../src/cli/live/pods.ts";
import { statusText } from "../../src/cli/status-text.ts";
import { type StatusFacts, statusView } from "../../src/cli/status-view.ts";
import type { Condition } from "../../src/kube/conditions.ts";
import type { Job, Pod } from "../../src/kube/manifests.ts";
import { runCommand } from "../support/command-line.ts";
import { eventually } from "../support/eventually.ts";
import { scriptedApi } from "../support/scripted-api.ts";

const now = new Date("2026-06-01T12:00:00Z");
const created = "2026-06-01T09:00:00Z";

function condition(type: string, status: Condition["status"], reason: string, message = "Text."): Condition {
  return { type, status, reason, message, observedGeneration: 2, lastTransitionTime: "2026-06-01T11:00:00Z" };
}

const healthy = [
  condition("Ready", "True", "Ready", "All pods are ready."),
  condition("Reconciling", "False", "NotReconciling"),
  condition("Stalled", "False", "NotStalled"),
  condition("DatabaseReady", "True", "MigrationComplete"),
  condition("Available", "True", "PodsReady"),
];

function replaced(...others: readonly Condition[]): Condition[] {
  return [...healthy.filter(({ type }) => !others.some((other) => other.type === type)), ...others];
}

function server(status: MlflowServer["status"] = {}, metadata: Partial<MlflowServer["metadata"]> = {}): MlflowServer {
  return {
    apiVersion: "mlflow-operator.dev/v1alpha1",
    kind: "MlflowServer",
    metadata: { name: "mlflow", namespace: "ml", generation: 2, creationTimestamp: created, ...metadata },
    spec: {
      version: "3.17.2",
      replicas: 2,
      authentication: { basic: {} },
      backendStore: { sqlite: {} },
      artifactStore: { persistentVolume: { size: "1Gi" } },
    },
    status: { observedGeneration: 2, conditions: healthy, ...status },
  } as MlflowServer;
}

const facts = (of: MlflowServer, others: Partial<StatusFacts> = {}): StatusFacts => ({
  server: of,
  pods: { value: [] },
  jobs: { value: [] },
  events: { value: [] },
  ...others,
});

const pod = (name: string, status: Pod["status"] = {}): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "ml", creationTimestamp: created },
  spec: { nodeName: "node-1", containers: [{ name: "mlflow" }] },
  status,
});

const container = (state: object, restartCount = 0, ready = false) => ({
  name: "mlflow",
  image: "mlflow",
  imageID: "",
  ready,
  restartCount,
  state,
});

function event(kind: string, name: string, lastSeen: string, note = "Text."): LiveEvent {
  return {
    apiVersion: "events.k8s.io/v1",
    kind: "Event",
    metadata: { name: `${name}.1`, namespace: "ml" },
    type: "Warning",
    reason: "Failed",
    note,
    deprecatedLastTimestamp: lastSeen,
    regarding: { kind, name },
  };
}

describe("mlflow-operator status", () => {
  test("prints one screen with state, versions, addresses, stores, conditions, pods and Events", () => {
    const of = server({
      conditions: replaced(
        condition("Ready", "False", "MigrationRunning", "A Job migrates the database."),
        condition("Reconciling", "True", "MigrationRunning", "A Job migrates the database."),
      ),
      version: "3.16.1",
      url: "https://mlflow.example.com",
      serviceURL: "http://mlflow.ml:5000",
      authentication: "Basic",
      adminCredentialsSecretRef: { name: "mlflow-admin" },
      backendStore: "SQLite",
      artifactStore: "PersistentVolume",
      operator: "mlflow-operator/mlflow-operator",
      readyReplicas: 1,
      replicas: 2,
      migration: { job: "mlflow-migrate-1a", version: "3.17.2", database: "d", phase: "Started", attempt: "1" },
      rollout: { revision: "3", phase: "Complete" },
      upgrade: {
        ...{ phase: "Migrating", from: "3.16.1", to: "3.17.2", since: "2026-06-01T11:00:00Z" },
        waitingFor: "Job/mlflow-migrate-1a",
      },
    });
    const job: Job = {
      apiVersion: "batch/v1",
      kind: "Job",
      metadata: { name: "mlflow-migrate-1a" },
      spec: { template: {} },
      status: { active: 1, failed: 2 },
    };
    const view = statusView(
      facts(of, {
        pods: { value: [pod("mlflow-5d-x", { containerStatuses: [container({ running: {} }, 1, true)] })] },
        jobs: { value: [job] },
        events: { value: [event("MlflowServer", "mlflow", "2026-06-01T11:59:30Z")] },
      }),
    );
    assert.deepEqual(statusText(view, now).split("\n"), [
      "MlflowServer    ml/mlflow",
      "State           Reconciling (MigrationRunning)",
      "                A Job migrates the database.",
      "Age             3h",
      "Version         3.16.1; the spec has 3.17.2",
      "Upgrade         Migrating: 3.16.1 to 3.17.2, waiting for Job/mlflow-migrate-1a",
      "Replicas        1 of 2 ready",
      "URL             https://mlflow.example.com",
      "Service         http://mlflow.ml:5000",
      "Authentication  Basic; administrator in Secret/mlflow-admin",
      "Database        SQLite",
      "Artifacts       PersistentVolume",
      "Migration       Started: 3.17.2, Job/mlflow-migrate-1a (Running, 2 failed)",
      "Rollout         Complete: revision 3",
      "Operator        mlflow-operator/mlflow-operator",
      "",
      "Conditions",
      "TYPE          STATUS   REASON             SINCE   MESSAGE",
      "Ready         False    MigrationRunning   60m     A Job migrates the database.",
      "Reconciling   True     MigrationRunning   60m     A Job migrates the database.",
      "",
      "Pods",
      "NAME          READY   STATUS    RESTARTS   AGE   NODE",
      "mlflow-5d-x   1/1     Unknown   1          3h    node-1",
      "",
      "Events",
      "LAST SEEN   TYPE      REASON   OBJECT                MESSAGE",
      "30s         Warning   Failed   MlflowServer/mlflow   Text.",
      "",
    ]);
  });

  test("says what it was not allowed to read", () => {
    const denied = "You are not allowed to list pods in namespace ml";
    const view = statusView(facts(server(), { pods: { notRead: denied } }));
    assert.deepEqual(view.notRead, [denied]);
    assert.match(statusText(view, now), /\nNot read\nYou are not allowed to list pods in namespace ml\.\n$/);
  });

  test("names the state by the conditions, the generation and what an administrator has set", () => {
    const stalled = replaced(
      condition("Ready", "False", "SecretNotFound"),
      condition("Stalled", "True", "SecretNotFound"),
    );
    const cases: readonly (readonly [MlflowServer, string])[] = [
      [server(), "Ready"],
      [server({ conditions: stalled }), "Stalled"],
      [server({ conditions: replaced(condition("Ready", "True", "Hibernated")) }), "Hibernated"],
      [server({ conditions: replaced(condition("Ready", "Unknown", "WatchFailed")) }), "Unknown"],
      [server({ observedGeneration: 1 }), "Reconciling"],
      [server({ conditions: stalled }, { annotations: { "mlflow-operator.dev/paused": "true" } }), "Paused"],
      [server({}, { deletionTimestamp: created }), "Deleting"],
      [{ ...server(), status: {} }, "Pending"],
    ];
    for (const [of, state] of cases) assert.equal(statusView(facts(of)).state, state);
  });

  test("lists no condition of a healthy or a hibernated server, and any unknown type that is not True", () => {
    assert.deepEqual(statusView(facts(server())).conditions, []);
    const hibernated = replaced(
      condition("Ready", "True", "Hibernated"),
      condition("Available", "False", "Hibernated"),
      condition("MeshReady", "Unknown", "MeshHibernated"),
    );
    assert.deepEqual(statusView(facts(server({ conditions: hibernated }))).conditions, []);
    const added = [...healthy, { ...condition("Future", "Unknown", "NotChecked"), observedGeneration: 1 }];
    const [found] = statusView(facts(server({ conditions: added }))).conditions;
    assert.deepEqual([found?.type, found?.isOutdated], ["Future", true]);
  });

  test("prints texts of other programs on one line and without control characters", () => {
    const hostile = "first\n\u001b[31msecond";
    const view = statusView(
      facts(server({ conditions: replaced(condition("Ready", "False", "Progressing", hostile)) }), {
        events: { value: [event("MlflowServer", "mlflow", created, hostile)] },
      }),
    );
    const text = statusText(view, now);
    assert.ok(!text.includes("\u001b") && !text.includes("first\n"), text);
  });

  test("shows the Events of the server, its objects and its pods, also of deleted ones, and not of other servers", () => {
    const own = [
      ["MlflowServer", "mlflow"],
      ["Deployment", "mlflow"],
      ["ReplicaSet", "mlflow-5d4f7c9b8"],
      ["Pod", "mlflow-5d4f7c9b8-abcde"],
      ["Pod", "mlflow-traces-5d4f7c9b8-abcde"],
      ["Pod", "mlflow-artifacts-5d4f7c9b8-abcde"],
      ["ReplicaSet", "mlflow-artifacts-5d4f7c9b8"],
      ["Job", "mlflow-migrate-0a1b2c"],
      ["Pod", "mlflow-migrate-0a1b2c-abcde"],
      ["PersistentVolumeClaim", "mlflow"],
    ] as const;
    const others = [
      ["MlflowServer", "mlflow-2"],
      ["Pod", "mlflow-2-5d4f7c9b8-abcde"],
      ["Pod", "other-5d4f7c9b8-abcde"],
      ["Service", "mlflow-2"],
      ["Node", "mlflow"],
    ] as const;
    const events = [...own, ...others].map(([kind, name]) => event(kind, name, created));
    const found = eventsOf(events, { namespace: "ml", name: "mlflow" });
    assert.deepEqual(
      found.map(({ object }) => object),
      own.map(([kind, name]) => `${kind}/${name}`),
    );
  });

  test("shows the last Events first, from series, older clients and events.k8s.io", () => {
    const at = (minute: number) => `2026-06-01T11:${minute}:00Z`;
    const base = event("Pod", "mlflow-5d4f7c9b8-abcde", at(10));
    const { deprecatedLastTimestamp: _, ...modern } = base;
    const found = eventsOf(
      [
        base,
        { ...modern, eventTime: at(20) },
        { ...modern, eventTime: at(5), series: { count: 7, lastObservedTime: at(30) } },
      ],
      { namespace: "ml", name: "mlflow" },
    );
    assert.deepEqual(
      found.map(({ lastSeen, count }) => [lastSeen, count]),
      [
        [at(30), 7],
        [at(20), 1],
        [at(10), 1],
      ],
    );
  });

  test("shows why a pod does not run", () => {
    const waiting = (reason: string) => container({ waiting: { reason } }, 3);
    const ended = container({ terminated: { exitCode: 0, reason: "Completed" } });
    const states = podSummaries([
      pod("a", { phase: "Running", containerStatuses: [container({ running: {} }, 0, true)] }),
      pod("b", { phase: "Running", containerStatuses: [waiting("CrashLoopBackOff")] }),
      pod("c", { phase: "Pending", initContainerStatuses: [ended, waiting("ImagePullBackOff")] }),
      pod("d", { phase: "Pending", conditions: [{ type: "PodScheduled", status: "False", reason: "Unschedulable" }] }),
      { ...pod("e"), metadata: { name: "e", deletionTimestamp: created } },
      pod("f", { phase: "Succeeded", containerStatuses: [ended] }),
    ]).map(({ state }) => state);
    assert.deepEqual(states, [
      "Running",
      "CrashLoopBackOff",
      "Init:ImagePullBackOff",
      "Unschedulable",
      "Terminating",
      "Completed",
    ]);
  });

  test("has ages in their largest unit of which there are two, and none in the future", () => {
    const ages = [
      "2026-06-01T12:00:09Z",
      "2026-06-01T11:58:31Z",
      "2026-06-01T10:30:00Z",
      "2026-05-20T12:00:00Z",
      "",
      undefined,
    ];
    assert.deepEqual(
      ages.map((moment) => age(moment, now)),
      ["0s", "89s", "90m", "12d", "unknown", "unknown"],
    );
  });

  test("reports that there is no kubeconfig, and a missing name as wrong usage", async () => {
    const none = await runCommand(["status", "mlflow"]);
    assert.deepEqual([none.code, none.stdout], [1, ""]);
    assert.match(none.stderr, /there is no kubeconfig/);
    assert.equal((await runCommand(["status"])).code, 2);
  });

  const paths = {
    servers: "/apis/mlflow-operator.dev/v1alpha1/namespaces/ml/mlflowservers",
    pods: "/api/v1/namespaces/ml/pods",
    jobs: "/apis/batch/v1/namespaces/ml/jobs",
    events: "/apis/events.k8s.io/v1/namespaces/ml/events",
  };

  test("reads with the rights of the user, and fails for a server that does not exist or cannot be read", async (context) => {
    const own = { [`${paths.servers}/mlflow`]: server(), [`${paths.servers}/secret`]: 403 };
    const api = await scriptedApi(context, { ...own, [paths.pods]: 403, [paths.jobs]: [], [paths.events]: [] });
    const environment = { kubeconfig: api.kubeconfigPath };
    const { code, stdout, stderr } = await runCommand(["status", "mlflow", "-o", "json"], { environment });
    assert.equal(code, 0, stderr);
    const { state, notRead } = JSON.parse(stdout);
    assert.deepEqual([state, notRead], ["Ready", ["You are not allowed to list pods in namespace ml"]]);
    const absent = await runCommand(["status", "other"], { environment });
    assert.deepEqual([absent.code, absent.stdout], [1, ""]);
    assert.match(absent.stderr, /MlflowServer\/other not found in namespace ml/);
    const denied = await runCommand(["status", "secret"], { environment });
    assert.match(denied.stderr, /403 Forbidden/);
    assert.deepEqual(
      api.requests.filter((request) => !request.startsWith("GET ")),
      [],
    );
  });

  test("follows changes by a watch until it is interrupted, or the server is deleted", async (context) => {
    const api = await scriptedApi(context, {
      [`${paths.servers}/mlflow`]: server(),
      [paths.servers]: [server()],
      [paths.pods]: [],
      [paths.jobs]: 403,
      [paths.events]: [],
    });
    const interruption = new AbortController();
    const lines: string[] = [];
    const started = () =>
      runCommand(["status", "mlflow", "--watch", "-o", "json"], {
        environment: { kubeconfig: api.kubeconfigPath },
        interruption: interruption.signal,
        onOutput: (text) => void lines.push(text),
      });
    const first = started();
    const shown = (index: number) => eventually(() => JSON.parse(lines[index] ?? "none"));
    assert.deepEqual((await shown(0)).notRead, ["You are not allowed to list jobs in namespace ml"]);
    await eventually(() => assert.equal(api.watches(paths.pods), 1));
    api.send(paths.pods, "ADDED", pod("mlflow-5d-x", { phase: "Running" }));
    assert.equal((await shown(1)).pods[0].state, "Running");
    await eventually(() => assert.equal(api.watches(paths.servers), 1));
    api.send(paths.servers, "MODIFIED", server({ conditions: replaced(condition("Ready", "False", "Progressing")) }));
    assert.equal((await shown(2)).reason, "Progressing");
    api.send(paths.servers, "DELETED", server());
    const { code, stderr } = await first;
    assert.deepEqual([code, stderr], [1, "MlflowServer/mlflow in namespace ml has been deleted.\n"]);
    const second = started();
    await shown(3);
    interruption.abort();
    assert.equal((await second).code, 0);
  });
});
