import type { V1ContainerStatus } from "@kubernetes/client-node";
import { excerpt } from "../../kube/excerpt.ts";
import type { Pod } from "../../kube/manifests.ts";

/** A pod, for output. */
export interface PodSummary {
  readonly name: string;
  /** Ready containers of all: `1/2`. */
  readonly ready: string;
  readonly state: string;
  readonly restarts: number;
  readonly created: string;
  readonly node: string;
}

/** Returns pods as `kubectl get pods` shows them, by name. */
export function podSummaries(pods: readonly Pod[]): PodSummary[] {
  return pods
    .map((pod): PodSummary => {
      const containers = containersOf(pod);
      const total = pod.spec?.containers.length ?? containers.length;
      return {
        name: pod.metadata.name,
        ready: `${containers.filter(({ ready }) => ready).length}/${total}`,
        state: excerpt(podState(pod), 60),
        restarts: containers.reduce((sum, { restartCount }) => sum + restartCount, 0),
        created: pod.metadata.creationTimestamp ?? "",
        node: excerpt(pod.spec?.nodeName),
      };
    })
    .sort((one, other) => (one.name < other.name ? -1 : 1));
}

function containersOf({ status }: Pod): readonly V1ContainerStatus[] {
  return status?.containerStatuses ?? [];
}

/** The state of a pod in one word: that of the first container that does not run, otherwise its phase. */
function podState(pod: Pod): string {
  const { metadata, status } = pod;
  if (metadata.deletionTimestamp !== undefined) return "Terminating";
  const init = (status?.initContainerStatuses ?? []).find(
    (container) => stateOf(container) !== undefined && container.state?.terminated?.exitCode !== 0,
  );
  if (init !== undefined && status?.phase === "Pending") return `Init:${stateOf(init)}`;
  const containerState = containersOf(pod)
    .map(stateOf)
    .find((state) => state !== undefined);
  const scheduled = status?.conditions?.find(({ type }) => type === "PodScheduled");
  return containerState ?? (scheduled?.status === "False" ? scheduled.reason : undefined) ?? status?.phase ?? "Unknown";
}

/** Why a container does not run; undefined if it does, or if there is no container. */
function stateOf(container: V1ContainerStatus | undefined): string | undefined {
  const { waiting, terminated } = container?.state ?? {};
  if (waiting !== undefined) return waiting.reason ?? "Waiting";
  return terminated === undefined ? undefined : (terminated.reason ?? `ExitCode:${terminated.exitCode}`);
}
