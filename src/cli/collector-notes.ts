import type { CertificateAuthority } from "../api/fields/reference.ts";
import { clusterRoleName } from "../kube/workspace-roles.ts";
import { type Collector, rightsNamespace } from "./collector.ts";
import { collectorFiles, credentialKeys, credentialPath } from "./collector-files.ts";

/** The objects that must exist in addition to the manifests, as sentences: Secrets and CA certificates. */
export function collectorNotes(collector: Collector): string[] {
  const { name, namespace, server, serverCa, credential, secretName } = collector;
  const notes = [
    `The collector ${namespace}/${name} of MlflowServer ${server.metadata.namespace}/${server.metadata.name}. docs/traces.md lists the permission that it needs.`,
  ];
  if (credential.kind === "Password" || credential.kind === "ClientCredentials") {
    const files = credentialKeys[credential.kind].map((key) => `--from-file=${key}=<file>`).join(" ");
    notes.push(
      `Its credential is in ${credentialPath}: kubectl create secret generic ${secretName} -n ${namespace} ${files}`,
    );
  }
  if (serverCa !== undefined) notes.push(`${collectorFiles.serverCa} is the key ca.crt of ConfigMap/${serverCa}.`);
  if (credential.kind === "ClientCredentials" && credential.ca !== undefined)
    notes.push(caNote(collector, credential.ca));
  return notes;
}

/** The objects of the manifests that the configuration alone needs as well. */
export function configurationNotes(collector: Collector): string[] {
  const { credential } = collector;
  const place = rightsNamespace(collector);
  const notes: string[] = [];
  if (credential.kind === "ServiceAccountToken") {
    const audience = credential.audience === undefined ? "" : ` for the audience ${credential.audience}`;
    notes.push(`${collectorFiles.token} is a projected token of its ServiceAccount${audience}.`);
  }
  if (place !== undefined)
    notes.push(
      `A RoleBinding in namespace ${place} allows it to write: ClusterRole ${clusterRoleName("TraceWriter")}.`,
    );
  return notes;
}

function caNote({ server, namespace }: Collector, { secretRef, configMapRef }: CertificateAuthority): string {
  const object = secretRef === undefined ? `ConfigMap/${configMapRef?.name}` : `Secret/${secretRef.name}`;
  const { key = "ca.crt" } = secretRef ?? configMapRef ?? {};
  const home = server.metadata.namespace ?? "default";
  const copy = home === namespace ? "" : `, a copy of the one in namespace ${home}`;
  return `${collectorFiles.issuerCa} is the key ${key} of ${object}${copy}.`;
}
