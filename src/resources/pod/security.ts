import type { V1PodSecurityContext, V1SecurityContext } from "@kubernetes/client-node";

/** The user and group of the MLflow image; volumes are made writable for the group. */
const user = 1000;

/** Pod Security Standard "restricted" (kubernetes.io/docs/concepts/security/pod-security-standards), for the pod. */
export const podSecurityContext: V1PodSecurityContext = {
  runAsNonRoot: true,
  runAsUser: user,
  runAsGroup: user,
  fsGroup: user,
  fsGroupChangePolicy: "OnRootMismatch",
  seccompProfile: { type: "RuntimeDefault" },
};

/** The same for each container, with a read-only root file system. */
export const containerSecurityContext: V1SecurityContext = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ["ALL"] },
};
