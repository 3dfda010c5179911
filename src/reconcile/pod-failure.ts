import type { V1ContainerStateTerminated, V1ContainerStatus } from "@kubernetes/client-node";
import { isReason } from "../api/reasons.ts";
import { excerpt, excerptWithoutStop } from "../kube/excerpt.ts";
import type { Pod } from "../kube/manifests.ts";
import { label } from "../kube/names.ts";
import type { Cause } from "./cause.ts";

type Termination = V1ContainerStateTerminated;

/** Why pods do not become ready: the first failure that needs a change, or undefined. */
export function podFailure(pods: readonly Pod[]): Cause | undefined {
  for (const pod of pods) {
    const found = failureOf(pod);
    if (found !== undefined) return found;
  }
  return undefined;
}

function failureOf(pod: Pod): Cause | undefined {
  if (pod.metadata.deletionTimestamp !== undefined) return undefined;
  const { initContainerStatuses = [], containerStatuses = [] } = pod.status ?? {};
  const component = pod.metadata.labels?.[label.component];
  const isTask = ["migration", "preflight", "restore", "rotation"].includes(component ?? "");
  const terminationOf = isTask ? taskTermination : serverTermination;
  const containers = [
    ...initContainerStatuses.map((container) => ({ container, ended: taskTermination(container) })),
    ...containerStatuses.map((container) => ({ container, ended: terminationOf(container) })),
  ];
  for (const { container, ended } of containers) {
    const found = startFailure(pod, container) ?? exitFailure(pod, container, ended);
    if (found !== undefined) return found;
  }
  const scheduled = pod.status?.conditions?.find((condition) => condition.type === "PodScheduled");
  if (scheduled?.status === "False" && scheduled.reason === "Unschedulable") {
    return {
      reason: "Unschedulable",
      message: `no node can run pod ${pod.metadata.name}: ${shortText(scheduled.message)}. Add a node or capacity, or change spec.pod`,
    };
  }
  return undefined;
}

function startFailure(pod: Pod, container: V1ContainerStatus): Cause | undefined {
  const waiting = container.state?.waiting;
  switch (waiting?.reason) {
    case "ErrImagePull":
    case "ImagePullBackOff":
    case "InvalidImageName":
    case "ErrImageNeverPull":
      return {
        reason: "ImagePullFailed",
        message: `image ${excerpt(container.image)} cannot be pulled: ${shortText(waiting.message)}. Check ${fieldOf(container)}.image and its pullSecrets`,
      };
    case "CreateContainerConfigError":
    case "CreateContainerError":
    case "RunContainerError":
      return {
        reason: "ContainerNotCreated",
        message: `container ${container.name} of pod ${pod.metadata.name} cannot be created: ${shortText(waiting.message)}. See kubectl describe pod -n ${pod.metadata.namespace} ${pod.metadata.name}`,
      };
  }
  return undefined;
}

function exitFailure(pod: Pod, container: V1ContainerStatus, ended: Termination | undefined): Cause | undefined {
  if (ended === undefined) return undefined;
  if (ended.reason === "OOMKilled") {
    return {
      reason: "OutOfMemory",
      message: `container ${container.name} of pod ${pod.metadata.name} exceeded its memory limit. Raise ${container.name === "oauth2-proxy" ? "spec.authentication.oauth2Proxy.resources.limits.memory" : "spec.pod.resources.limits.memory, or lower spec.server.workers"}`,
    };
  }
  return reportedFailure(ended.message) ?? crashLoop(pod, container, ended.exitCode);
}

/**
 * The termination of a container that must keep running, between two restarts or before it is ready, with any exit code:
 * `mlflow server` exits with 0 when its worker processes die.
 */
function serverTermination({ state, lastState, ready, restartCount }: V1ContainerStatus): Termination | undefined {
  const restarting = state?.waiting?.reason === "CrashLoopBackOff" || (restartCount > 0 && !ready);
  const ended = state?.terminated ?? (restarting ? lastState?.terminated : undefined);
  return ended?.exitCode === 0 && !restarting ? undefined : ended;
}

/** The last failure of a container that runs to completion. A retry does not clear it. */
function taskTermination({ state, lastState }: V1ContainerStatus): Termination | undefined {
  const ended = state?.terminated ?? lastState?.terminated;
  return ended?.exitCode === 0 ? undefined : ended;
}

/** The spec field of a container. */
function fieldOf({ name }: V1ContainerStatus): string {
  return name === "oauth2-proxy" ? "spec.authentication.oauth2Proxy" : "spec";
}

function crashLoop(pod: Pod, container: V1ContainerStatus, exitCode: number): Cause {
  const { name, namespace } = pod.metadata;
  return {
    reason: "CrashLooping",
    message: `container ${container.name} of pod ${name} terminated with exit code ${exitCode}. See its log: kubectl logs -n ${namespace} ${name} -c ${container.name} --previous`,
  };
}

/** A message of another component (kubelet, scheduler, admission) on one line and of bounded length. */
export function shortText(message: string | undefined): string {
  return excerptWithoutStop(message) || "no details";
}

/** The kubelet keeps at most 4,096 bytes of a termination message. */
const longestReport = 8192;

/**
 * The cause in the termination message of the operator's migration program: one line of JSON with `reason` and `message`. Other
 * text, such as the last lines of another program's log, is not shown: it may contain a password.
 */
export function reportedFailure(message: string | undefined): Cause | undefined {
  if (message === undefined || message.length > longestReport || !message.startsWith("{")) return undefined;
  try {
    return causeIn(JSON.parse(message));
  } catch {
    return undefined;
  }
}

/** The cause that a program reports as `reason` and `message`. */
export function causeIn(report: unknown): Cause | undefined {
  if (typeof report !== "object" || report === null) return undefined;
  if (!("reason" in report) || !("message" in report) || typeof report.message !== "string") return undefined;
  if (typeof report.reason !== "string" || !isReason(report.reason)) return undefined;
  return { reason: report.reason, message: excerpt(report.message, 1024) };
}
