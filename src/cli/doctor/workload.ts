import { excerpt } from "../../kube/excerpt.ts";
import type { Pod } from "../../kube/manifests.ts";
import { label } from "../../kube/names.ts";
import { objectNames } from "../../model/names.ts";
import { isHibernated, replicasOf } from "../../model/replicas.ts";
import { podFailure } from "../../reconcile/pod-failure.ts";
import type { DoctorFacts } from "./facts.ts";
import { type Finding, notChecked, ok, problem, problemsOr } from "./finding.ts";

/** Whether the Service has endpoints that are ready. */
export function checkEndpoints(facts: DoctorFacts): readonly Finding[] {
  const { server, service, slices } = facts;
  const object = `Service/${objectNames.service(server.metadata.name)}`;
  if ("notRead" in service) return [notChecked(service.notRead)];
  if (service.value === undefined) {
    const fix = "See the condition Ready: the operator creates it with the other objects.";
    return [problem(object, "The Service does not exist.", "Clients cannot reach the server.", fix)];
  }
  if (isHibernated(server.spec)) return [ok("The server hibernates, so its Service has no endpoints.")];
  if ("notRead" in slices) return [notChecked(slices.notRead)];
  const endpoints = slices.value.flatMap(({ endpoints: own }) => own ?? []);
  // By the API, an absent condition is true.
  const ready = endpoints.filter(({ conditions }) => conditions?.ready !== false);
  if (ready.length === 0) {
    const message = `None of ${endpoints.length} endpoints in its EndpointSlices is ready.`;
    const fix =
      "Check the pods: their readiness probe must succeed, and the selector of the Service must match their labels.";
    return [problem(object, message, "Clients get connection errors, or an error 503 of the Ingress or Gateway.", fix)];
  }
  return [ok(`${object} has ${ready.length} ready of ${endpoints.length} endpoints.`)];
}

/** Pods that do not run, and those that have restarted. */
export function checkPods(facts: DoctorFacts): readonly Finding[] {
  const { server, pods, deployment, now } = facts;
  if ("notRead" in pods) return [notChecked(pods.notRead)];
  const of = (component: string) =>
    pods.value.filter(
      ({ metadata }) => metadata.labels?.[label.component] === component && metadata.deletionTimestamp === undefined,
    );
  const { name } = server.metadata;
  const { artifactServer } = server.spec;
  const wanted = ("value" in deployment ? deployment.value?.spec.replicas : undefined) ?? replicasOf(server.spec);
  if (of("server").length === 0 && !isHibernated(server.spec) && wanted > 0)
    return [withoutPods(objectNames.deployment(name), wanted, "The server does not answer.")];
  const isMissing = artifactServer !== undefined && !isHibernated(server.spec) && of("artifacts").length === 0;
  const missing = isMissing
    ? [withoutPods(objectNames.artifactServer(name), artifactServer.replicas ?? 1, "Transfers of artifacts fail.")]
    : [];
  const problems = [...missing, ...pods.value.flatMap((pod) => podProblems(pod, now))];
  return problemsOr(problems, ok("No pod has failed, and none has restarted within the last day."));
}

function withoutPods(deployment: string, wanted: number, effect: string): Finding {
  const fix = "See the conditions of the server and the Events of the Deployment and its ReplicaSet.";
  return problem(`Deployment/${deployment}`, `There are no pods; the spec requires ${wanted}.`, effect, fix);
}

function podProblems(pod: Pod, now: Date): Finding[] {
  const object = `Pod/${pod.metadata.name}`;
  const failure = podFailure([pod]);
  if (failure !== undefined)
    return [
      problem(
        object,
        `${failure.reason}: ${failure.message}.`,
        "The pod does not serve, or its task is not done.",
        "Follow the message; docs/troubleshooting.md has the reason.",
      ),
    ];
  return (pod.status?.containerStatuses ?? []).flatMap(({ name, restartCount, lastState }) => {
    const ended = lastState?.terminated;
    const finishedAt = String(ended?.finishedAt ?? "");
    if (ended === undefined || !(now.getTime() - Date.parse(finishedAt) < 86_400_000)) return [];
    const why = excerpt(ended.reason) || "ended";
    return [
      problem(
        object,
        `Container ${name} has restarted ${restartCount} times, last at ${excerpt(finishedAt)}: ${why}, exit code ${ended.exitCode}.`,
        "Requests that it handled at that time have failed.",
        `Read its log: kubectl logs -n ${pod.metadata.namespace} ${pod.metadata.name} -c ${name} --previous`,
      ),
    ];
  });
}
