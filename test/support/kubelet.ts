import type { Agent } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import type { V1ContainerStatus } from "@kubernetes/client-node";
import type { Pod } from "../../src/kube/manifests.ts";
import { label, managedSelector } from "../../src/kube/names.ts";
import type { ClusterAccess } from "../control-plane/cluster-access.ts";
import { administratorAgent, eventStream } from "./event-stream.ts";

/**
 * The simulated outcome of a pod. `exits` is a container that exited and is being
 * restarted, as the kubelet does with `restartPolicy: Always` and `OnFailure`.
 */
export type PodOutcome =
  | { readonly does: "nothing" }
  | { readonly does: "runs" }
  /** `injected`: an injected container, which continues to run. */
  | { readonly does: "succeeds"; readonly injected?: string; readonly message?: string }
  /** The container ends, and is not restarted: `restartPolicy: Never`. */
  | { readonly does: "fails"; readonly exitCode: number; readonly reason?: string; readonly message?: string }
  | { readonly does: "waits"; readonly reason: string; readonly message: string }
  | { readonly does: "exits"; readonly exitCode: number; readonly reason?: string; readonly message?: string }
  | { readonly does: "cannot be scheduled"; readonly message: string };

/** Jobs succeed and servers run. */
export const healthy = (pod: Pod): PodOutcome => (isTask(pod) ? { does: "succeeds" } : { does: "runs" });

/** Whether a pod belongs to a Job: a migration, the checks before it, a backup or a rotation. */
function isTask({ metadata: { labels } }: Pod): boolean {
  return ["migration", "preflight", "backup", "restore", "rotation"].includes(labels?.[label.component] ?? "");
}

export interface Kubelet {
  /** Sets the outcome of all pods, including existing ones. */
  decide(outcome: (pod: Pod) => PodOutcome): void;
  /** Rejects if the API server has rejected a status as invalid. */
  stop(): Promise<void>;
}

/**
 * Simulates the node of a control plane without nodes: it writes the status of the operator's pods. The real controllers
 * complete Jobs and roll out Deployments.
 */
export function startKubelet(
  cluster: ClusterAccess,
  namespace: string,
  first: (pod: Pod) => PodOutcome = healthy,
): Kubelet {
  const stopping = new AbortController();
  const pods = new Map<string, Pod>();
  const written = new Map<string, string>();
  const path = `/api/v1/namespaces/${namespace}/pods`;
  const selected = `${path}?labelSelector=${encodeURIComponent(managedSelector)}`;
  let decide = first;
  let hasChanges = true;
  let failure: unknown;

  /** Lists and watches, and retries while the API server is unavailable. */
  async function follow(agent: Agent): Promise<void> {
    const answer = await cluster.request("GET", selected);
    const { items = [], metadata }: { items?: Pod[]; metadata: { resourceVersion: string } } = JSON.parse(answer.body);
    pods.clear();
    for (const pod of items) pods.set(pod.metadata.uid ?? "", pod);
    hasChanges = true;
    await eventStream<Pod>(cluster, agent, selected, metadata.resourceVersion, stopping.signal, ({ type, object }) => {
      if (type === "ERROR") throw new Error("The resource version is too old: list again.");
      if (type === "DELETED") pods.delete(object.metadata.uid ?? "");
      else if (type !== "BOOKMARK") pods.set(object.metadata.uid ?? "", object);
      hasChanges = true;
    });
  }

  /** Writes the status of a pod. Returns false if that must be repeated. */
  async function writeStatus(pod: Pod): Promise<boolean> {
    // A terminated pod does not change, as on a real node.
    if (pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed") return true;
    const outcome = decide(pod);
    const uid = pod.metadata.uid ?? "";
    if (written.get(uid) === JSON.stringify(outcome) || outcome.does === "nothing") return true;
    const { status, body } = await cluster.request("PATCH", `${path}/${pod.metadata.name}/status`, {
      headers: { "content-type": "application/merge-patch+json" },
      body: { metadata: { uid }, status: statusOf(pod, outcome) },
    });
    if (status === 200) written.set(uid, JSON.stringify(outcome));
    else if (status !== 404 && status !== 409 && status < 500) failure = new Error(body);
    return status === 200 || status === 404;
  }

  async function work(): Promise<void> {
    while (!stopping.signal.aborted) {
      if (hasChanges) {
        hasChanges = false;
        for (const pod of [...pods.values()]) hasChanges = !(await writeStatus(pod).catch(() => false)) || hasChanges;
      }
      await sleep(20);
    }
  }

  async function watch(): Promise<void> {
    const agent = await administratorAgent(cluster);
    while (!stopping.signal.aborted) {
      await follow(agent).catch(() => {});
      await sleep(50);
    }
    agent.destroy();
  }

  const finished = Promise.all([watch(), work()]);
  return {
    decide: (outcome) => {
      decide = outcome;
      hasChanges = true;
    },
    stop: async () => {
      stopping.abort();
      await finished;
      if (failure !== undefined) throw failure;
    },
  };
}

function statusOf(pod: Pod, outcome: Exclude<PodOutcome, { does: "nothing" }>): Pod["status"] {
  const condition = (type: string, status: boolean, more = {}) => ({
    type,
    status: status ? "True" : "False",
    ...more,
  });
  if (outcome.does === "cannot be scheduled") {
    const more = { reason: "Unschedulable", message: outcome.message };
    return { phase: "Pending", conditions: [condition("PodScheduled", false, more)] };
  }
  const ready = outcome.does === "runs";
  const container = pod.spec?.containers[0];
  const injected = outcome.does === "succeeds" ? outcome.injected : undefined;
  const ended = injected === undefined ? "Succeeded" : "Running";
  const phase = { runs: "Running", succeeds: ended, fails: "Failed", waits: "Pending", exits: "Running" }[outcome.does];
  return {
    phase,
    conditions: [condition("PodScheduled", true), condition("Ready", ready), condition("ContainersReady", ready)],
    containerStatuses: [
      {
        name: container?.name ?? "",
        image: container?.image ?? "",
        imageID: "",
        ready,
        restartCount: outcome.does === "exits" ? 3 : 0,
        ...containerState(outcome),
      },
      ...(injected === undefined ? [] : [sidecar(injected)]),
    ],
  };
}

function sidecar(name: string): V1ContainerStatus {
  return { name, image: "sidecar", imageID: "", ready: true, restartCount: 0, state: { running: {} } };
}

function containerState(outcome: PodOutcome): Pick<V1ContainerStatus, "state" | "lastState"> {
  const finishedAt = new Date();
  switch (outcome.does) {
    case "waits":
      return { state: { waiting: { reason: outcome.reason, message: outcome.message } } };
    case "exits": {
      const { exitCode, reason = "Error", message = "" } = outcome;
      return {
        state: { waiting: { reason: "CrashLoopBackOff", message: "back-off 10s restarting failed container" } },
        lastState: { terminated: { exitCode, reason, message } },
      };
    }
    case "fails": {
      const { exitCode, reason = "Error", message = "" } = outcome;
      return { state: { terminated: { exitCode, reason, message, finishedAt } } };
    }
    case "succeeds": {
      const message = outcome.message === undefined ? {} : { message: outcome.message };
      return { state: { terminated: { exitCode: 0, reason: "Completed", finishedAt, ...message } } };
    }
    default:
      return { state: { running: {} } };
  }
}
