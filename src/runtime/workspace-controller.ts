import type { ClusterConnection } from "../client/cluster.ts";
import { isOutage, retryBounds } from "../kube/client/backoff.ts";
import { WorkQueue } from "../kube/client/work-queue.ts";
import { messageOf } from "../kube/errors.ts";
import { type Key, keyOf, keyText } from "../kube/object.ts";
import type { Installation } from "../model/inputs.ts";
import type { Cause } from "../reconcile/cause.ts";
import {
  reconcileWorkspace,
  type WorkspaceReconcileResult,
  type WorkspaceState,
} from "../reconcile/workspace/reconcile-workspace.ts";
import type { WorkspaceSummary } from "../reconcile/workspace/summary.ts";
import type { Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";

export interface WorkspaceControllerOptions {
  readonly connection: () => Pick<ClusterConnection, "workspaces" | "allWorkspaces" | "summary">;
  /** Called for each reconciliation. */
  readonly onReconcile: () => void;
  /** Enqueues a server whose workspaces have changed since its last summary. */
  readonly onServer: (key: Key) => void;
  readonly installation: Installation;
  readonly log: Log;
  readonly metrics: () => Metrics;
}

export interface WorkspaceController {
  /** Reconciles all workspaces, and then each that changes. */
  start(): void;
  /** A change can affect the objects in this namespace. */
  changed(namespace: string): void;
  /** The API server is available again. */
  recovered(): void;
  /** Summary of the workspaces of a server, at most a second old. */
  summary(server: { readonly key: Key; readonly generation: number }): WorkspaceSummary | undefined;
  /** Number of namespaces that wait for a reconciliation. */
  readonly waiting: () => number;
  stop(): Promise<void>;
}

/** Equal to the limit of requests in flight of the API client. */
const workers = 16;
/** Servers report failing reconciliations once the delay of the next attempt reaches this. */
const reportedRetrySeconds = 4;
/** Minimum interval of notifying a server, so that a thousand new workspaces are not a thousand status writes. */
const notifyMilliseconds = 1000;

/** Reconciles each namespace that a change affects, in a separate queue. Changes of pods do not enqueue workspaces. */
export function workspaceController(options: WorkspaceControllerOptions): WorkspaceController {
  const { log, metrics } = options;
  const states = new Map<string, WorkspaceState>();
  /** Namespaces that changed after their last reconciliation. */
  const stale = new Set<string>();
  /** Namespaces with a running reconciliation: until it ends, their known state is outdated. */
  const checking = new Set<string>();
  /** Messages of repeatedly failing reconciliations by namespace. */
  const failures = new Map<string, string>();
  const summaries = new Map<string, { at: number; generation: number; summary: WorkspaceSummary | undefined }>();
  const timers = new Map<string, NodeJS.Timeout>();
  let isStarted = false;

  const work = new WorkQueue({
    workers,
    work: reconcileNamespace,
    retryBoundsOf: retryBounds,
    isOutage,
    onFailure: (namespace, error, retrySeconds) => {
      metrics().reconciled("workspace", "error");
      log.warn({ namespace, error: messageOf(error), retrySeconds }, "reconciliation of a workspace failed");
      if (retrySeconds >= reportedRetrySeconds) fail(namespace, messageOf(error));
    },
  });

  async function reconcileNamespace(namespace: string): Promise<number | undefined> {
    options.onReconcile();
    const { state, wrote, againInSeconds, failure } = await check(namespace);
    if (failure === undefined) failures.delete(namespace);
    const before = states.get(namespace);
    if (state.size === 0) states.delete(namespace);
    else states.set(namespace, state);
    // A summary that was made during this reconciliation does not have its result.
    const waitingForState = [...state.keys()].filter((server) => summaries.get(server)?.summary?.isPartial);
    for (const server of new Set([...wrote, ...different(before, state), ...waitingForState])) notify(server);
    if (failure !== undefined) throw failure;
    metrics().reconciled("workspace", againInSeconds === undefined ? "success" : "requeue_after");
    return againInSeconds;
  }

  async function check(namespace: string): Promise<WorkspaceReconcileResult> {
    stale.delete(namespace);
    checking.add(namespace);
    let isChecked = false;
    try {
      const { workspaces } = options.connection();
      const checked = await reconcileWorkspace(workspaces, namespace, options.installation, new Date());
      isChecked = true;
      return checked;
    } finally {
      checking.delete(namespace);
      // The previous state may be outdated.
      if (!isChecked) stale.add(namespace);
    }
  }

  /** Notifies the servers of a namespace, and those that wait for its state, that it cannot be checked. */
  function fail(namespace: string, message: string): void {
    if (failures.get(namespace) === message) return;
    failures.set(namespace, message);
    const waiting = [...summaries].filter(([, { summary }]) => summary?.isPartial).map(([server]) => server);
    for (const server of new Set([...(states.get(namespace)?.keys() ?? []), ...waiting])) notify(server);
  }

  function notify(server: string): void {
    if (timers.has(server)) return;
    const rest = (summaries.get(server)?.at ?? -notifyMilliseconds) + notifyMilliseconds - performance.now();
    const timer = setTimeout(
      () => {
        timers.delete(server);
        options.onServer(keyOf(server));
      },
      Math.max(0, rest),
    );
    timers.set(server, timer);
  }

  return {
    start: () => {
      isStarted = true;
      for (const namespace of options.connection().allWorkspaces()) work.add(namespace);
    },
    changed: (namespace) => {
      if (!isStarted) return;
      stale.add(namespace);
      work.add(namespace);
    },
    recovered: () => work.recovered(),
    summary: ({ key, generation }) => {
      if (!isStarted) return undefined;
      const text = keyText(key);
      const known = summaries.get(text);
      if (known?.generation === generation && performance.now() - known.at < notifyMilliseconds) {
        notify(text);
        return known.summary;
      }
      const isUnknown = (namespace: string) => stale.has(namespace) || checking.has(namespace);
      const summary = options.connection().summary(key, {
        state: (namespace) => (isUnknown(namespace) ? undefined : states.get(namespace)),
        failure: (namespace) => (isUnknown(namespace) ? failures.get(namespace) : undefined),
      });
      if (summary === undefined) summaries.delete(text);
      else summaries.set(text, { at: performance.now(), generation, summary });
      return summary;
    },
    waiting: () => work.waiting,
    stop: async () => {
      for (const timer of timers.values()) clearTimeout(timer);
      timers.clear();
      await work.stop();
    },
  };
}

/** The servers for which the state of a namespace has changed. */
function different(before: WorkspaceState | undefined, now: WorkspaceState): string[] {
  const servers = new Set([...(before?.keys() ?? []), ...now.keys()]);
  return [...servers].filter((server) => stateText(before?.get(server)) !== stateText(now.get(server)));
}

function stateText(state: Cause | "ready" | undefined): string {
  return typeof state === "object" ? `${state.reason} ${state.message}` : (state ?? "");
}
