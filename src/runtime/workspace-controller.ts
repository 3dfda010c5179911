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

/** Equal to the limit of requests in flight of the API client. */
const workers = 16;
/** Servers report failing reconciliations once the delay of the next attempt reaches this. */
const reportedRetrySeconds = 4;
/** Minimum interval of notifying a server, so that a thousand new workspaces are not a thousand status writes. */
const notifyMilliseconds = 1000;

/** Reconciles each namespace that a change affects, in a separate queue. Changes of pods do not enqueue workspaces. */
export class WorkspaceController {
  readonly #options: WorkspaceControllerOptions;
  readonly #work: WorkQueue;
  readonly #states = new Map<string, WorkspaceState>();
  /** Namespaces that changed after their last reconciliation. */
  readonly #stale = new Set<string>();
  /** Namespaces with a running reconciliation: until it ends, their known state is outdated. */
  readonly #checking = new Set<string>();
  /** Messages of repeatedly failing reconciliations by namespace. */
  readonly #failures = new Map<string, string>();
  readonly #summaries = new Map<string, TimedSummary>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  #isStarted = false;

  constructor(options: WorkspaceControllerOptions) {
    this.#options = options;
    this.#work = new WorkQueue({
      workers,
      work: (namespace) => this.#reconcile(namespace),
      retryBoundsOf: retryBounds,
      isOutage,
      onFailure: (namespace, error, retrySeconds) => {
        options.metrics().reconciled("workspace", "error");
        const line = { namespace, error: messageOf(error), retrySeconds };
        options.log.warn(line, "reconciliation of a workspace failed");
        if (retrySeconds >= reportedRetrySeconds) this.#fail(namespace, messageOf(error));
      },
    });
  }

  /** Reconciles all workspaces, and then each that changes. */
  start(): void {
    this.#isStarted = true;
    for (const namespace of this.#options.connection().allWorkspaces()) this.#work.add(namespace);
  }

  /** A change can affect the objects in this namespace. */
  changed(namespace: string): void {
    if (!this.#isStarted) return;
    this.#stale.add(namespace);
    this.#work.add(namespace);
  }

  /** The API server is available again. */
  recovered(): void {
    this.#work.recovered();
  }

  /** Number of namespaces that wait for a reconciliation. */
  get waiting(): number {
    return this.#work.waiting;
  }

  /** Summary of the workspaces of a server, at most a second old. */
  summary({ key, generation }: { readonly key: Key; readonly generation: number }): WorkspaceSummary | undefined {
    if (!this.#isStarted) return undefined;
    const text = keyText(key);
    const known = this.#summaries.get(text);
    if (known?.generation === generation && performance.now() - known.at < notifyMilliseconds) {
      this.#notify(text);
      return known.summary;
    }
    const isUnknown = (namespace: string) => this.#stale.has(namespace) || this.#checking.has(namespace);
    const summary = this.#options.connection().summary(key, {
      state: (namespace) => (isUnknown(namespace) ? undefined : this.#states.get(namespace)),
      failure: (namespace) => (isUnknown(namespace) ? this.#failures.get(namespace) : undefined),
    });
    if (summary === undefined) this.#summaries.delete(text);
    else this.#summaries.set(text, { at: performance.now(), generation, summary });
    return summary;
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    await this.#work.stop();
  }

  async #reconcile(namespace: string): Promise<number | undefined> {
    this.#options.onReconcile();
    const { state, wrote, againInSeconds, failure } = await this.#check(namespace);
    if (failure === undefined) this.#failures.delete(namespace);
    const before = this.#states.get(namespace);
    if (state.size === 0) this.#states.delete(namespace);
    else this.#states.set(namespace, state);
    // A summary that was made during this reconciliation does not have its result.
    const waitingForState = [...state.keys()].filter((server) => this.#summaries.get(server)?.summary?.isPartial);
    for (const server of new Set([...wrote, ...different(before, state), ...waitingForState])) this.#notify(server);
    if (failure !== undefined) throw failure;
    this.#options.metrics().reconciled("workspace", againInSeconds === undefined ? "success" : "requeue_after");
    return againInSeconds;
  }

  async #check(namespace: string): Promise<WorkspaceReconcileResult> {
    this.#stale.delete(namespace);
    this.#checking.add(namespace);
    let isChecked = false;
    try {
      const { workspaces } = this.#options.connection();
      const checked = await reconcileWorkspace(workspaces, namespace, this.#options.installation, new Date());
      isChecked = true;
      return checked;
    } finally {
      this.#checking.delete(namespace);
      // The previous state may be outdated.
      if (!isChecked) this.#stale.add(namespace);
    }
  }

  /** Notifies the servers of a namespace, and those that wait for its state, that it cannot be checked. */
  #fail(namespace: string, message: string): void {
    if (this.#failures.get(namespace) === message) return;
    this.#failures.set(namespace, message);
    const waiting = [...this.#summaries].filter(([, { summary }]) => summary?.isPartial).map(([server]) => server);
    for (const server of new Set([...(this.#states.get(namespace)?.keys() ?? []), ...waiting])) this.#notify(server);
  }

  #notify(server: string): void {
    if (this.#timers.has(server)) return;
    const at = this.#summaries.get(server)?.at ?? -notifyMilliseconds;
    const timer = setTimeout(
      () => {
        this.#timers.delete(server);
        this.#options.onServer(keyOf(server));
      },
      Math.max(0, at + notifyMilliseconds - performance.now()),
    );
    this.#timers.set(server, timer);
  }
}

interface TimedSummary {
  readonly at: number;
  readonly generation: number;
  readonly summary: WorkspaceSummary | undefined;
}

/** The servers for which the state of a namespace has changed. */
function different(before: WorkspaceState | undefined, now: WorkspaceState): string[] {
  const servers = new Set([...(before?.keys() ?? []), ...now.keys()]);
  return [...servers].filter((server) => stateText(before?.get(server)) !== stateText(now.get(server)));
}

function stateText(state: Cause | "ready" | undefined): string {
  return typeof state === "object" ? `${state.reason} ${state.message}` : (state ?? "");
}
