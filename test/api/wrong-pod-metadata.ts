import { smallest } from "./documents.ts";
import { type Wrong, wrong } from "./wrong-document.ts";

const small = wrong(smallest);

/** Keys and values that weaken a pod, some of each family. */
const weakening: Readonly<Record<string, string>> = {
  "container.apparmor.security.beta.kubernetes.io/mlflow": "unconfined",
  "container.seccomp.security.alpha.kubernetes.io/mlflow": "unconfined",
  "seccomp.security.alpha.kubernetes.io/pod": "unconfined",
  "k8s.v1.cni.cncf.io/networks": "storage",
  "v1.multus-cni.io/default-network": "kube-system/host",
  "cni.projectcalico.org/ipAddrs": '["10.0.0.1"]',
  "policy.cilium.io/no-track-port": "5000",
  "io.cilium.proxy-visibility": "<Egress/53/UDP/DNS>",
  "k8s.ovn.org/pod-networks": "{}",
  "io.kubernetes.cri-o.userns-mode": "auto",
  "io.kubernetes.cri-o.Devices": "/dev/fuse",
  "io.katacontainers.config.hypervisor.path": "/bin/sh",
  "cpu-quota.crio.io": "disable",
  "cdi.k8s.io/gpu": "vendor.com/device=x",
  "devices.nri.io/container.mlflow": "- path: /dev/kmsg",
  "run.oci.seccomp_bpf_data": "x",
  "org.systemd.property.DeviceAllow": "x",
  "vault.hashicorp.com/agent-inject": "true",
  "vault.hashicorp.com/agent-inject-containers": "mlflow",
  "consul.hashicorp.com/connect-inject": "true",
  "linkerd.io/inject": "enabled",
  "config.linkerd.io/proxy-image": "evil/proxy",
  "dapr.io/enabled": "true",
  "kuma.io/sidecar-injection": "enabled",
  "instrumentation.opentelemetry.io/inject-python": "true",
  "sidecar.opentelemetry.io/inject": "true",
  "sidecar.jaegertracing.io/inject": "true",
  "admission.datadoghq.com/python-lib.version": "v1",
  "oneagent.dynatrace.com/inject": "true",
  "operator.1password.io/inject": "mlflow",
  "azure.workload.identity/inject-proxy-sidecar": "true",
  "iam.amazonaws.com/role": "admin",
  "example.com/inject-agent": "yes",
};

/** Keys of Kubernetes that are not known to be harmless. */
const ofKubernetes = ["scheduler.alpha.kubernetes.io/tolerations", "kubernetes.io/enforce", "resource.k8s.io/claim"];

/** Keys that are accepted on pods. */
export const harmlessAnnotations: Readonly<Record<string, string>> = {
  "linkerd.io/inject": "disabled",
  "sidecar.istio.io/inject": "false",
  "vault.hashicorp.com/agent-inject": "false",
  "instrumentation.opentelemetry.io/inject-python": "false",
  "dapr.io/enabled": "false",
  "prometheus.io/scrape": "true",
  "ad.datadoghq.com/mlflow.checks": "{}",
  "fluentbit.io/parser": "json",
  "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
  "controller.kubernetes.io/pod-deletion-cost": "10",
  "kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z",
  "karpenter.sh/do-not-disrupt": "true",
  "kubernetes.io/egress-bandwidth": "10M",
  "checksum/config": "abc",
  "dev.example.com/note": "x",
};

export const wrongPodMetadata: readonly Wrong[] = [
  ...Object.entries(weakening).map(([key, value]) =>
    small(
      `the annotation ${key}`,
      { "spec.pod": { annotations: { [key]: value } } },
      "spec.pod.annotations",
      "are rejected: remove them",
    ),
  ),
  ...ofKubernetes.map((key) =>
    small(
      `the annotation ${key}`,
      { "spec.pod": { annotations: { [key]: "x" } } },
      "spec.pod.annotations",
      "can weaken the pod: remove the key",
    ),
  ),
  ...["vault.hashicorp.com/agent-inject", "admission.datadoghq.com/enabled", "kuma.io/sidecar-injection"].map((key) =>
    small(
      `the label ${key}`,
      { "spec.pod": { labels: { [key]: "true" } } },
      "spec.pod.labels",
      "are rejected: remove them",
    ),
  ),
  ...["true", "disabled", ""].map((value) =>
    small(
      `Istio's injection as ${JSON.stringify(value)}`,
      { "spec.pod": { annotations: { "sidecar.istio.io/inject": value } } },
      "spec.pod.annotations",
      "use other keys",
    ),
  ),
  ...["system-node-critical", "system-cluster-critical"].map((name) =>
    small(
      `the priority class ${name}`,
      { "spec.pod": { priorityClassName: name } },
      "spec.pod.priorityClassName",
      "use your own PriorityClass",
    ),
  ),
];
