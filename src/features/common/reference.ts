import type { CertificateAuthority } from "../../api/fields/reference.ts";

/** A Secret or ConfigMap that a spec references, and its required keys. */
export interface Reference {
  readonly kind: "Secret" | "ConfigMap";
  readonly name: string;
  /** Required keys; empty if all keys are used. */
  readonly keys: readonly string[];
  /** The field of the spec, for messages: `spec.backendStore.postgresql.credentialsSecretRef`. */
  readonly path: string;
  /** Whether pods start without it. */
  readonly optional: boolean;
  /** Whether the value must be PEM certificates. */
  readonly isCaBundle?: true;
  /** Whether running pods read it again, so that a change needs no new pods. */
  readonly isReread?: boolean;
}

export function secretReference(name: string, keys: readonly string[], path: string, optional = false): Reference {
  return { kind: "Secret", name, keys, path, optional };
}

export function configMapReference(name: string, keys: readonly string[], path: string, optional = false): Reference {
  return { kind: "ConfigMap", name, keys, path, optional };
}

/** Returns the reference to a CA bundle. */
export function caReferences(ca: CertificateAuthority | undefined, path: string): Reference[] {
  const { secretRef, configMapRef } = ca ?? {};
  const keys = [(secretRef ?? configMapRef)?.key ?? "ca.crt"];
  if (secretRef !== undefined) return [{ ...secretReference(secretRef.name, keys, path), isCaBundle: true }];
  if (configMapRef === undefined) return [];
  return [{ ...configMapReference(configMapRef.name, keys, path), isCaBundle: true }];
}
