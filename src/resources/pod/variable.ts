import type { V1EnvVar } from "@kubernetes/client-node";

/** A variable with a literal value. Kubernetes would expand `$(NAME)` in it, so that is escaped. */
export function literal(name: string, value: string): V1EnvVar {
  return { name, value: value.replaceAll("$(", "$$$$(") };
}

/** A variable whose value stays in a Secret. */
export function fromSecret(name: string, secretName: string, key: string): V1EnvVar {
  return { name, valueFrom: { secretKeyRef: { name: secretName, key } } };
}
