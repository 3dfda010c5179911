import type { MlflowServer } from "../api/server.ts";
import { type Key, type KubeObject, keyText } from "../kube/object.ts";
import type { Cluster } from "../reconcile/cluster.ts";
import type { SendProbe } from "../reconcile/probe.ts";
import type { UpgradeMember } from "../reconcile/upgrade.ts";
import { upgradeMembers } from "../reconcile/upgrade-members.ts";
import { summaryOf, type WorkspaceChecks, type WorkspaceSummary } from "../reconcile/workspace/summary.ts";
import type { WorkspaceCluster } from "../reconcile/workspace/workspace-cluster.ts";
import { BackupWriter } from "./backup-writer.ts";
import { Caches, type CachesOptions } from "./caches.ts";
import { type EndpointTiming, endpointRounds } from "./endpoint-rounds.ts";
import { namespaceEntry } from "./indexes.ts";
import { ObjectWriter, type ObjectWriterOptions } from "./object-writer.ts";
import { sendProbe } from "./probe-request.ts";
import { prober } from "./prober.ts";
import { ReportWriter, type ReportWriterOptions } from "./report-writer.ts";
import { schemaGuard, violations } from "./schema-guard.ts";
import { tracesRounds } from "./traces-rounds.ts";
import { warningsReader } from "./warnings.ts";

export interface ClusterOptions
  extends CachesOptions,
    Pick<ObjectWriterOptions, "onMutatedByAdmission">,
    Pick<ReportWriterOptions, "instance" | "onEventWriteError"> {
  /** The state of the workspaces of a server, as far as it is known. */
  readonly summaries?: (server: MlflowServer) => WorkspaceSummary | undefined;
  /** Sends the probes of servers. Default: over the network. */
  readonly probe?: SendProbe | undefined;
  readonly endpointTiming?: EndpointTiming | undefined;
  /** Called with the error if Events cannot be read. */
  readonly onEventsReadError?: (message: string) => void;
  /** Identity of this operator, as in `status.operator`. */
  readonly identity?: string | undefined;
  /** Called when the difference between an installed CustomResourceDefinition and the one of this operator has changed. */
  readonly onSkew?: Parameters<typeof schemaGuard>[1];
}

/** A connection to the cluster: caches and one API client. */
export interface ClusterConnection
  extends Pick<Caches, "synced" | "states" | "stop" | "servers" | "allBackupSchedules" | "watchProblem"> {
  /**
   * Runs one reconciliation of a server. Afterwards, changes of the objects that it has read enqueue the server; after a
   * failure, also changes of objects that earlier reconciliations have read.
   */
  reconcile<T>(key: Key, run: (cluster: Cluster) => Promise<T>): Promise<T>;
  /** The state of all servers that an operator upgrade depends on. */
  upgradeMembers(): UpgradeMember[];
  /** The interface for reconciliations of workspaces. */
  readonly workspaces: WorkspaceCluster;
  /** All namespaces that may need a reconciliation of workspaces. */
  allWorkspaces(): Iterable<string>;
  /** The summary of all workspaces of an existing server, from the results of their reconciliations. */
  summary(key: Key, checks: WorkspaceChecks): WorkspaceSummary | undefined;
}

/** Starts the watches. Reconciliations can run after `synced` resolves to true. */
export function clusterConnection(options: ClusterOptions): ClusterConnection {
  const warnings = warningsReader(options.client, (message) => options.onEventsReadError?.(message));
  const cache = new Caches({
    ...options,
    onDefinition: (isEnded) => (isEnded ? guard.recheck() : guard.invalidate()),
  });
  const objects = new ObjectWriter({ ...options, caches: cache });
  const reports = new ReportWriter({ ...options, caches: cache });
  const writes = { ...objects, ...reports, ...new BackupWriter(options.client, cache) };
  const guard = schemaGuard(options.client, (kind, skew) => {
    options.onSkew?.(kind, skew);
    for (const { metadata } of cache.servers())
      options.onServer({ namespace: metadata.namespace, name: metadata.name });
    for (const namespace of cache.workspaces.all()) options.onWorkspace?.(namespace);
  });
  const { probe = sendProbe } = options;
  const tracesProber = prober(options.onServer, tracesRounds(probe));
  const endpointProber = prober(options.onServer, endpointRounds(probe, options.endpointTiming));
  const pruned = new Map<string, number>();
  const schema = {
    skew: guard.skew,
    violations,
    secondsPruned: (object: KubeObject) => {
      const { uid = "" } = object.metadata;
      const since = pruned.get(uid) ?? performance.now();
      pruned.set(uid, since);
      return (performance.now() - since) / 1000;
    },
  };
  const { synced, states, servers, allBackupSchedules, watchProblem } = cache;
  const { optedInNamespaces, accesses, grantedIn } = cache.workspaces;
  return {
    synced,
    states,
    servers,
    allBackupSchedules,
    watchProblem,
    upgradeMembers: () =>
      upgradeMembers({
        identity: options.identity,
        servers: cache.servers,
        deployment: cache.deployment,
        startingUpgrades: writes.startingUpgrades,
      }),
    stop: () => {
      tracesProber.stop();
      endpointProber.stop();
      guard.stop();
      cache.stop();
    },
    workspaces: {
      ...writes,
      ...schema,
      identity: options.identity,
      namespace: optedInNamespaces.get,
      servers: cache.workspaces.servers,
      accesses: (namespace) => accesses.indexed(namespaceEntry(namespace)),
      granted: grantedIn,
    },
    allWorkspaces: cache.workspaces.all,
    summary: (key, checks) => {
      const server = cache.server(key);
      if (server?.spec.workspaces === undefined) return undefined;
      return summaryOf(server, {
        optedInNamespaces: optedInNamespaces.of(key.namespace),
        namespace: optedInNamespaces.get,
        ...checks,
      });
    },
    reconcile: async (key, run) => {
      await cache.completed(key);
      const secrets = new Set<string>();
      const configMaps = new Set<string>();
      const used = new Set<typeof tracesProber | typeof endpointProber>();
      const outcome = await run({
        ...writes,
        ...schema,
        identity: options.identity,
        server: cache.server,
        servers: cache.servers,
        deployment: cache.deployment,
        owned: cache.owned,
        backups: cache.backups,
        backup: cache.backup,
        backupSchedules: cache.backupSchedules,
        backupObjects: cache.backupObjects,
        optedInNamespaces: cache.optedInNamespaces,
        granted: cache.granted,
        workspaces: (server) => options.summaries?.(server),
        knows: cache.knows,
        watchProblem,
        competitors: cache.competitors,
        otherResources: cache.otherResources,
        warnings,
        probes: (endpoints) => {
          used.add(tracesProber);
          return tracesProber.result(key, endpoints)?.results;
        },
        endpointResults: (checks) => {
          used.add(endpointProber);
          return endpointProber.result(key, checks);
        },
        secret: (namespace, name, keys) => {
          secrets.add(keyText({ namespace, name }));
          return cache.secrets.read(namespace, name, key, keys);
        },
        configMap: (namespace, name, keys) => {
          configMaps.add(keyText({ namespace, name }));
          return cache.configMaps.read(namespace, name, key, keys);
        },
      });
      cache.secrets.keepOnly(key, secrets);
      cache.configMaps.keepOnly(key, configMaps);
      for (const each of [tracesProber, endpointProber]) if (!used.has(each)) each.forget(key);
      return outcome;
    },
  };
}
