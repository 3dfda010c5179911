import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { States } from "../client/staleness.ts";
import { keyOf } from "../kube/object.ts";

/** What Prometheus may ask of the operator. Names and units follow its conventions. */
export interface Metrics {
  readonly passes: Counter<"result">;
  readonly passSeconds: Histogram;
  readonly workspacePasses: Counter<"result">;
  readonly apiCalls: Counter<"method" | "code">;
  readonly watchEvents: Counter<"resource" | "event">;
  /** The text format, and its content type. */
  readonly text: () => Promise<string>;
  readonly contentType: string;
}

export interface MetricSources {
  readonly waiting: () => number;
  readonly workspacesWaiting: () => number;
  readonly isLeader: () => boolean;
  readonly leaseName: string;
  readonly watches: () => States;
  readonly longestPassSeconds: () => number;
  /** By `namespace/name`, as the last pass left them. */
  readonly states: () => ReadonlyMap<string, string>;
}

export function metrics(sources: MetricSources): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const passes = new Counter({
    name: "mlflow_operator_reconcile_total",
    help: "Passes over an MlflowServer, by result.",
    labelNames: ["result"],
    registers,
  });
  const passSeconds = new Histogram({
    name: "mlflow_operator_reconcile_duration_seconds",
    help: "Duration of a pass.",
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 60],
    registers,
  });
  const workspacePasses = new Counter({
    name: "mlflow_operator_workspace_reconcile_total",
    help: "Passes over a namespace that is a workspace, or was one, by result.",
    labelNames: ["result"],
    registers,
  });
  const apiCalls = new Counter({
    name: "mlflow_operator_api_requests_total",
    help: "Calls of the Kubernetes API, by method and HTTP status (0: no answer).",
    labelNames: ["method", "code"],
    registers,
  });
  const watchEvents = new Counter({
    name: "mlflow_operator_watch_events_total",
    help: "What happened to watches: lists, resumptions and failures, by resource.",
    labelNames: ["resource", "event"],
    registers,
  });
  new Gauge({
    name: "mlflow_operator_queue_waiting",
    help: "MlflowServers that wait for a pass.",
    registers,
    collect() {
      this.set(sources.waiting());
    },
  });
  new Gauge({
    name: "mlflow_operator_workspace_queue_waiting",
    help: "Namespaces that wait for a pass, as workspaces.",
    registers,
    collect() {
      this.set(sources.workspacesWaiting());
    },
  });
  new Gauge({
    name: "mlflow_operator_leader",
    help: "1 where this process is the one that writes.",
    registers,
    collect() {
      this.set(sources.isLeader() ? 1 : 0);
    },
  });
  new Gauge({
    name: "leader_election_master_status",
    help: "1 where this process holds the Lease of this name.",
    labelNames: ["name"],
    registers,
    collect() {
      this.set({ name: sources.leaseName }, sources.isLeader() ? 1 : 0);
    },
  });
  const ofWatches = (name: string, help: string, value: (state: States[string]) => number) =>
    new Gauge({
      name,
      help,
      labelNames: ["resource"],
      registers,
      collect() {
        for (const [resource, state] of Object.entries(sources.watches())) this.set({ resource }, value(state));
      },
    });
  ofWatches(
    "mlflow_operator_watch_age_seconds",
    "Seconds since the API server last delivered a list, an event or a bookmark of a resource.",
    ({ ageSeconds }) => ageSeconds,
  );
  ofWatches(
    "mlflow_operator_watch_consecutive_failures",
    "How many times in a row the list or the watch of a resource has failed; 0 where it works.",
    ({ failures }) => failures,
  );
  ofWatches("mlflow_operator_watch_synced", "1 where a resource has been listed.", ({ isSynced }) =>
    isSynced ? 1 : 0,
  );
  new Gauge({
    name: "workqueue_longest_running_processor_seconds",
    help: "For how long the oldest pass over an MlflowServer has been under way.",
    labelNames: ["name"],
    registers,
    collect() {
      this.set({ name: "mlflowserver" }, sources.longestPassSeconds());
    },
  });
  new Gauge({
    name: "mlflow_operator_server_state",
    help: "1 for the state that the last pass over an MlflowServer left it in: ready, progressing or stalled.",
    labelNames: ["namespace", "name", "state"],
    registers,
    collect() {
      this.reset();
      for (const [server, state] of sources.states()) this.set({ ...keyOf(server), state }, 1);
    },
  });
  new Gauge({
    name: "process_resident_memory_bytes",
    help: "Resident memory.",
    registers,
    collect() {
      this.set(process.memoryUsage.rss());
    },
  });
  return {
    passes,
    passSeconds,
    workspacePasses,
    apiCalls,
    watchEvents,
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
