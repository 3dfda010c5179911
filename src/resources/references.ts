import type { CertificateAuthority } from "../api/fields/reference.ts";
import type { MlflowServerSpec } from "../api/spec.ts";
import { dataKeys } from "./names.ts";

type Basic = NonNullable<MlflowServerSpec["authentication"]["basic"]>;

/** A Secret or ConfigMap that a spec names, and the keys of it that are needed. */
export interface Reference {
  readonly kind: "Secret" | "ConfigMap";
  readonly name: string;
  /** Keys that must be there; none where all keys are taken. */
  readonly keys: readonly string[];
  /** Where the spec names it, for messages: `spec.backendStore.postgresql.credentials`. */
  readonly path: string;
  /** Whether pods start without it. */
  readonly optional: boolean;
}

/** All Secrets and ConfigMaps that a spec names. A change of any of them rolls the pods. */
export function referencesOf(spec: MlflowServerSpec): Reference[] {
  const { backendStore, artifactStore, authentication } = spec;
  const { basic } = authentication;
  return [
    ...databaseReferences(backendStore.postgresql, "spec.backendStore.postgresql"),
    ...(backendStore.uriSecret
      ? [secret(backendStore.uriSecret.secretName, [backendStore.uriSecret.key], "spec.backendStore.uriSecret")]
      : []),
    ...databaseReferences(basic?.database?.postgresql, "spec.authentication.basic.database.postgresql"),
    ...administratorReferences(basic?.admin),
    ...storeReferences(artifactStore),
    ...serverReferences(spec.server),
  ];
}

const secret = (name: string, keys: readonly string[], path: string, optional = false): Reference => ({
  kind: "Secret",
  name,
  keys,
  path,
  optional,
});

const configMap = (name: string, keys: readonly string[], path: string, optional = false): Reference => ({
  kind: "ConfigMap",
  name,
  keys,
  path,
  optional,
});

function databaseReferences(database: MlflowServerSpec["backendStore"]["postgresql"], path: string): Reference[] {
  if (database === undefined) return [];
  const { secretName, usernameKey = "username", passwordKey = "password" } = database.credentials;
  return [
    secret(secretName, [usernameKey, passwordKey], `${path}.credentials`),
    ...authorityReferences(database.ca, `${path}.ca`),
  ];
}

function administratorReferences(admin: Basic["admin"]): Reference[] {
  if (admin === undefined) return [];
  const { secretName, usernameKey = dataKeys.username, passwordKey = dataKeys.password } = admin;
  return [secret(secretName, [usernameKey, passwordKey], "spec.authentication.basic.admin")];
}

function storeReferences({ s3 }: MlflowServerSpec["artifactStore"]): Reference[] {
  if (s3 === undefined) return [];
  const { secretName, accessKeyIdKey, secretAccessKeyKey } = s3.credentials ?? {};
  const keys = [accessKeyIdKey ?? "AWS_ACCESS_KEY_ID", secretAccessKeyKey ?? "AWS_SECRET_ACCESS_KEY"];
  return [
    ...(secretName === undefined ? [] : [secret(secretName, keys, "spec.artifactStore.s3.credentials")]),
    ...authorityReferences(s3.ca, "spec.artifactStore.s3.ca"),
  ];
}

function authorityReferences(ca: CertificateAuthority | undefined, path: string): Reference[] {
  const keys = [ca?.key ?? "ca.crt"];
  if (ca?.secretName !== undefined) return [secret(ca.secretName, keys, path)];
  return ca?.configMapName === undefined ? [] : [configMap(ca.configMapName, keys, path)];
}

function serverReferences(settings: MlflowServerSpec["server"]): Reference[] {
  const own = settings?.sessionSecret;
  const keys = [dataKeys.flaskSecretKey, dataKeys.kekPassphrase, dataKeys.webhookKey];
  const variables = (settings?.env ?? []).flatMap(({ name, valueFrom }) => {
    const path = `spec.server.env[${name}]`;
    const { secretKeyRef, configMapKeyRef } = valueFrom ?? {};
    return [
      ...(secretKeyRef ? [secret(secretKeyRef.name, [secretKeyRef.key], path, secretKeyRef.optional)] : []),
      ...(configMapKeyRef
        ? [configMap(configMapKeyRef.name, [configMapKeyRef.key], path, configMapKeyRef.optional)]
        : []),
    ];
  });
  const sources = (settings?.envFrom ?? []).flatMap(({ secretRef, configMapRef }, index) => {
    const path = `spec.server.envFrom[${index}]`;
    return [
      ...(secretRef ? [secret(secretRef.name, [], path, secretRef.optional)] : []),
      ...(configMapRef ? [configMap(configMapRef.name, [], path, configMapRef.optional)] : []),
    ];
  });
  return [
    ...(settings?.tls
      ? [secret(settings.tls.secretName, [dataKeys.certificate, dataKeys.privateKey], "spec.server.tls")]
      : []),
    ...(own ? [secret(own.secretName, keys, "spec.server.sessionSecret")] : []),
    ...variables,
    ...sources,
  ];
}
