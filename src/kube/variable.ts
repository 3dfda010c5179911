import type { V1EnvVar } from "@kubernetes/client-node";

/** Returns the text with `$(NAME)` escaped, which Kubernetes would expand in values and arguments. */
export function escaped(text: string): string {
  return text.replaceAll("$(", "$$$$(");
}

/** A variable with a literal value. */
export function literal(name: string, value: string): V1EnvVar {
  return { name, value: escaped(value) };
}

/** A variable whose value stays in a Secret. */
export function fromSecret(name: string, secretName: string, key: string): V1EnvVar {
  return { name, valueFrom: { secretKeyRef: { name: secretName, key } } };
}

/** The same, without a variable while the Secret does not have the key. */
export function ifInSecret(name: string, secretName: string, key: string): V1EnvVar {
  return { name, valueFrom: { secretKeyRef: { name: secretName, key, optional: true } } };
}
