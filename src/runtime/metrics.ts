import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { States } from "../kube/client/staleness.ts";
import { keyOf } from "../kube/object.ts";
import type { ScheduleAge } from "../reconcile/backup/schedule-age.ts";
import type { UpgradeCounts } from "../reconcile/upgrade.ts";

/** The controllers, as the labels `controller` and `name` have them. */
export type ControllerName = "mlflowserver" | "workspace";

/** The metrics of the operator. Those that controller-runtime and client-go have, too, have the same names and labels here. */
export interface Metrics {
  /** Counts a reconciliation by how it ended: `requeue_after` if it requested another one after a time. */
  readonly reconciled: (controller: ControllerName, result: "success" | "requeue_after" | "error") => void;
  readonly reconcileSeconds: Histogram<"controller">;
  /** Counts a request to the API server; status 0 means that no response arrived. */
  readonly requested: (method: string, status: number) => void;
  readonly watchEvents: Counter<"resource" | "event">;
  /** The metrics in the text format of Prometheus. */
  readonly text: () => Promise<string>;
  readonly contentType: string;
}

export interface MetricSources {
  /** Number of keys in the work queue of a controller. */
  readonly depth: (controller: ControllerName) => number;
  readonly isLeader: () => boolean;
  readonly leaseName: string;
  readonly watches: () => States;
  /** Running time of the oldest reconciliation of an MlflowServer. */
  readonly longestRunningSeconds: () => number;
  /** By `namespace/name`, as the last reconciliation left them. */
  readonly states: () => ReadonlyMap<string, string>;
  readonly upgrades: () => UpgradeCounts;
  /** The condition `EndpointSecured` of each server, by `namespace/name`. */
  readonly endpoints: () => ReadonlyMap<string, { readonly status: string; readonly reason: string }>;
  /** Of each MlflowBackupSchedule. */
  readonly backups: () => readonly ScheduleAge[];
}

const controllers = ["mlflowserver", "workspace"] as const satisfies readonly ControllerName[];

export function metrics(sources: MetricSources): Metrics {
  const registry = new Registry();
  const counters = countersIn(registry);
  const { reconciles, reconcileErrors, requests } = counters;
  for (const add of [processGauges, watchGauges, serverGauges, backupGauges]) add(gaugesIn(registry), sources);
  return {
    reconciled: (controller, result) => {
      reconciles.inc({ controller, result });
      if (result === "error") reconcileErrors.inc({ controller });
    },
    reconcileSeconds: counters.reconcileSeconds,
    requested: (method, status) => requests.inc({ method, code: status === 0 ? "<error>" : status }),
    watchEvents: counters.watchEvents,
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

function countersIn(registry: Registry) {
  const counter = <Label extends string>(name: string, help: string, labelNames: Label[]) =>
    new Counter({ name, help, labelNames, registers: [registry] });
  return {
    reconciles: counter(
      "controller_runtime_reconcile_total",
      "Reconciliations by controller and result: success, requeue_after or error.",
      ["controller", "result"],
    ),
    reconcileErrors: counter(
      "controller_runtime_reconcile_errors_total",
      "Reconciliations that failed, by controller.",
      ["controller"],
    ),
    reconcileSeconds: new Histogram({
      name: "controller_runtime_reconcile_time_seconds",
      help: "Duration of a reconciliation, by controller.",
      labelNames: ["controller"],
      buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 60],
      registers: [registry],
    }),
    requests: counter(
      "rest_client_requests_total",
      "Requests to the API server by method and HTTP status code; <error> if no response arrived.",
      ["method", "code"],
    ),
    watchEvents: counter("mlflow_operator_watch_events_total", "Lists, resumed watches and failures by resource.", [
      "resource",
      "event",
    ]),
  };
}

/** One value of a gauge, with its labels. */
type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];

/** Adds a gauge whose values are read when the metrics are. */
type AddGauge = (name: string, help: string, labelNames: readonly string[], samples: () => Iterable<Sample>) => void;

