import type { V1ContainerStatus } from "@kubernetes/client-node";
import type { Deployment, Job, Pod } from "../kube/manifests.ts";
import { isControlledBy, objectText } from "../kube/object.ts";
import type { Cause } from "./cause.ts";
import { podFailure, shortText } from "./pod-failure.ts";
import { lasting, type Problem, secondsSince } from "./problem.ts";
import { type Evidence, isCreating, isUnfinished, type Warning } from "./warnings.ts";

/** The container of the Job's pods that runs the migration. Other containers are injected or exit before it starts. */
export const migrationContainer = "migrate";

/** Seconds after which a temporary state counts as stalled. */
const limits = {
  /** A pod whose volumes or sandbox cannot be set up: kubelets often succeed at the second attempt. */
  setup: 30,
  /** Kubelets repeat a failure within two minutes. */
  recent: 180,
  /** A pod that does not start for no reported reason: a large image takes minutes. */
  start: 600,
  /** A Job without pods and without events. */
  creation: 60,
  /** A paused Deployment or a suspended Job. */
  pause: 60,
  /** A sidecar that still runs after the program has exited. */
  sidecar: 15,
  /** A pod beyond its grace period. */
  termination: 300,
} as const;

/** Why the pods of a Deployment do not become ready, as far as the API shows, or undefined. */
export function deploymentProblem(
  deployment: Deployment,
  pods: readonly Pod[],
  evidence: Evidence,
): Problem | undefined {
  const rejection = replicaFailure(deployment);
  if (rejection !== undefined) return { cause: rejection, stalled: true };
  return podProblem(pods, evidence) ?? pauseProblem(deployment, evidence.now);
}

/** Why the API server rejects the pods of the ReplicaSet (quota, Pod Security, a webhook), or undefined. */
function replicaFailure({ status }: Deployment): Cause | undefined {
  const failure = status?.conditions?.find(
    (condition) => condition.type === "ReplicaFailure" && condition.status === "True",
  );
  return failure && podsRejected(failure.message ?? failure.reason ?? "no details");
}

function podsRejected(text: string): Cause {
  return {
    reason: "PodsRejected",
    message: `pods cannot be created: ${shortText(text)}. Change the quota, policy or webhook that rejects them, or spec.pod`,
  };
}

/** While a Deployment is paused, its controller creates no pods of a new spec. */
function pauseProblem({ spec, status, metadata }: Deployment, now: Date): Problem | undefined {
  if (spec.paused !== true) return undefined;
  const { name, namespace } = metadata;
  const since = status?.conditions?.find(({ reason }) => reason === "DeploymentPaused")?.lastTransitionTime;
  const cause: Cause = {
    reason: "RolloutPaused",
    message: `Deployment/${name} is paused (spec.paused), so pods of this spec do not start. Resume it: kubectl rollout resume -n ${namespace} deployment/${name}`,
  };
  return lasting(cause, since, limits.pause, now);
}

/** Why the Job of a migration does not complete, as far as the API shows, or undefined. */
export function jobProblem(job: Job, pods: readonly Pod[], evidence: Evidence): Problem | undefined {
  const { now, warnings } = evidence;
  if (job.spec.suspend === true) return suspension(job, now);
  const own = pods.filter((pod) => isControlledBy(pod, job));
  if (own.length > 0 || !isUnfinished(job)) return podProblem(own, evidence) ?? sidecarProblem(own, now);
  const [warning] = warnings?.get(job.metadata.uid ?? "") ?? [];
  if (warning !== undefined) return { cause: podsRejected(warning.message), stalled: true };
  // After a failure the controller waits, up to six minutes, before it creates the next pod.
  if ((job.status?.failed ?? 0) > 0) return undefined;
  const created = job.metadata.creationTimestamp;
  if (secondsSince(created, now) < limits.creation / 2) return undefined;
  const cause: Cause = {
    reason: "PodsNotCreated",
    message: `no pod of ${objectText(job)} has been created. Check that kube-controller-manager runs, and see kubectl describe job -n ${job.metadata.namespace} ${job.metadata.name}`,
  };
  return lasting(cause, created, limits.creation, now);
}

