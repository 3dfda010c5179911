import type { Postgresql } from "../api/fields/postgresql.ts";
import type { CertificateAuthority } from "../api/fields/reference.ts";

/** A Secret or ConfigMap that a spec names, and the keys of it that are needed. */
export interface Reference {
  readonly kind: "Secret" | "ConfigMap";
  readonly name: string;
  /** Keys that must be there; none where all keys are taken. */
  readonly keys: readonly string[];
  /** Where the spec names it, for messages: `spec.backendStore.postgresql.credentialsSecretRef`. */
  readonly path: string;
  /** Whether pods start without it. */
  readonly optional: boolean;
  /** Whether what the key holds must be PEM certificates. */
  readonly isCaBundle?: true;
  /** Whether what runs reads it again by itself, so that a change needs no new pods. */
  readonly isReread?: boolean;
}

export function secretReference(name: string, keys: readonly string[], path: string, optional = false): Reference {
  return { kind: "Secret", name, keys, path, optional };
}

export function configMapReference(name: string, keys: readonly string[], path: string, optional = false): Reference {
  return { kind: "ConfigMap", name, keys, path, optional };
}

/** What a PostgreSQL database needs: its credentials, and its authority where it has one of its own. */
export function databaseReferences(database: Postgresql | undefined, path: string): Reference[] {
  if (database === undefined) return [];
  const { name: secretName, usernameKey = "username", passwordKey = "password" } = database.credentialsSecretRef;
  return [
    secretReference(secretName, [usernameKey, passwordKey], `${path}.credentialsSecretRef`),
    ...caReferences(database.ca, `${path}.ca`),
  ];
}

/** The certificates of an authority. */
export function caReferences(ca: CertificateAuthority | undefined, path: string): Reference[] {
  const { secretRef, configMapRef } = ca ?? {};
  const keys = [(secretRef ?? configMapRef)?.key ?? "ca.crt"];
  if (secretRef !== undefined) return [{ ...secretReference(secretRef.name, keys, path), isCaBundle: true }];
  if (configMapRef === undefined) return [];
  return [{ ...configMapReference(configMapRef.name, keys, path), isCaBundle: true }];
}
