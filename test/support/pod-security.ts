import type { V1Container, V1PodTemplateSpec } from "@kubernetes/client-node";

const volumes = ["configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected"];
const appArmor = "container.apparmor.security.beta.kubernetes.io/";

/**
 * Returns violations of Pod Security "restricted" (k8s.io/pod-security-admission, version latest), and of further rules: no deprecated
 * annotations for AppArmor and seccomp, no ServiceAccount token by default, and no system priority.
 */
export function podSecurityProblems({ metadata, spec }: V1PodTemplateSpec): string[] {
  if (spec === undefined) return ["no spec"];
  const all = [...(spec.initContainers ?? []), ...spec.containers];
  const annotations = Object.keys(metadata?.annotations ?? {});
  return [
    ...[spec.hostNetwork && "hostNetwork", spec.hostPID && "hostPID", spec.hostIPC && "hostIPC"],
    spec.securityContext?.sysctls !== undefined && "sysctls",
    spec.securityContext?.seLinuxOptions !== undefined && "seLinuxOptions",
    spec.securityContext?.appArmorProfile?.type === "Unconfined" && "AppArmor is off",
    spec.ephemeralContainers !== undefined && "ephemeral containers",
    spec.automountServiceAccountToken !== false && "a token is mounted",
    spec.priorityClassName?.startsWith("system-") && "a system priority",
    ...annotations.map((key) => (key.startsWith(appArmor) || key.includes("seccomp")) && `annotation ${key}`),
    ...(spec.volumes ?? []).map(({ name, ...source }) => {
      const kinds = Object.keys(source).filter((kind) => !volumes.includes(kind) && kind !== "secret");
      return kinds.length > 0 && `volume ${name} is ${kinds.join()}`;
    }),
    ...all.flatMap((container) => ofContainer(container, spec.securityContext)),
  ].filter((problem) => typeof problem === "string");
}

function ofContainer(
  { name, securityContext: own = {}, ports = [], livenessProbe, readinessProbe, startupProbe, lifecycle }: V1Container,
  pod: NonNullable<V1PodTemplateSpec["spec"]>["securityContext"] = {},
): (string | false)[] {
  const capabilities = own.capabilities ?? {};
  const seccomp = (own.seccompProfile ?? pod.seccompProfile)?.type ?? "";
  const handlers = [livenessProbe, readinessProbe, startupProbe, lifecycle?.preStop, lifecycle?.postStart];
  return [
    own.privileged === true && `${name} is privileged`,
    own.allowPrivilegeEscalation !== false && `${name} may escalate`,
    own.readOnlyRootFilesystem !== true && `${name} can write to its root`,
    (own.runAsNonRoot ?? pod.runAsNonRoot) !== true && `${name} may be root`,
    (own.runAsUser ?? pod.runAsUser) === 0 && `${name} is root`,
    !["RuntimeDefault", "Localhost"].includes(seccomp) && `${name} has no seccomp`,
    own.procMount !== undefined && own.procMount !== "Default" && `${name} sees /proc`,
    own.seLinuxOptions !== undefined && `${name} has SELinux options`,
    own.appArmorProfile?.type === "Unconfined" && `${name} has no AppArmor`,
    !capabilities.drop?.includes("ALL") && `${name} keeps capabilities`,
    (capabilities.add ?? []).some((each) => each !== "NET_BIND_SERVICE") && `${name} adds capabilities`,
    ports.some(({ hostPort }) => hostPort !== undefined && hostPort !== 0) && `${name} has a port of the host`,
    handlers.some((handler) => handler?.httpGet?.host || handler?.tcpSocket?.host) && `${name} names a host`,
  ];
}