function gaugesIn(registry: Registry): AddGauge {
  return (name, help, labelNames, samples) =>
    void new Gauge({
      name,
      help,
      labelNames: [...labelNames],
      registers: [registry],
      collect() {
        this.reset();
        for (const [labels, value] of samples()) this.set({ ...labels }, value);
      },
    });
}

function processGauges(add: AddGauge, { depth, isLeader, leaseName, longestRunningSeconds }: MetricSources): void {
  add("workqueue_depth", "Number of keys that wait in a work queue.", ["name"], () =>
    controllers.map((name) => [{ name }, depth(name)]),
  );
  add("leader_election_master_status", "1 if this process holds the Lease of this name.", ["name"], () => [
    [{ name: leaseName }, isLeader() ? 1 : 0],
  ]);
  add(
    "workqueue_longest_running_processor_seconds",
    "Running time of the oldest reconciliation of an MlflowServer.",
    ["name"],
    () => [[{ name: "mlflowserver" }, longestRunningSeconds()]],
  );
  add("process_resident_memory_bytes", "Resident memory size in bytes.", [], () => [[{}, process.memoryUsage.rss()]]);
}

function watchGauges(add: AddGauge, { watches }: MetricSources): void {
  const addForEach = (name: string, help: string, value: (state: States[string]) => number) =>
    add(name, help, ["resource"], () =>
      Object.entries(watches()).map(([resource, state]) => [{ resource }, value(state)]),
    );
  addForEach(
    "mlflow_operator_watch_age_seconds",
    "Seconds since the API server last delivered a list, an event or a bookmark of a resource.",
    ({ ageSeconds }) => ageSeconds,
  );
  addForEach(
    "mlflow_operator_watch_consecutive_failures",
    "Consecutive failures of the list or watch of a resource.",
    ({ failures }) => failures,
  );
  addForEach("mlflow_operator_watch_synced", "1 if a resource has been listed.", ({ isSynced }) => (isSynced ? 1 : 0));
}

function serverGauges(add: AddGauge, { states, endpoints, upgrades }: MetricSources): void {
  add(
    "mlflow_operator_server_state",
    "1 for the state of an MlflowServer after its last reconciliation: ready, progressing or stalled.",
    ["namespace", "name", "state"],
    () => [...states()].map(([server, state]) => [{ ...keyOf(server), state }, 1]),
  );
  add(
    "mlflow_operator_server_endpoint_secured",
    "1 for the status (True, False or Unknown) and reason of the condition EndpointSecured of an MlflowServer.",
    ["namespace", "name", "status", "reason"],
    () => [...endpoints()].map(([server, condition]) => [{ ...keyOf(server), ...condition }, 1]),
  );
  add(
    "mlflow_operator_upgrade_servers",
    "MlflowServers that an upgrade of the operator has not changed yet (waiting), is changing (updating), or that are not ready since (failed).",
    ["state"],
    () => Object.entries(upgrades()).map(([state, count]) => [{ state }, count]),
  );
}

function backupGauges(add: AddGauge, { backups }: MetricSources): void {
  const addForEach = (name: string, help: string, value: (age: ScheduleAge) => number | undefined) =>
    add(name, help, ["namespace", "server", "schedule"], () =>
      backups().flatMap((age): Sample[] => {
        const { namespace, server, schedule } = age;
        const current = value(age);
        return current === undefined ? [] : [[{ namespace, server, schedule }, current]];
      }),
    );
  addForEach(
    "mlflow_operator_backup_last_success_timestamp_seconds",
    "Time at which the last complete backup of an MlflowBackupSchedule was completed; 0 if there is none.",
    ({ lastSuccess }) => lastSuccess,
  );
  addForEach(
    "mlflow_operator_backup_due_timestamp_seconds",
    "Last time of an MlflowBackupSchedule that has passed; 0 if there is none.",
    ({ due }) => due,
  );
  addForEach(
    "mlflow_operator_backup_failures",
    "Failed backups of an MlflowBackupSchedule since the last complete one.",
    ({ failures }) => failures,
  );
}
