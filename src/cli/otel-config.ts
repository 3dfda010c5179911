import type { CertificateAuthority } from "../api/fields/reference.ts";
import type { MlflowServer } from "../api/server.ts";
import { find } from "../kube/client/api-client.ts";
import { resourcePath } from "../kube/kinds.ts";
import { clusterRoleName } from "../kube/workspace-roles.ts";
import { type ClusterOptions, rejectClusterOptions, withCluster } from "./cluster-access.ts";
import { type Collector, collectorOf, rightsNamespace } from "./collector.ts";
import { collectorConfig, collectorFiles, credentialKeys, credentialPath } from "./collector-config.ts";
import { collectorManifests } from "./collector-manifests.ts";
import { type CollectorOptions, checkCollectorOptions } from "./collector-options.ts";
import { UsageError } from "./command.ts";
import type { CommandContext } from "./context.ts";
import { documentsOf } from "./documents.ts";
import { type FileOptions, filesOf } from "./files.ts";
import { yamlOf } from "./output.ts";

/** The command `otel-config`. Only YAML is printed to stdout. */
export async function otelConfig(
  options: CollectorOptions,
  name: string | undefined,
  context: CommandContext,
): Promise<number> {
  checkCollectorOptions(options);
  const server = await selectedServer(name, options, context);
  if (server === undefined) return 1;
  const collector = collectorOf(server, options);
  const { writers } = server.spec.traces ?? {};
  const isWriter = (each: { readonly namespace: string; readonly serviceAccount: string }) =>
    each.namespace === collector.namespace && each.serviceAccount === collector.name;
  if (writers?.some(isWriter) === false)
    context.streams.stderr(
      `MlflowServer/${server.metadata.name} accepts traces from spec.traces.writers only, so it rejects this collector: add {namespace: ${collector.namespace}, serviceAccount: ${collector.name}}`,
    );
  context.streams.stdout(options.manifests ? manifestsText(collector) : configurationText(collector));
  return 0;
}

function configurationText(collector: Collector): string {
  return (
    commented([...collectorNotes(collector), ...configurationNotes(collector)]) + yamlOf(collectorConfig(collector))
  );
}

function manifestsText(collector: Collector): string {
  const documents = collectorManifests(collector).map((manifest) => `---\n${yamlOf(manifest)}`);
  return commented(collectorNotes(collector)) + documents.join("");
}

function commented(lines: readonly string[]): string {
  return lines.map((line) => `# ${line}\n`).join("");
}

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
  const home = server.metadata.namespace;
  const copy = home === namespace ? "" : `, a copy of the one in namespace ${home}`;
  return `${collectorFiles.issuerCa} is the key ${key} of ${object}${copy}.`;
}

/**
 * The server of a name, from files or from the cluster. Undefined where a file is wrong, which has been reported. Throws where
 * there is no such server.
 */
export async function selectedServer(
  name: string | undefined,
  options: FileOptions & ClusterOptions,
  context: CommandContext,
): Promise<MlflowServer | undefined> {
  const files = filesOf(options, []);
  if (files.length === 0) {
    if (name === undefined) throw new UsageError("name the MlflowServer, or a file with -f");
    return withCluster(options, context, async ({ client, namespace }) => {
      const server = await find<MlflowServer>(client, resourcePath("MlflowServer", namespace, name));
      if (server === undefined) throw new Error(`MlflowServer/${name} not found in namespace ${namespace}`);
      return server;
    });
  }
  rejectClusterOptions(options);
  const { servers, isFlawed } = await documentsOf(files, options, context.streams);
  const [server, ...others] = name === undefined ? servers : servers.filter(({ metadata }) => metadata.name === name);
  if (others.length > 0)
    throw new Error(`there are ${others.length + 1} MlflowServers in ${files.join(", ")}: name one as the argument`);
  if (server === undefined && !isFlawed)
    throw new Error(`no MlflowServer${name === undefined ? "" : ` ${name}`} in ${files.join(", ")}`);
  return server;
}
