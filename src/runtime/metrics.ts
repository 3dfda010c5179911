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
  const registers = [registry];
  const reconciles = new Counter({
    name: "controller_runtime_reconcile_total",
    help: "Reconciliations by controller and result: success, requeue_after or error.",
    labelNames: ["controller", "result"],
    registers,
  });
  const reconcileErrors = new Counter({
    name: "controller_runtime_reconcile_errors_total",
    help: "Reconciliations that failed, by controller.",
    labelNames: ["controller"],
    registers,
  });
  const reconcileSeconds = new Histogram({
    name: "controller_runtime_reconcile_time_seconds",
    help: "Duration of a reconciliation, by controller.",
    labelNames: ["controller"],
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 60],
    registers,
  });
  const requests = new Counter({
    name: "rest_client_requests_total",
    help: "Requests to the API server by method and HTTP status code; <error> if no response arrived.",
    labelNames: ["method", "code"],
    registers,
  });
  const watchEvents = new Counter({
    name: "mlflow_operator_watch_events_total",
    help: "Lists, resumed watches and failures by resource.",
    labelNames: ["resource", "event"],
    registers,
  });
  new Gauge({
    name: "workqueue_depth",
    help: "Number of keys that wait in a work queue.",
    labelNames: ["name"],
    registers,
    collect() {
      for (const name of controllers) this.set({ name }, sources.depth(name));
    },
  });
  new Gauge({
    name: "leader_election_master_status",
    help: "1 if this process holds the Lease of this name.",
    labelNames: ["name"],
    registers,
    collect() {
      this.set({ name: sources.leaseName }, sources.isLeader() ? 1 : 0);
    },
  });
  const watchGauge = (name: string, help: string, value: (state: States[string]) => number) =>
    new Gauge({
      name,
      help,
      labelNames: ["resource"],
      registers,
      collect() {
        for (const [resource, state] of Object.entries(sources.watches())) this.set({ resource }, value(state));
      },
    });
  watchGauge(
    "mlflow_operator_watch_age_seconds",
    "Seconds since the API server last delivered a list, an event or a bookmark of a resource.",
    ({ ageSeconds }) => ageSeconds,
  );
  watchGauge(
    "mlflow_operator_watch_consecutive_failures",
    "Consecutive failures of the list or watch of a resource.",
    ({ failures }) => failures,
  );
  watchGauge("mlflow_operator_watch_synced", "1 if a resource has been listed.", ({ isSynced }) => (isSynced ? 1 : 0));
  new Gauge({
    name: "workqueue_longest_running_processor_seconds",
    help: "Running time of the oldest reconciliation of an MlflowServer.",
    labelNames: ["name"],
    registers,
    collect() {
      this.set({ name: "mlflowserver" }, sources.longestRunningSeconds());
    },
  });
  new Gauge({
    name: "mlflow_operator_server_state",
    help: "1 for the state of an MlflowServer after its last reconciliation: ready, progressing or stalled.",
    labelNames: ["namespace", "name", "state"],
    registers,
    collect() {
      this.reset();
      for (const [server, state] of sources.states()) this.set({ ...keyOf(server), state }, 1);
    },
  });
  new Gauge({
    name: "mlflow_operator_server_endpoint_secured",
    help: "1 for the status (True, False or Unknown) and reason of the condition EndpointSecured of an MlflowServer.",
    labelNames: ["namespace", "name", "status", "reason"],
    registers,
    collect() {
      this.reset();
      for (const [server, condition] of sources.endpoints()) this.set({ ...keyOf(server), ...condition }, 1);
    },
  });
  const backupGauge = (name: string, help: string, value: (age: ScheduleAge) => number | undefined) =>
    new Gauge({
      name,
      help,
      labelNames: ["namespace", "server", "schedule"],
      registers,
      collect() {
        this.reset();
        for (const age of sources.backups()) {
          const { namespace, server, schedule } = age;
          const current = value(age);
          if (current !== undefined) this.set({ namespace, server, schedule }, current);
        }
      },
    });
  backupGauge(
    "mlflow_operator_backup_last_success_timestamp_seconds",
    "Time at which the last complete backup of an MlflowBackupSchedule was completed; 0 if there is none.",
    ({ lastSuccess }) => lastSuccess,
  );
  backupGauge(
    "mlflow_operator_backup_due_timestamp_seconds",
    "Last time of an MlflowBackupSchedule that has passed; 0 if there is none.",
    ({ due }) => due,
  );
  backupGauge(
    "mlflow_operator_backup_failures",
    "Failed backups of an MlflowBackupSchedule since the last complete one.",
    ({ failures }) => failures,
  );
  new Gauge({
    name: "mlflow_operator_upgrade_servers",
    help: "MlflowServers that an upgrade of the operator has not changed yet (waiting), is changing (updating), or that are not ready since (failed).",
    labelNames: ["state"],
    registers,
    collect() {
      for (const [state, count] of Object.entries(sources.upgrades())) this.set({ state }, count);
    },
  });
  new Gauge({
    name: "process_resident_memory_bytes",
    help: "Resident memory size in bytes.",
    registers,
    collect() {
      this.set(process.memoryUsage.rss());
    },
  });
  return {
    reconciled: (controller, result) => {
      reconciles.inc({ controller, result });
      if (result === "error") reconcileErrors.inc({ controller });
    },
    reconcileSeconds,
    requested: (method, status) => requests.inc({ method, code: status === 0 ? "<error>" : status }),
    watchEvents,
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
