import type { Agent } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import type { V1ContainerStatus } from "@kubernetes/client-node";
import type { Pod } from "../../src/kube/manifests.ts";
import { label, managedSelector } from "../../src/kube/names.ts";
import type { ClusterAccess } from "../control-plane/cluster-access.ts";
import { administratorAgent, eventStream } from "./event-stream.ts";

/**
 * What becomes of a pod on the node that is not there. `exits` is a container that ended: with `restarts` it is being
 * restarted, as the kubelet does under `restartPolicy: Always` and `OnFailure`.
 */
export type Fate =
  | { readonly does: "nothing" }
  | { readonly does: "runs" }
  /** `beside`: an injected container, which goes on running. */
  | { readonly does: "succeeds"; readonly beside?: string }
  | { readonly does: "waits"; readonly reason: string; readonly message: string }
  | { readonly does: "exits"; readonly exitCode: number; readonly reason?: string; readonly message?: string }
  | { readonly does: "cannot be scheduled"; readonly message: string };

/** Migrations succeed and servers run. */
export const healthy = (pod: Pod): Fate =>
  pod.metadata.labels?.[label.component] === "migration" ? { does: "succeeds" } : { does: "runs" };

export interface Kubelet {
  /** What becomes of pods from now on, those that already have a fate included. */
  decide(fate: (pod: Pod) => Fate): void;
  /** Rejects where the API server has refused a status as invalid. */
  stop(): Promise<void>;
}

/**
 * Stands in for the node of a control plane without nodes: it writes the status of our pods, and everything that comes
 * of that (Jobs that complete, Deployments that roll out) is the work of the real controllers.
 */
export function startKubelet(cluster: ClusterAccess, namespace: string, first: (pod: Pod) => Fate = healthy): Kubelet {
  const stopping = new AbortController();
  const pods = new Map<string, Pod>();
  const told = new Map<string, string>();
  const path = `/api/v1/namespaces/${namespace}/pods`;
  const selected = `${path}?labelSelector=${encodeURIComponent(managedSelector)}`;
  let decide = first;
  let isNews = true;
  let failure: unknown;

  /** Lists and watches; an API server that goes away is asked again. */
  async function follow(agent: Agent): Promise<void> {
    const answer = await cluster.request("GET", selected);
    const { items = [], metadata }: { items?: Pod[]; metadata: { resourceVersion: string } } = JSON.parse(answer.body);
    pods.clear();
    for (const pod of items) pods.set(pod.metadata.uid ?? "", pod);
    isNews = true;
    await eventStream<Pod>(cluster, agent, selected, metadata.resourceVersion, stopping.signal, ({ type, object }) => {
      if (type === "ERROR") throw new Error("The position is too old: list again.");
      if (type === "DELETED") pods.delete(object.metadata.uid ?? "");
      else if (type !== "BOOKMARK") pods.set(object.metadata.uid ?? "", object);
      isNews = true;
    });
  }

  /** False where a pod has yet to be told its fate. */
  async function tell(pod: Pod): Promise<boolean> {
    // A pod that has ended stays as it is, on a real node as well.
    if (pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed") return true;
    const fate = decide(pod);
    const uid = pod.metadata.uid ?? "";
    if (told.get(uid) === JSON.stringify(fate) || fate.does === "nothing") return true;
    const { status, body } = await cluster.request("PATCH", `${path}/${pod.metadata.name}/status`, {
      headers: { "content-type": "application/merge-patch+json" },
      body: { metadata: { uid }, status: statusOf(pod, fate) },
    });
    if (status === 200) told.set(uid, JSON.stringify(fate));
    else if (status !== 404 && status !== 409 && status < 500) failure = new Error(body);
    return status === 200 || status === 404;
  }

  async function work(): Promise<void> {
    while (!stopping.signal.aborted) {
      if (isNews) {
        isNews = false;
        for (const pod of [...pods.values()]) isNews = !(await tell(pod).catch(() => false)) || isNews;
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
    decide: (fate) => {
      decide = fate;
      isNews = true;
    },
    stop: async () => {
      stopping.abort();
      await finished;
      if (failure !== undefined) throw failure;
    },
  };
}

function statusOf(pod: Pod, fate: Exclude<Fate, { does: "nothing" }>): Pod["status"] {
  const condition = (type: string, status: boolean, more = {}) => ({
    type,
    status: status ? "True" : "False",
    ...more,
  });
  if (fate.does === "cannot be scheduled") {
    const more = { reason: "Unschedulable", message: fate.message };
    return { phase: "Pending", conditions: [condition("PodScheduled", false, more)] };
  }
  const ready = fate.does === "runs";
  const container = pod.spec?.containers[0];
  const beside = fate.does === "succeeds" ? fate.beside : undefined;
  const ended = beside === undefined ? "Succeeded" : "Running";
  const phase = { runs: "Running", succeeds: ended, waits: "Pending", exits: "Running" }[fate.does];
  return {
    phase,
    conditions: [condition("PodScheduled", true), condition("Ready", ready), condition("ContainersReady", ready)],
    containerStatuses: [
      {
        name: container?.name ?? "",
        image: container?.image ?? "",
        imageID: "",
        ready,
        restartCount: fate.does === "exits" ? 3 : 0,
        ...containerState(fate),
      },
      ...(beside === undefined ? [] : [sidecar(beside)]),
    ],
  };
}

function sidecar(name: string): V1ContainerStatus {
  return { name, image: "sidecar", imageID: "", ready: true, restartCount: 0, state: { running: {} } };
}

function containerState(fate: Fate): Pick<V1ContainerStatus, "state" | "lastState"> {
  const finishedAt = new Date();
  switch (fate.does) {
    case "waits":
      return { state: { waiting: { reason: fate.reason, message: fate.message } } };
    case "exits": {
      const { exitCode, reason = "Error", message = "" } = fate;
      return {
        state: { waiting: { reason: "CrashLoopBackOff", message: "back-off 10s restarting failed container" } },
        lastState: { terminated: { exitCode, reason, message } },
      };
    }
    case "succeeds":
      return { state: { terminated: { exitCode: 0, reason: "Completed", finishedAt } } };
    default:
      return { state: { running: {} } };
  }
}
