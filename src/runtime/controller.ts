import type { MlflowServer } from "../api/server.ts";
import { ClusterConnection, type ClusterOptions } from "../client/cluster.ts";
import type { EndpointTiming } from "../client/endpoint-rounds.ts";
import type { ApiClient } from "../kube/client/api-client.ts";
import { isOutage, retryBounds } from "../kube/client/backoff.ts";
import type { ListWatchObserver } from "../kube/client/list-watch.ts";
import { isStale, type States, staleWatches } from "../kube/client/staleness.ts";
import { defaultTiming, type ListWatchTiming } from "../kube/client/timing.ts";
import { WorkQueue } from "../kube/client/work-queue.ts";
import { messageOf } from "../kube/errors.ts";
import { label } from "../kube/names.ts";
import { type Key, keyOf, keyText, objectText } from "../kube/object.ts";
import type { Installation } from "../model/inputs.ts";
import { reconcileBackups } from "../reconcile/backup/reconcile-backups.ts";
import { reconcileSchedules } from "../reconcile/backup/reconcile-schedules.ts";
import { type ScheduleAge, scheduleAge } from "../reconcile/backup/schedule-age.ts";
import { type Failing, isPartial } from "../reconcile/failure-cause.ts";
import type { SendProbe } from "../reconcile/probe.ts";
import { type ReconcileResult, reconcile, reconcileUnsynced } from "../reconcile/reconcile.ts";
import { type UpgradeCounts, upgradeCounts } from "../reconcile/upgrade.ts";
import { burst, heapCollector } from "./heap-collector.ts";
import type { Log } from "./log.ts";
import type { ControllerName, Metrics } from "./metrics.ts";
import { WorkspaceController } from "./workspace-controller.ts";

export interface ControllerOptions {
  readonly client: ApiClient;
  readonly installation: Installation;
  /** The namespaces to reconcile. Default: all. */
  readonly namespaces?: readonly string[] | undefined;
  /** Number of concurrent reconciliations of servers. */
  readonly workers: number;
  /** Identity of this operator in the cluster: namespace and name of its Lease. */
  readonly identity?: string | undefined;
  /** Name of this process in Events. */
  readonly instance: string;
  readonly log: Log;
  readonly metrics: () => Metrics;
  readonly timing?: ListWatchTiming;
  /** Sends the probes of servers. Default: over the network. */
  readonly probe?: SendProbe | undefined;
  readonly endpointTiming?: EndpointTiming | undefined;
}

/** Interval of the check for stale watches, in seconds. It makes no request. */
const reviewSeconds = 10;

/** Lists and watches are tried at least every 90 s, and requests end after 30 s. Without activity for longer, they are stuck. */
const stuckWatchSeconds = 600;
const stuckReconcileSeconds = 1800;

/** Starts the watches and reconciles each server that a change affects. */
export class Controller {
  readonly #options: ControllerOptions;
  readonly #timing: ListWatchTiming;
  readonly #states = new Map<string, ReconcileResult["state"]>();
  /** Servers that changed before this process reconciles. */
  readonly #pending = new Set<string>();
  readonly #heap = heapCollector();
  readonly #work: WorkQueue;
  readonly #workspaces: WorkspaceController;
  readonly #connection: ClusterConnection;
  readonly #reviewing: NodeJS.Timeout;
  /** The watch problems that servers report. */
  #problems = new Map<string, string>();
  #leads = false;
  #isSynced = false;

