import type { CertificateAuthority } from "../api/fields/reference.ts";
import { clusterRoleName } from "../kube/workspace-roles.ts";
import { type Collector, rightsNamespace } from "./collector.ts";
import { collectorFiles, credentialKeys, credentialPath } from "./collector-files.ts";

/** What must be there besides the manifests, as sentences: what is secret, and what only other people have. */
export function collectorNotes(collector: Collector): string[] {
  const { name, namespace, server, serverAuthority, credential, secretName } = collector;
  const notes = [
    `The collector ${namespace}/${name} of MlflowServer ${server.metadata.namespace}/${server.metadata.name}. docs/traces.md says which permission it needs there.`,
  ];
  if (credential.kind === "Password" || credential.kind === "ClientCredentials") {
    const files = credentialKeys[credential.kind].map((key) => `--from-file=${key}=<file>`).join(" ");
    notes.push(
      `Its credential is in ${credentialPath}: kubectl create secret generic ${secretName} -n ${namespace} ${files}`,
    );
  }
  if (serverAuthority !== undefined)
    notes.push(`${collectorFiles.serverAuthority} is the key ca.crt of ConfigMap/${serverAuthority}.`);
  if (credential.kind === "ClientCredentials" && credential.ca !== undefined)
    notes.push(authorityNote(collector, credential.ca));
  return notes;
}

/** What the manifests bring and the configuration alone does not. */
export function configurationNotes(collector: Collector): string[] {
  const { credential } = collector;
  const place = rightsNamespace(collector);
  const notes: string[] = [];
  if (credential.kind === "ServiceAccountToken") {
    const audience = credential.audience === undefined ? "" : ` for the audience ${credential.audience}`;
    notes.push(`${collectorFiles.token} is a projected token of its ServiceAccount${audience}.`);
  }
  if (place !== undefined)
    notes.push(`A RoleBinding in namespace ${place} lets it write: ClusterRole ${clusterRoleName("TraceWriter")}.`);
  return notes;
}

function authorityNote({ server, namespace }: Collector, { secretRef, configMapRef }: CertificateAuthority): string {
  const object = secretRef === undefined ? `ConfigMap/${configMapRef?.name}` : `Secret/${secretRef.name}`;
  const { key = "ca.crt" } = secretRef ?? configMapRef ?? {};
  const home = server.metadata.namespace ?? "default";
  const copy = home === namespace ? "" : `, a copy of the one in namespace ${home}`;
  return `${collectorFiles.issuerAuthority} is the key ${key} of ${object}${copy}.`;
}
