import type { Rule } from "./rule.ts";
import { annotationMap, labelMap } from "./text.ts";

/**
 * Keys that the operator's selectors or the mesh checks use: its own, the recommended labels that it sets, and
 * Istio's (istio.io, ambient.istio.io, sidecar.istio.io …).
 */
const reservedPattern = "^([a-z0-9.-]+[.])?(istio[.]io|mlflow-operator[.]dev)/";
const reservedNames =
  "['app.kubernetes.io/name', 'app.kubernetes.io/managed-by', 'app.kubernetes.io/component', 'app.kubernetes.io/version']";
const reservedMessage =
  "keys of istio.io and mlflow-operator.dev, and app.kubernetes.io/name, managed-by, component and version, are reserved for the operator: use other keys";

/** The rule that rejects them, on a map of labels or annotations, and the copy of the whole object that kubectl stores, which caches omit. */
export const reservedKeys: Rule = {
  rule: `self.all(key, !key.matches('${reservedPattern}|/last-applied-configuration$') && !(key in ${reservedNames}))`,
  message: reservedMessage.replace(
    "are reserved for the operator",
    "and last-applied-configuration are reserved for the operator and kubectl",
  ),
};

/** The same for pods, which can opt out of a mesh. */
const reservedKeysOfPods: Rule = {
  rule: `self.all(key, (!key.matches('${reservedPattern}') && !(key in ${reservedNames})) || (key == 'sidecar.istio.io/inject' && self[key] == 'false') || (key == 'istio.io/dataplane-mode' && self[key] == 'none'))`,
  message: reservedMessage,
};

/** Domains whose annotations or labels make a webhook inject containers, a volume, code or another identity into a pod. */
const injectors = [
  ...["vault.hashicorp.com", "consul.hashicorp.com", "dapr.io", "linkerd.io", "kuma.io", "openservicemesh.io"],
  ...["appmesh.k8s.aws", "opentelemetry.io", "admission.datadoghq.com", "dynatrace.com", "newrelic.com", "instana.io"],
  ...["banzaicloud.io", "banzaicloud.com", "bank-vaults.io", "1password.com", "1password.io", "doppler.com"],
  ...["akeyless.io", "infisical.com", "conjur.org", "cyberark.com", "jaegertracing.io", "appdynamics.com"],
  ...["co.elastic.apm", "odigos.io", "signalfx.com", "k8tz.io", "telepresence.io", "getambassador.io", "spiffe.io"],
  "iam.amazonaws.com",
];

/** Domains whose keys change the network interfaces, addresses or rules of a pod. */
const networks = [
  ...["cncf.io", "projectcalico.org", "cilium.io", "ovn.org", "multus-cni.io", "antrea.io", "antrea.tanzu.vmware.com"],
  ...["vpc.amazonaws.com", "networking.gke.io", "spidernet.io", "kubevirt.io", "harvesterhci.io"],
];

/** Domains of container runtimes and their plugins, which add devices, mounts or capabilities. */
const runtimes = ["crio.io", "nri.io", "nri.containerd.io", "katacontainers.io", "gvisor.dev"];

const ofDomains = (domains: readonly string[]) => `(^|[.])(${domains.join("|").replaceAll(".", "[.]")})/`;
/** Container runtimes use reversed domain names without a slash: io.kubernetes.cri-o.userns-mode, run.oci.seccomp. */
const reversed = "^(io|dev|run|org|com)[.][^/]*$|^io[.](kubernetes|containerd|katacontainers|cilium)[.a-z0-9-]*/";
const words =
  "apparmor|seccomp|selinux|unconfined|privileged|userns|sysctl|multus|(^|[^a-z])(cni|cdi|nri|crio|cri-o|devices?)([^a-z]|$)";
const injecting = `inject|sidecar|instrumentation|${ofDomains(injectors)}`;
const loosening = `${words}|${reversed}|${ofDomains([...networks, ...runtimes])}`;

/** Values that disable injection. */
const isDisabled =
  "key.matches('(inject(ion)?(-[a-z-]+)?|enabled?)$') && self[key] in ['false', 'disabled', 'no', 'off']";

const weakeningKeys: readonly Rule[] = [
  {
    rule: `self.all(key, !key.matches('${injecting}') || (${isDisabled}) || key.matches('${reservedPattern}'))`,
    message:
      "keys that inject containers, code or another identity into the pod are rejected: remove them; values that disable injection are allowed, such as linkerd.io/inject: disabled",
  },
  {
    rule: `self.all(key, !key.matches('${loosening}'))`,
    message:
      "keys that attach networks or devices to the pod, or change its AppArmor, seccomp or runtime settings, are rejected: remove them",
  },
];

const allowedKubernetesKeys =
  "^(app|kubectl|cluster-autoscaler|descheduler[.]alpha)[.]kubernetes[.]io/|^controller[.]kubernetes[.]io/pod-deletion-cost$|^kubernetes[.]io/(ingress-bandwidth|egress-bandwidth|description|change-cause)$";

/** Annotations of Kubernetes are alpha or beta forms of pod fields, so only known ones are accepted. */
const kubernetesKeys: Rule = {
  rule: `self.all(key, !key.matches('(^|[.])(kubernetes|k8s)[.]io/') || key.matches('${allowedKubernetesKeys}'))`,
  message:
    "of the domains kubernetes.io and k8s.io, only app., kubectl., cluster-autoscaler. and descheduler.alpha.kubernetes.io, controller.kubernetes.io/pod-deletion-cost and kubernetes.io/…-bandwidth, description and change-cause are accepted, since others can weaken the pod: remove the key",
};

/** Additional labels of pods. */
export function podLabels(description: string) {
  return labelMap(description, reservedKeysOfPods, ...weakeningKeys);
}

/** Additional annotations of pods. */
export function podAnnotations(description: string) {
  return annotationMap(description, reservedKeysOfPods, ...weakeningKeys, kubernetesKeys);
}

/** Additional annotations of an object other than a pod. */
export function extraAnnotations(description: string) {
  return annotationMap(description, reservedKeys);
}

/** A rule for the name of a PriorityClass: those of Kubernetes preempt components of the cluster. */
export const noSystemPriority: Rule = {
  rule: "!self.startsWith('system-')",
  message:
    "priority classes whose name begins with system- are for components of Kubernetes, and preempt other pods: use your own PriorityClass",
};
