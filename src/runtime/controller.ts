import type { MlflowServer } from "../api/server.ts";
import { type ClusterConnection, clusterConnection } from "../client/cluster.ts";
import type { EndpointTiming } from "../client/endpoint-rounds.ts";
import type { ApiClient } from "../kube/client/api-client.ts";
import { isOutage, retryBounds } from "../kube/client/backoff.ts";
import { isStale, type States, staleWatches } from "../kube/client/staleness.ts";
import { defaultTiming, type ListWatchTiming } from "../kube/client/timing.ts";
import { WorkQueue } from "../kube/client/work-queue.ts";
import { messageOf } from "../kube/errors.ts";
import { label } from "../kube/names.ts";
import { type Key, keyOf, keyText, objectText } from "../kube/object.ts";
import type { Installation } from "../model/inputs.ts";
import { reconcileBackups } from "../reconcile/backup/reconcile-backups.ts";
import { type Failing, isPartial } from "../reconcile/failure-cause.ts";
import type { SendProbe } from "../reconcile/probe.ts";
import { type ReconcileResult, reconcile, reconcileUnsynced } from "../reconcile/reconcile.ts";
import { type UpgradeCounts, upgradeCounts } from "../reconcile/upgrade.ts";
import { burst, heapCollector } from "./heap-collector.ts";
import type { Log } from "./log.ts";
import type { ControllerName, Metrics } from "./metrics.ts";
import { workspaceController } from "./workspace-controller.ts";

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

export interface Controller {
  /** A line for each incomplete or outdated cache; undefined if there is none. */
  readonly staleWatches: () => string | undefined;
  /** Why a restart of the process helps: a part of it is stuck. */
  readonly stuckBecause: () => string | undefined;
  /** Running time of the oldest reconciliation of a server. */
  readonly longestRunningSeconds: () => number;
  /** By the name of the resource in metrics. */
  readonly watches: () => States;
  /** Starts reconciling. Before, changes are only recorded. */
  lead(): void;
  /** Number of keys in the work queue of a controller. */
  readonly depth: (controller: ControllerName) => number;
  /** The number of servers that wait for an operator upgrade, that it is changing, and that have failed. */
  readonly upgrades: () => UpgradeCounts;
  /** By `namespace/name`, as of the last reconciliation. */
  readonly states: () => ReadonlyMap<string, ReconcileResult["state"]>;
  /** The status and reason of `EndpointSecured`, by `namespace/name`. */
  readonly endpoints: () => ReadonlyMap<string, { readonly status: string; readonly reason: string }>;
  /** Stops the watches; with `isDraining` after running reconciliations have ended. */
  stop(isDraining: boolean): Promise<void>;
}

/** Interval of the check for stale watches, in seconds. It makes no request. */
const reviewSeconds = 10;

/** Lists and watches are tried at least every 90 s, and requests end after 30 s. Without activity for longer, they are stuck. */
const stuckWatchSeconds = 600;
const stuckReconcileSeconds = 1800;

