import { isOutage, retryBounds } from "../client/backoff.ts";
import type { ClusterConnection } from "../client/cluster.ts";
import { messageOf } from "../kube/message-of.ts";
import { type Key, keyOf, keyText } from "../kube/object.ts";
import type { Cause } from "../reconcile/finding.ts";
import {
  reconcileWorkspace,
  type WorkspacePass,
  type WorkspaceState,
} from "../reconcile/workspace/reconcile-workspace.ts";
import type { WorkspaceSummary } from "../reconcile/workspace/summary.ts";
import type { Installation } from "../resources/inputs.ts";
import type { Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import { queue } from "./queue.ts";

export interface WorkspaceControllerOptions {
  readonly connection: () => Pick<ClusterConnection, "workspaces" | "allWorkspaces" | "summary">;
  /** A pass has been made. */
  readonly onPass: () => void;
  /** Has a pass over a server run: its workspaces are otherwise than it was told. */
  readonly onServer: (key: Key) => void;
  readonly installation: Installation;
  readonly log: Log;
  readonly metrics: () => Metrics;
}

export interface WorkspaceController {
  /** Looks at all workspaces, and from now on at each that changes. */
  start(): void;
  /** Something changed that can matter to what is in this namespace. */
  changed(namespace: string): void;
  /** The API server answers again. */
  recovered(): void;
  /** How the workspaces of a server are, as of the last second. */
  summary(server: { readonly key: Key; readonly generation: number }): WorkspaceSummary | undefined;
  /** How many namespaces wait for a pass. */
  readonly waiting: () => number;
  stop(): Promise<void>;
}

/** As many as the API client has calls in flight. */
const workers = 16;
/** Passes that fail for so long that the next attempt is in so many seconds are reported by the servers. */
const reportedRetrySeconds = 4;
/** How often a server is told of its workspaces, so that a thousand new ones are not a thousand writes of its status. */
const toldMilliseconds = 1000;

/** From a change to a pass over the namespace that it matters to: a queue of its own, which no pod of a server comes to. */
export function workspaceController(options: WorkspaceControllerOptions): WorkspaceController {
  const { log, metrics } = options;
  const states = new Map<string, WorkspaceState>();
  /** Namespaces whose state is older than their last change. */
  const stale = new Set<string>();
  /** Namespaces of which a pass is under way: until it ends, what is known of them is of before the change that caused it. */
  const checking = new Set<string>();
  /** Why passes over a namespace fail again and again. */
  const failures = new Map<string, string>();
  const summaries = new Map<string, { at: number; generation: number; summary: WorkspaceSummary | undefined }>();
  const timers = new Map<string, NodeJS.Timeout>();
  let isStarted = false;

  const work = queue({
    workers,
    work: pass,
    boundsAfter: retryBounds,
    isOutage,
    onFailure: (namespace, error, retrySeconds) => {
      metrics().reconciled("workspace", "error");
      log.warn({ namespace, error: messageOf(error), retrySeconds }, "reconciliation of a workspace failed");
      if (retrySeconds >= reportedRetrySeconds) fail(namespace, messageOf(error));
    },
  });

  async function pass(namespace: string): Promise<number | undefined> {
    options.onPass();
    const { state, wrote, againInSeconds, failure } = await check(namespace);
    if (failure === undefined) failures.delete(namespace);
    const before = states.get(namespace);
    if (state.size === 0) states.delete(namespace);
    else states.set(namespace, state);
    // A server that was told while this namespace was being looked at has not heard how it stands.
    const unsure = [...state.keys()].filter((server) => summaries.get(server)?.summary?.isPartial);
    for (const server of new Set([...wrote, ...different(before, state), ...unsure])) tell(server);
    if (failure !== undefined) throw failure;
    metrics().reconciled("workspace", againInSeconds === undefined ? "success" : "requeue_after");
    return againInSeconds;
  }

  async function check(namespace: string): Promise<WorkspacePass> {
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
      // What was known before is no longer known to hold.
      if (!isChecked) stale.add(namespace);
    }
  }

  /** Has the servers of a namespace, and those that still wait for its state, report that it cannot be checked. */
  function fail(namespace: string, message: string): void {
    if (failures.get(namespace) === message) return;
    failures.set(namespace, message);
    const waiting = [...summaries].filter(([, { summary }]) => summary?.isPartial).map(([server]) => server);
    for (const server of new Set([...(states.get(namespace)?.keys() ?? []), ...waiting])) tell(server);
  }

  function tell(server: string): void {
    if (timers.has(server)) return;
    const rest = (summaries.get(server)?.at ?? -toldMilliseconds) + toldMilliseconds - performance.now();
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
    recovered: work.recovered,
    summary: ({ key, generation }) => {
      if (!isStarted) return undefined;
      const text = keyText(key);
      const known = summaries.get(text);
      if (known?.generation === generation && performance.now() - known.at < toldMilliseconds) {
        tell(text);
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

/** The servers to which a namespace stands otherwise than before. */
function different(before: WorkspaceState | undefined, now: WorkspaceState): string[] {
  const servers = new Set([...(before?.keys() ?? []), ...now.keys()]);
  return [...servers].filter((server) => wordsOf(before?.get(server)) !== wordsOf(now.get(server)));
}

function wordsOf(verdict: Cause | "ready" | undefined): string {
  return typeof verdict === "object" ? `${verdict.reason} ${verdict.message}` : (verdict ?? "");
}