  constructor(options: ControllerOptions) {
    this.#options = options;
    this.#timing = options.timing ?? defaultTiming;
    this.#work = new WorkQueue({
      workers: options.workers,
      work: (server, failing) => this.#reconcile(server, failing),
      madeProgress: isPartial,
      retryBoundsOf: retryBounds,
      isOutage,
      onFailure: (server, error, retrySeconds) => {
        options.metrics().reconciled("mlflowserver", "error");
        options.log.warn({ server, error: messageOf(error), retrySeconds }, "reconciliation failed");
      },
    });
    this.#workspaces = new WorkspaceController({
      connection: () => this.#connection,
      onServer: this.#onServer,
      onReconcile: this.#heap.noteWork,
      installation: options.installation,
      log: options.log,
      metrics: options.metrics,
    });
    this.#connection = this.#connect();
    const seconds = Math.min(reviewSeconds, this.#timing.rejectedSeconds / 3);
    this.#reviewing = setInterval(this.#review, seconds * 1000).unref();
    void this.#connection.synced.then((synced) => this.#synced(synced));
  }

  /** A line for each incomplete or outdated cache; undefined if there is none. */
  readonly staleWatches = (): string | undefined => staleWatches(this.#connection.states(), this.#timing);

  /** Why a restart of the process helps: a part of it is stuck. */
  readonly stuckBecause = (): string | undefined => {
    const states = Object.entries(this.#connection.states());
    const [resource] = states.find(([, each]) => each.idleSeconds > stuckWatchSeconds) ?? [];
    if (resource !== undefined) return `the watch of ${resource} has stopped`;
    if (this.#work.longestRunningSeconds > stuckReconcileSeconds) return "the reconciliation of a server does not end";
    return undefined;
  };

  /** Running time of the oldest reconciliation of a server. */
  readonly longestRunningSeconds = (): number => this.#work.longestRunningSeconds;

  /** By the name of the resource in metrics. */
  readonly watches = (): States => this.#connection.states();

  /** Number of keys in the work queue of a controller. */
  readonly depth = (name: ControllerName): number =>
    name === "mlflowserver" ? this.#work.waiting : this.#workspaces.waiting;

  /** The number of servers that wait for an operator upgrade, that it is changing, and that have failed. */
  readonly upgrades = (): UpgradeCounts => {
    const revision = this.#options.installation.upgrade?.revision ?? "";
    return upgradeCounts(this.#connection.upgradeMembers(), revision, new Date());
  };

  /** By `namespace/name`, as of the last reconciliation. */
  readonly states = (): ReadonlyMap<string, ReconcileResult["state"]> => this.#states;

  /** The status and reason of `EndpointSecured`, by `namespace/name`. */
  readonly endpoints = () => endpoints(this.#leads ? this.#connection.servers() : []);

  /** Of each MlflowBackupSchedule. Only the leader updates their status, so only its metrics have them. */
  readonly backups = (): readonly ScheduleAge[] => {
    const schedules = this.#leads ? [...this.#connection.allBackupSchedules()] : [];
    return schedules.map((schedule) => scheduleAge(schedule, new Date()));
  };

  /** Starts reconciling. Before, changes are only recorded. */
  lead(): void {
    this.#leads = true;
    this.#flush();
  }

  /** Stops the watches; with `isDraining` after running reconciliations have ended. */
  async stop(isDraining: boolean): Promise<void> {
    this.#leads = false;
    clearInterval(this.#reviewing);
    if (!isDraining) this.#connection.stop();
    const ended = Promise.all([this.#work.stop(), this.#workspaces.stop()]);
    if (isDraining) await ended;
    this.#connection.stop();
    this.#heap.stop();
  }

  #connect(): ClusterConnection {
    const { client, namespaces, instance, identity, timing, probe, endpointTiming, log } = this.#options;
    return new ClusterConnection({
      client,
      namespaces,
      instance,
      identity,
      ...(timing && { timing }),
      probe,
      endpointTiming,
      ...logged(log),
      onServer: this.#onServer,
      onWorkspace: (namespace) => this.#workspaces.changed(namespace),
      summaries: ({ metadata: { namespace, name, generation = 0 } }) =>
        this.#workspaces.summary({ key: { namespace, name }, generation }),
      observer: {
        ...countedWatches(this.#options),
        recovered: () => {
          this.#work.recovered();
          this.#workspaces.recovered();
          // After the state of the watch is updated.
          setImmediate(this.#review);
        },
      },
    });
  }

  readonly #onServer = (key: Key): void => {
    const server = keyText(key);
    if (this.#leads && this.#isSynced) this.#work.add(server);
    else {
      // Keeps the order of the last changes.
      this.#pending.delete(server);
      this.#pending.add(server);
    }
  };

  #synced(synced: boolean): void {
    this.#isSynced = synced;
    if (synced) this.#options.log.info({}, "all watches are synced");
    // The initial lists allocate memory even if few objects are kept.
    this.#heap.noteWork(burst);
    this.#flush();
  }

  #flush(): void {
    if (!this.#leads || !this.#isSynced) return;
    this.#workspaces.start();
    // The last changes first: the previous leader has probably handled the earlier ones.
    for (const key of [...this.#pending].reverse()) this.#work.add(key);
    this.#pending.clear();
  }

  async #reconcile(server: string, failing: Failing): Promise<number | undefined> {
    const { installation, metrics } = this.#options;
    this.#heap.noteWork();
    const started = performance.now();
    const key = keyOf(server);
    if (!this.#isSynced)
      return this.#connection.reconcile(key, (cluster) => reconcileUnsynced(cluster, key, new Date()));
    const waits = await this.#connection.reconcile(key, async (cluster) => {
      // A backup is reported even if its server cannot be reconciled.
      const [ofServer] = await Promise.allSettled([reconcile(cluster, key, installation, new Date(), failing)]);
      if (ofServer.status === "fulfilled") this.#recordResult(server, ofServer.value);
      const [ofSchedules] = await Promise.allSettled([reconcileSchedules(cluster, key, installation, new Date())]);
      const ofBackups = await reconcileBackups(cluster, key, installation, new Date());
      for (const part of [ofServer, ofSchedules]) if (part.status === "rejected") throw part.reason;
      return [resultIn(ofServer)?.againInSeconds, resultIn(ofSchedules), ofBackups].filter(
        (seconds) => seconds !== undefined,
      );
    });
    const againInSeconds = waits.length === 0 ? undefined : Math.min(...waits);
    const seconds = (performance.now() - started) / 1000;
    metrics().reconcileSeconds.observe({ controller: "mlflowserver" }, seconds);
    metrics().reconciled("mlflowserver", againInSeconds === undefined ? "success" : "requeue_after");
    return againInSeconds;
  }

  #recordResult(server: string, result: ReconcileResult | undefined): void {
    if (result === undefined) this.#states.delete(server);
    // An interim result does not change the recorded state: the next reconciliation determines it.
    else if (result.isInterim && this.#states.has(server)) return;
    else if (this.#states.get(server) !== result.state) {
      this.#states.set(server, result.state);
      const line = { server, state: result.state, reason: result.cause.reason };
      this.#options.log[result.state === "stalled" ? "warn" : "info"](line, result.cause.message);
    }
  }

  /** Enqueues the servers whose watch problem has changed. */
  readonly #review = (): void => {
    const isHealthy = !Object.values(this.#connection.states()).some((state) => isStale(state, this.#timing));
    if (!this.#leads || (isHealthy && this.#problems.size === 0)) return;
    const previous = this.#problems;
    this.#problems = new Map();
    for (const server of this.#connection.servers()) {
      const { namespace, name } = server.metadata;
      const key = keyText({ namespace, name });
      const problem = this.#connection.watchProblem(server);
      if (problem !== undefined) this.#problems.set(key, problem);
      // A report before the first reconciliation is corrected by that reconciliation.
      if (problem !== previous.get(key) && (problem !== undefined || this.#isSynced)) this.#work.add(key);
    }
    const { log } = this.#options;
    const [problem] = this.#problems.values();
    if (problem !== undefined && previous.size === 0)
      log.error({ servers: this.#problems.size }, `${problem}. Ready of the affected servers is Unknown`);
    else if (problem === undefined && previous.size > 0) log.info({}, "all watches work again");
  };
}

function resultIn<T>(settled: PromiseSettledResult<T>): T | undefined {
  return settled.status === "fulfilled" ? settled.value : undefined;
}

/** Counts events of watches in the metrics, and logs failures. */
function countedWatches({ log, metrics }: Pick<ControllerOptions, "log" | "metrics">): ListWatchObserver {
  const count = (resource: string, event: string) => metrics().watchEvents.inc({ resource, event });
  return {
    listed: (resource, again) => count(resource, again ? "relisted" : "listed"),
    resumed: (resource) => count(resource, "resumed"),
    unprocessed: (resource, object, error) => {
      count(resource, "unprocessed");
      log.warn({ resource, object, error: messageOf(error) }, "cannot process an object");
    },
    failed: (resource, error, delaySeconds) => {
      count(resource, "failed");
      log.warn({ resource, error: messageOf(error), delaySeconds }, "a watch failed and will be retried");
    },
  };
}

/** What the connection reports to the log. */
function logged(
  log: Log,
): Pick<ClusterOptions, "onEventsReadError" | "onSkew" | "onEventWriteError" | "onMutatedByAdmission"> {
  return {
    onEventsReadError: (error) => log.warn({ error }, "cannot read Events; conditions do not quote them"),
    onSkew: (kind, { missing, isSame }) => {
      if (missing.length > 0)
        log.error(
          { kind, missing: missing.slice(0, 20) },
          "the CustomResourceDefinition is older than the operator; the operator writes nothing until you update it",
        );
      else log.info({ kind, isSame }, "the CustomResourceDefinition has all fields that the operator needs");
    },
    onEventWriteError: (error) => log.warn({ error }, "cannot create an Event"),
    onMutatedByAdmission: (object, path) => {
      const server = `${object.metadata.namespace}/${object.metadata.labels?.[label.server]}`;
      const line = { server, object: objectText(object), path };
      log.warn(line, "admission changed a field that the operator applied; the operator keeps the changed value");
    },
  };
}

/** Only the leader probes, so only its metrics have the result. */
function endpoints(servers: Iterable<MlflowServer>): ReadonlyMap<string, { status: string; reason: string }> {
  const found = new Map<string, { status: string; reason: string }>();
  for (const { metadata, status } of servers) {
    const condition = status?.conditions?.find(({ type }) => type === "EndpointSecured");
    if (condition === undefined) continue;
    const key = keyText({ namespace: metadata.namespace ?? "", name: metadata.name });
    found.set(key, { status: condition.status, reason: condition.reason });
  }
  return found;
}