/** Starts the watches and reconciles each server that a change affects. */
export function controller(options: ControllerOptions): Controller {
  const { log, installation, timing = defaultTiming } = options;
  const states = new Map<string, ReconcileResult["state"]>();
  const pending = new Set<string>();
  /** The watch problems that servers report. */
  let problems = new Map<string, string>();
  const heap = heapCollector();
  let leads = false;
  let isSynced = false;

  const count = (resource: string, event: string) => options.metrics().watchEvents.inc({ resource, event });

  const onServer = (key: Key) => (leads && isSynced ? work.add(keyText(key)) : note(keyText(key)));
  const workspaces = workspaceController({
    connection: () => connection,
    onServer,
    onReconcile: heap.noteWork,
    installation,
    log,
    metrics: options.metrics,
  });
  const connection: ClusterConnection = clusterConnection({
    client: options.client,
    namespaces: options.namespaces,
    instance: options.instance,
    identity: options.identity,
    ...(options.timing && { timing: options.timing }),
    probe: options.probe,
    endpointTiming: options.endpointTiming,
    onServer,
    onWorkspace: workspaces.changed,
    summaries: ({ metadata: { namespace, name, generation = 0 } }) =>
      workspaces.summary({ key: { namespace, name }, generation }),
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
    onMutatedByAdmission: (object, path) =>
      log.warn(
        {
          server: `${object.metadata.namespace}/${object.metadata.labels?.[label.server]}`,
          object: objectText(object),
          path,
        },
        "admission changed a field that the operator applied; the operator keeps the changed value",
      ),
    observer: {
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
      recovered: () => {
        work.recovered();
        workspaces.recovered();
        // After the state of the watch is updated.
        setImmediate(review);
      },
    },
  });
  const work = new WorkQueue({
    workers: options.workers,
    work: reconcileServer,
    madeProgress: isPartial,
    retryBoundsOf: retryBounds,
    isOutage,
    onFailure: (server, error, retrySeconds) => {
      options.metrics().reconciled("mlflowserver", "error");
      log.warn({ server, error: messageOf(error), retrySeconds }, "reconciliation failed");
    },
  });

  /** Keeps the order of the last changes. */
  function note(server: string): void {
    pending.delete(server);
    pending.add(server);
  }

  async function reconcileServer(server: string, failing: Failing): Promise<number | undefined> {
    heap.noteWork();
    const started = performance.now();
    const key = keyOf(server);
    if (!isSynced) return connection.reconcile(key, (cluster) => reconcileUnsynced(cluster, key, new Date()));
    const waits = await connection.reconcile(key, async (cluster) => {
      // A backup is reported even if its server cannot be reconciled.
      const [ofServer] = await Promise.allSettled([reconcile(cluster, key, installation, new Date(), failing)]);
      if (ofServer.status === "fulfilled") recordResult(server, ofServer.value);
      const ofBackups = await reconcileBackups(cluster, key, installation, new Date());
      if (ofServer.status === "rejected") throw ofServer.reason;
      return [ofServer.value?.againInSeconds, ofBackups].filter((seconds) => seconds !== undefined);
    });
    const againInSeconds = waits.length === 0 ? undefined : Math.min(...waits);
    const seconds = (performance.now() - started) / 1000;
    options.metrics().reconcileSeconds.observe({ controller: "mlflowserver" }, seconds);
    options.metrics().reconciled("mlflowserver", againInSeconds === undefined ? "success" : "requeue_after");
    return againInSeconds;
  }

  /** Enqueues the servers whose watch problem has changed. */
  function review(): void {
    const isHealthy = !Object.values(connection.states()).some((state) => isStale(state, timing));
    if (!leads || (isHealthy && problems.size === 0)) return;
    const previous = problems;
    problems = new Map();
    for (const server of connection.servers()) {
      const { namespace, name } = server.metadata;
      const key = keyText({ namespace, name });
      const problem = connection.watchProblem(server);
      if (problem !== undefined) problems.set(key, problem);
      // A report before the first reconciliation is corrected by that reconciliation.
      if (problem !== previous.get(key) && (problem !== undefined || isSynced)) work.add(key);
    }
    const [problem] = problems.values();
    if (problem !== undefined && previous.size === 0)
      log.error({ servers: problems.size }, `${problem}. Ready of the affected servers is Unknown`);
    else if (problem === undefined && previous.size > 0) log.info({}, "all watches work again");
  }
  const reviewing = setInterval(review, Math.min(reviewSeconds, timing.rejectedSeconds / 3) * 1000).unref();

  function recordResult(server: string, result: ReconcileResult | undefined): void {
    if (result === undefined) states.delete(server);
    // An interim result does not change the recorded state: the next reconciliation determines it.
    else if (result.isInterim && states.has(server)) return;
    else if (states.get(server) !== result.state) {
      states.set(server, result.state);
      const line = { server, state: result.state, reason: result.cause.reason };
      log[result.state === "stalled" ? "warn" : "info"](line, result.cause.message);
    }
  }

  function flush(): void {
    if (!leads || !isSynced) return;
    workspaces.start();
    // The last changes first: the previous leader has probably handled the earlier ones.
    for (const key of [...pending].reverse()) work.add(key);
    pending.clear();
  }

  void connection.synced.then((synced) => {
    isSynced = synced;
    if (synced) log.info({}, "all watches are synced");
    // The initial lists allocate memory even if few objects are kept.
    heap.noteWork(burst);
    flush();
  });

  return {
    staleWatches: () => staleWatches(connection.states(), timing),
    stuckBecause: () => {
      const [resource] =
        Object.entries(connection.states()).find(([, each]) => each.idleSeconds > stuckWatchSeconds) ?? [];
      if (resource !== undefined) return `the watch of ${resource} has stopped`;
      if (work.longestRunningSeconds > stuckReconcileSeconds) return "the reconciliation of a server does not end";
      return undefined;
    },
    longestRunningSeconds: () => work.longestRunningSeconds,
    watches: connection.states,
    lead: () => {
      leads = true;
      flush();
    },
    depth: (name) => (name === "mlflowserver" ? work.waiting : workspaces.waiting()),
    upgrades: () => upgradeCounts(connection.upgradeMembers(), installation.upgrade?.revision ?? "", new Date()),
    states: () => states,
    endpoints: () => endpoints(leads ? connection.servers() : []),
    stop: async (isDraining) => {
      leads = false;
      clearInterval(reviewing);
      if (!isDraining) connection.stop();
      const ended = Promise.all([work.stop(), workspaces.stop()]);
      if (isDraining) await ended;
      connection.stop();
      heap.stop();
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
