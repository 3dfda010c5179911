import type { ApiClient } from "../client/api-client.ts";
import { isOutage, retryBounds } from "../client/backoff.ts";
import { type ClusterConnection, clusterConnection } from "../client/cluster.ts";
import type { Probe } from "../client/prober.ts";
import { isStale, type States, staleWatches } from "../client/staleness.ts";
import { defaultTiming, type ListWatchTiming } from "../client/timing.ts";
import { messageOf } from "../kube/message-of.ts";
import { label } from "../kube/names.ts";
import { type Key, keyOf, keyText, objectText } from "../kube/object.ts";
import type { Failing } from "../reconcile/failure-cause.ts";
import { isPartial } from "../reconcile/partial-failure.ts";
import { type Pass, reconcile, reconcileUnsynced } from "../reconcile/reconcile.ts";
import type { Installation } from "../resources/inputs.ts";
import { burst, leftovers } from "./leftovers.ts";
import type { Log } from "./log.ts";
import type { ControllerName, Metrics } from "./metrics.ts";
import { queue } from "./queue.ts";
import { workspaceController } from "./workspace-controller.ts";

export interface ControllerOptions {
  readonly client: ApiClient;
  readonly installation: Installation;
  /** The namespaces to work in; all without it. */
  readonly namespaces?: readonly string[] | undefined;
  /** How many servers are worked on at once. */
  readonly workers: number;
  /** This operator among others in the cluster: namespace and name of its Lease. */
  readonly identity?: string | undefined;
  /** This process, in events. */
  readonly instance: string;
  readonly log: Log;
  readonly metrics: () => Metrics;
  readonly timing?: ListWatchTiming;
  /** How an endpoint in a mesh is asked; default over the network. */
  readonly probe?: Probe | undefined;
}

export interface Controller {
  /** What keeps the caches from being complete and current, a line for each resource; undefined where nothing does. */
  readonly staleWatches: () => string | undefined;
  /** Why a restart would help: something within has stopped. */
  readonly stuckBecause: () => string | undefined;
  /** Running time of the oldest reconciliation of a server. */
  readonly longestRunningSeconds: () => number;
  /** By resource, as metrics call it. */
  readonly watches: () => States;
  /** Works from now on; until then changes are only noted. */
  lead(): void;
  /** Number of keys in the work queue of a controller. */
  readonly depth: (controller: ControllerName) => number;
  /** By `namespace/name`, as the last pass left them. */
  readonly states: () => ReadonlyMap<string, Pass["state"]>;
  /** Cuts the watches; with `isDraining` once the passes that are under way have ended. */
  stop(isDraining: boolean): Promise<void>;
}

/** How often it is checked whether watches are stale, in seconds. It costs no call. */
const reviewSeconds = 10;

/** A list or watch is tried at least each minute and a half, and a call ends after 30 s: what rests for so long has stopped. */
const stuckWatchSeconds = 600;
const stuckPassSeconds = 1800;

/** From a change that a watch tells to a pass over the server that it matters to. */
export function controller(options: ControllerOptions): Controller {
  const { log, installation, timing = defaultTiming } = options;
  const states = new Map<string, Pass["state"]>();
  const noted = new Set<string>();
  /** What servers have been told of their watches. */
  let problems = new Map<string, string>();
  const heap = leftovers();
  let leads = false;
  let isSynced = false;

  const count = (resource: string, event: string) => options.metrics().watchEvents.inc({ resource, event });

  const onServer = (key: Key) => (leads && isSynced ? work.add(keyText(key)) : note(keyText(key)));
  const workspaces = workspaceController({
    connection: () => connection,
    onServer,
    onPass: heap.left,
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
    onServer,
    onWorkspace: workspaces.changed,
    summaries: ({ metadata: { namespace = "default", name, generation = 0 } }) =>
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
        // By then the state of the watch says so.
        setImmediate(review);
      },
    },
  });
  const work = queue({
    workers: options.workers,
    work: pass,
    gotOn: isPartial,
    boundsAfter: retryBounds,
    isOutage,
    onFailure: (server, error, retrySeconds) => {
      options.metrics().reconciled("mlflowserver", "error");
      log.warn({ server, error: messageOf(error), retrySeconds }, "reconciliation failed");
    },
  });

  /** What has changed last is the last. */
  function note(server: string): void {
    noted.delete(server);
    noted.add(server);
  }

  async function pass(server: string, failing: Failing): Promise<number | undefined> {
    heap.left();
    const begun = performance.now();
    const key = keyOf(server);
    if (!isSynced) return connection.pass(key, (cluster) => reconcileUnsynced(cluster, key, new Date()));
    const result = await connection.pass(key, (cluster) => reconcile(cluster, key, installation, new Date(), failing));
    const seconds = (performance.now() - begun) / 1000;
    options.metrics().reconcileSeconds.observe({ controller: "mlflowserver" }, seconds);
    const isRepeated = result?.againInSeconds !== undefined;
    options.metrics().reconciled("mlflowserver", isRepeated ? "requeue_after" : "success");
    remember(server, result);
    return result?.againInSeconds;
  }

  /** Has servers report that a watch of theirs is stale, or is not any more. */
  function review(): void {
    const isWell = !Object.values(connection.states()).some((state) => isStale(state, timing));
    if (!leads || (isWell && problems.size === 0)) return;
    const former = problems;
    problems = new Map();
    for (const server of connection.servers()) {
      const { namespace = "", name } = server.metadata;
      const key = keyText({ namespace, name });
      const problem = connection.watchProblem(server);
      if (problem !== undefined) problems.set(key, problem);
      // What was reported before the first pass is undone by that.
      if (problem !== former.get(key) && (problem !== undefined || isSynced)) work.add(key);
    }
    const [problem] = problems.values();
    if (problem !== undefined && former.size === 0)
      log.error({ servers: problems.size }, `${problem}. Ready of the affected servers is Unknown`);
    else if (problem === undefined && former.size > 0) log.info({}, "all watches work again");
  }
  const reviewing = setInterval(review, Math.min(reviewSeconds, timing.rejectedSeconds / 3) * 1000).unref();

  function remember(server: string, result: Pass | undefined): void {
    if (result === undefined) states.delete(server);
    // What has just been written is no news of a server that is known: the next pass says what comes of it.
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
    // Of all the rest the former leader has most probably taken care.
    for (const key of [...noted].reverse()) work.add(key);
    noted.clear();
  }

  void connection.synced.then((synced) => {
    isSynced = synced;
    if (synced) log.info({}, "all watches are synced");
    // The lists of a start are a burst, however little comes of them.
    heap.left(burst);
    flush();
  });

  return {
    staleWatches: () => staleWatches(connection.states(), timing),
    stuckBecause: () => {
      const [resource] =
        Object.entries(connection.states()).find(([, each]) => each.idleSeconds > stuckWatchSeconds) ?? [];
      if (resource !== undefined) return `the watch of ${resource} has stopped`;
      if (work.longestRunningSeconds > stuckPassSeconds) return "the reconciliation of a server does not end";
      return undefined;
    },
    longestRunningSeconds: () => work.longestRunningSeconds,
    watches: connection.states,
    lead: () => {
      leads = true;
      flush();
    },
    depth: (name) => (name === "mlflowserver" ? work.waiting : workspaces.waiting()),
    states: () => states,
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
