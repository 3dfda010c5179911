import type { V1Container, V1LabelSelector, V1PodSpec } from "@kubernetes/client-node";
import { quantityOf } from "../../api/quantity.ts";
import type { NetworkPolicy } from "../../kube/manifests.ts";
import { label, manager } from "../../kube/names.ts";
import { podSelector } from "../../model/metadata.ts";
import { conditionOf } from "../live/conditions.ts";
import type { DoctorFacts } from "./facts.ts";
import { type Finding, notChecked, ok, problem, problemsOr } from "./finding.ts";

/** Resources that a server needs for another pod or object. */
const neededResources =
  /^((requests\.|limits\.)?(cpu|memory)|pods|services|secrets|configmaps|persistentvolumeclaims|requests\.storage|count\/(pods|services|secrets|configmaps|persistentvolumeclaims|jobs\.batch|deployments\.apps|replicasets\.apps))$/;

/** Quotas of the namespace that are used up. */
export function checkQuotas({ quotas }: DoctorFacts): readonly Finding[] {
  if ("notRead" in quotas) return [notChecked(quotas.notRead)];
  const problems = quotas.value.flatMap(({ metadata, status }) =>
    Object.entries(status?.hard ?? {}).flatMap(([resource, hard]) => {
      const used = status?.used?.[resource];
      if (!neededResources.test(resource) || used === undefined) return [];
      const [limit, amount] = [quantityOf(hard), quantityOf(used)];
      if (limit === undefined || amount === undefined || amount < limit) return [];
      return [
        problem(
          `ResourceQuota/${metadata.name}`,
          `${resource} is used up: ${used} of ${hard}.`,
          "The API server rejects new pods and objects that need it, so a rollout or a migration can stop.",
          "Raise the quota, or remove what uses it.",
        ),
      ];
    }),
  );
  return problemsOr(
    problems,
    ok(quotas.value.length === 0 ? "The namespace has no quota." : "No quota that the server needs is used up."),
  );
}

/** Whether the level of Pod Security in the namespace allows the pods of the server. */
export function checkPodSecurity({ namespaceObject, deployment, namespace }: DoctorFacts): readonly Finding[] {
  if ("notRead" in namespaceObject) return [notChecked(namespaceObject.notRead)];
  const level = namespaceObject.value?.metadata.labels?.["pod-security.kubernetes.io/enforce"];
  if (level === undefined)
    return [ok("The namespace enforces no Pod Security level; the pods also run with restricted.")];
  if ("notRead" in deployment) return [notChecked(deployment.notRead)];
  const spec = deployment.value?.spec.template.spec;
  if (spec === undefined) return [notChecked("There is no Deployment yet")];
  const violations = level === "restricted" ? restrictedViolations(spec) : [];
  return problemsOr(
    violations.map((violation) =>
      problem(
        `Namespace/${namespace}`,
        `It enforces Pod Security level restricted, and the pods violate it: ${violation}.`,
        "The API server rejects new pods.",
        "Remove what adds it to the Deployment, such as an admission webhook, or label the namespace with baseline.",
      ),
    ),
    ok(`The pods comply with the Pod Security level of the namespace, ${level}.`),
  );
}

/** What a pod has that the level restricted does not allow, of the fields that webhooks and sidecars usually set. */
function restrictedViolations({
  containers,
  initContainers = [],
  hostNetwork,
  hostPID,
  securityContext,
  volumes,
}: V1PodSpec): string[] {
  const own = [...containers, ...initContainers].flatMap((container) =>
    containerViolations(container, securityContext?.runAsNonRoot, securityContext?.seccompProfile?.type),
  );
  return [
    ...(hostNetwork || hostPID ? ["the pod uses the network or the processes of its node"] : []),
    ...(volumes ?? [])
      .filter(({ hostPath }) => hostPath !== undefined)
      .map(({ name }) => `volume ${name} is a hostPath`),
    ...own,
  ];
}

function containerViolations(
  { name, securityContext: own = {} }: V1Container,
  runAsNonRoot: boolean | undefined,
  seccomp: string | undefined,
): string[] {
  const violations = {
    "privileged is true": own.privileged === true,
    "allowPrivilegeEscalation is not false": own.allowPrivilegeEscalation !== false,
    "capabilities are not dropped": own.capabilities?.drop?.includes("ALL") !== true,
    "runAsNonRoot is not true": (own.runAsNonRoot ?? runAsNonRoot) !== true,
    "seccompProfile is not RuntimeDefault or Localhost": !["RuntimeDefault", "Localhost"].includes(
      own.seccompProfile?.type ?? seccomp ?? "",
    ),
  };
  return Object.entries(violations).flatMap(([text, isViolated]) => (isViolated ? [`container ${name}: ${text}`] : []));
}

/** NetworkPolicies that select the pods and are not the operator's. */
export function checkNetworkPolicies({ server, policies }: DoctorFacts): readonly Finding[] {
  if ("notRead" in policies) return [notChecked(policies.notRead)];
  const podLabels = { ...server.spec.pod?.labels, ...podSelector(server) };
  const others = policies.value.filter(
    ({ metadata, spec }) =>
      metadata.labels?.[label.managedBy] !== manager && selects(spec.podSelector ?? {}, podLabels),
  );
  const isReady = conditionOf(server, "Ready")?.status === "True";
  const problems = others.flatMap((policy) =>
    policyProblems(policy, server.spec.networkPolicy?.from !== undefined, isReady),
  );
  if (problems.length > 0) return problems;
  if (others.length === 0) return [ok("Only the operator's NetworkPolicies select the pods.")];
  return [
    ok(
      `These also select the pods, and nothing is known to fail because of them: ${others.map(({ metadata }) => metadata.name).join(", ")}.`,
    ),
  ];
}

function policyProblems({ metadata, spec }: NetworkPolicy, restrictsClients: boolean, isReady: boolean): Finding[] {
  const object = `NetworkPolicy/${metadata.name}`;
  const restrictsEgress = spec.policyTypes?.includes("Egress") ?? spec.egress !== undefined;
  return [
    ...(restrictsClients && (spec.ingress ?? []).length > 0
      ? [
          problem(
            object,
            "It selects the pods and allows connections in addition to spec.networkPolicy.from.",
            "Clients that the spec does not allow can reach the server.",
            "Change its podSelector or its ingress rules, or delete it.",
          ),
        ]
      : []),
    ...(restrictsEgress && !isReady
      ? [
          problem(
            object,
            "It selects the pods and restricts their egress, and the server is not ready.",
            "It can block DNS, the database, the artifact store or the issuer.",
            "Allow these destinations in it, or change its podSelector.",
          ),
        ]
      : []),
  ];
}

/** Whether a label selector matches labels. */
export function selects(
  { matchLabels = {}, matchExpressions = [] }: V1LabelSelector,
  labels: Readonly<Record<string, string>>,
): boolean {
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const value = labels[key];
      if (operator === "Exists") return value !== undefined;
      if (operator === "DoesNotExist") return value === undefined;
      const isIn = value !== undefined && values.includes(value);
      return operator === "In" ? isIn : !isIn;
    })
  );
}