function suspension({ status, metadata }: Job, now: Date): Problem {
  const since = status?.conditions?.find(({ type, status: is }) => type === "Suspended" && is === "True");
  const { name, namespace } = metadata;
  const cause: Cause = {
    reason: "JobSuspended",
    message: `Job/${name} is suspended (spec.suspend), so the migration does not start. If a queue such as Kueue does not admit it, check its quota; otherwise: kubectl patch job -n ${namespace} ${name} --type=merge -p '{"spec":{"suspend":false}}'`,
  };
  return lasting(cause, since?.lastTransitionTime ?? metadata.creationTimestamp, limits.pause, now);
}

/** Why pods do not start or terminate, from their status first, then from events and the time. */
export function podProblem(pods: readonly Pod[], evidence: Evidence): Problem | undefined {
  const failure = podFailure(pods);
  if (failure !== undefined) return { cause: failure, stalled: true };
  for (const pod of pods) {
    const found = startProblem(pod, evidence) ?? terminationProblem(pod, evidence.now);
    if (found !== undefined) return found;
  }
  return undefined;
}

function startProblem(pod: Pod, { warnings, now }: Evidence): Problem | undefined {
  const { name, namespace, uid = "", creationTimestamp, deletionTimestamp } = pod.metadata;
  if (deletionTimestamp !== undefined || (pod.status?.phase ?? "Pending") !== "Pending") return undefined;
  const scheduled = pod.status?.conditions?.find(({ type, status }) => type === "PodScheduled" && status === "True");
  const since = scheduled?.lastTransitionTime ?? creationTimestamp;
  // An older failure has been resolved by a retry.
  const isRecent = ({ time }: Warning) => secondsSince(time, now) <= limits.recent;
  const [warning] = isCreating(pod) ? (warnings?.get(uid) ?? []).filter(isRecent) : [];
  const reason = "PodNotStarting";
  if (warning !== undefined) {
    const message = `pod ${name} does not start (${warning.reason}): ${warning.message}`;
    return lasting({ reason, message }, since, limits.setup, now);
  }
  if (secondsSince(since, now) < limits.start) return undefined;
  const message = `pod ${name} has not started for ten minutes: ${waitText(pod)}. See kubectl describe pod -n ${namespace} ${name}`;
  return { cause: { reason, message }, stalled: true };
}

function waitText({ status, spec }: Pod): string {
  const running = status?.initContainerStatuses?.find(({ state }) => state?.running !== undefined);
  if (running !== undefined) return `init container ${running.name} is still running`;
  if (spec?.nodeName === undefined && !status?.conditions?.some(({ type }) => type === "PodScheduled"))
    return "no scheduler has considered it";
  const waiting = status?.containerStatuses?.find(({ state }) => state?.waiting?.reason !== undefined);
  return waiting === undefined
    ? "its node has not started it"
    : `container ${waiting.name} is waiting (${waiting.state?.waiting?.reason})`;
}

/** A pod on a lost node is never removed, and blocks the volume and the replacement of the pod. */
function terminationProblem({ metadata, spec }: Pod, now: Date): Problem | undefined {
  const { name, namespace, deletionTimestamp } = metadata;
  if (deletionTimestamp === undefined || secondsSince(deletionTimestamp, now) < limits.termination) return undefined;
  const cause: Cause = {
    reason: "PodNotTerminating",
    message: `pod ${name} should have terminated more than five minutes ago. Check node ${spec?.nodeName ?? "of the pod"}; if it is lost, run kubectl delete pod -n ${namespace} ${name} --force`,
  };
  return { cause, stalled: true };
}

/** A container that still runs after the migration has succeeded, so that the Job does not complete. */
function sidecarProblem(pods: readonly Pod[], now: Date): Problem | undefined {
  for (const { metadata, status } of pods) {
    const containers = status?.containerStatuses ?? [];
    const end = containers.find(({ name }) => name === migrationContainer)?.state?.terminated;
    const others = containers.filter((each) => each.name !== migrationContainer && isRunning(each));
    if (end?.exitCode !== 0 || others.length === 0) continue;
    const names = others.map(({ name }) => name).join(", ");
    const cause: Cause = {
      reason: "SidecarRunning",
      message: `The migration has completed, but container ${names} of pod ${metadata.name} still runs, so the Job does not complete. Inject it as a native sidecar, or disable the injection with spec.pod.annotations, such as linkerd.io/inject: disabled`,
    };
    return lasting(cause, end.finishedAt, limits.sidecar, now);
  }
  return undefined;
}

function isRunning({ state }: V1ContainerStatus): boolean {
  return state?.running !== undefined;
}
