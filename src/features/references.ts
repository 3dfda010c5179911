import type { MlflowServerSpec } from "../api/spec.ts";
import { dataKeys } from "../model/names.ts";
import { artifactStorageOf } from "./artifacts/index.ts";
import { authenticationMethod } from "./authentication/index.ts";
import { configMapReference, type Reference, secretReference } from "./common/reference.ts";
import { backendDatabase } from "./database/index.ts";

/** Returns all Secrets and ConfigMaps that a spec references. A change of any rolls the pods, except those that are read again. */
export function referencesOf(spec: MlflowServerSpec): Reference[] {
  const { references, sessionKeys } = authenticationMethod(spec);
  const sessionSecret = spec.server?.sessionSecretRef?.name;
  return [
    ...backendDatabase(spec).references,
    ...references,
    ...(sessionSecret === undefined || sessionKeys.length === 0
      ? []
      : [secretReference(sessionSecret, sessionKeys, "spec.server.sessionSecretRef")]),
    ...artifactStorageOf(spec).references,
    ...serverReferences(spec.server),
  ];
}

/** Keys that the Secret of a user has only during and after a rotation. */
const rotationKeys = [
  dataKeys.kekVersion,
  dataKeys.acceptedFlaskSecretKey,
  dataKeys.acceptedKekPassphrase,
  dataKeys.acceptedKekVersion,
  dataKeys.acceptedWebhookKey,
];

function serverReferences(settings: MlflowServerSpec["server"]): Reference[] {
  const own = settings?.sessionSecretRef;
  const keys = [dataKeys.flaskSecretKey, dataKeys.kekPassphrase, dataKeys.webhookKey];
  const variables = (settings?.env ?? []).flatMap(({ name, valueFrom }) => {
    const path = `spec.server.env[${name}]`;
    const { secretKeyRef, configMapKeyRef } = valueFrom ?? {};
    return [
      ...(secretKeyRef ? [secretReference(secretKeyRef.name, [secretKeyRef.key], path, secretKeyRef.optional)] : []),
      ...(configMapKeyRef
        ? [configMapReference(configMapKeyRef.name, [configMapKeyRef.key], path, configMapKeyRef.optional)]
        : []),
    ];
  });
  const sources = (settings?.envFrom ?? []).flatMap(({ secretRef, configMapRef }, index) => {
    const path = `spec.server.envFrom[${index}]`;
    return [
      ...(secretRef ? [secretReference(secretRef.name, [], path, secretRef.optional)] : []),
      ...(configMapRef ? [configMapReference(configMapRef.name, [], path, configMapRef.optional)] : []),
    ];
  });
  return [
    ...(settings?.tls
      ? [
          secretReference(
            settings.tls.certificateSecretRef.name,
            [dataKeys.certificate, dataKeys.privateKey],
            "spec.server.tls",
          ),
        ]
      : []),
    ...(own ? [secretReference(own.name, keys, "spec.server.sessionSecretRef")] : []),
    ...(own ? [secretReference(own.name, rotationKeys, "spec.server.sessionSecretRef", true)] : []),
    ...variables,
    ...sources,
  ];
}
