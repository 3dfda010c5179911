import type { Skew } from "../api/schema-skew.ts";
import type { MlflowServer } from "../api/server.ts";
import type { OwnKind } from "../kube/kinds.ts";
import { type Key, type KubeObject, keyText } from "../kube/object.ts";
import type { Cluster } from "../reconcile/cluster.ts";
import type { EndpointChecks, EndpointResults } from "../reconcile/endpoint-checks.ts";
import type { ProbeEndpoint, SendProbe } from "../reconcile/probe.ts";
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
import { Prober } from "./prober.ts";
import { ReportWriter, type ReportWriterOptions } from "./report-writer.ts";
import { SchemaGuard, violations } from "./schema-guard.ts";
import { type TracesRound, tracesRounds } from "./traces-rounds.ts";
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
  readonly onSkew?: ConstructorParameters<typeof SchemaGuard>[1];
}

type TracesProber = Prober<readonly ProbeEndpoint[], TracesRound>;
type EndpointProber = Prober<EndpointChecks, EndpointResults>;

/** What one reconciliation has used. */
interface Used {
  readonly secrets: Set<string>;
  readonly configMaps: Set<string>;
  readonly probers: Set<TracesProber | EndpointProber>;
}

/** A connection to the cluster: caches and one API client. It starts the watches; reconciliations can run after `synced` resolves to true. */
export class ClusterConnection {
  readonly #options: ClusterOptions;
  readonly #caches: Caches;
  readonly #guard: SchemaGuard;
  readonly #tracesProber: TracesProber;
  readonly #endpointProber: EndpointProber;
  readonly #writes: ReturnType<typeof writesOf>;
  readonly #warnings: Cluster["warnings"];
  readonly #prunedSince = new Map<string, number>();

  constructor(options: ClusterOptions) {
    const { client, onServer, probe = sendProbe, endpointTiming } = options;
    this.#options = options;
    this.#warnings = warningsReader(client, (message) => options.onEventsReadError?.(message));
    this.#guard = new SchemaGuard(client, (kind, skew) => this.#skewChanged(kind, skew));
    this.#caches = new Caches({
      ...options,
      onDefinition: (isEnded) => (isEnded ? this.#guard.recheck() : this.#guard.invalidate()),
    });
    this.#writes = writesOf(options, this.#caches);
    this.#tracesProber = new Prober(onServer, tracesRounds(probe));
    this.#endpointProber = new Prober(onServer, endpointRounds(probe, endpointTiming));
  }

  get synced(): Caches["synced"] {
    return this.#caches.synced;
  }

  readonly states: Caches["states"] = () => this.#caches.states();
  readonly servers: Caches["servers"] = () => this.#caches.servers();
  readonly allBackupSchedules: Caches["allBackupSchedules"] = () => this.#caches.allBackupSchedules();
  readonly watchProblem: Caches["watchProblem"] = (...of) => this.#caches.watchProblem(...of);

  /** The state of all servers that an operator upgrade depends on. */
  upgradeMembers(): UpgradeMember[] {
    const { servers, deployment } = this.#caches;
    const { startingUpgrades } = this.#writes;
    return upgradeMembers({ identity: this.#options.identity, servers, deployment, startingUpgrades });
  }

  stop(): void {
    this.#tracesProber.stop();
    this.#endpointProber.stop();
    this.#guard.stop();
    this.#caches.stop();
  }

  /** The interface for reconciliations of workspaces. */
  get workspaces(): WorkspaceCluster {
    const { optedInNamespaces, accesses, grantedIn, servers } = this.#caches.workspaces;
    return {
      ...this.#shared(),
      namespace: optedInNamespaces.get,
      servers,
      accesses: (namespace) => accesses.indexed(namespaceEntry(namespace)),
      granted: grantedIn,
    };
  }

  /** All namespaces that may need a reconciliation of workspaces. */
  allWorkspaces(): Iterable<string> {
    return this.#caches.workspaces.all();
  }

  /** The summary of all workspaces of an existing server, from the results of their reconciliations. */
  summary(key: Key, checks: WorkspaceChecks): WorkspaceSummary | undefined {
    const { workspaces, server: serverOf } = this.#caches;
    const server = serverOf(key);
    if (server?.spec.workspaces === undefined) return undefined;
    const { optedInNamespaces } = workspaces;
    const found = { optedInNamespaces: optedInNamespaces.of(key.namespace), namespace: optedInNamespaces.get };
    return summaryOf(server, { ...found, ...checks });
  }

  /**
   * Runs one reconciliation of a server. Afterwards, changes of the objects that it has read enqueue the server; after a
   * failure, also changes of objects that earlier reconciliations have read.
   */
  async reconcile<T>(key: Key, run: (cluster: Cluster) => Promise<T>): Promise<T> {
    const { secrets, configMaps } = this.#caches;
    await this.#caches.completed(key);
    const used: Used = { secrets: new Set(), configMaps: new Set(), probers: new Set() };
    const outcome = await run(this.#clusterOf(key, used));
    secrets.keepOnly(key, used.secrets);
    configMaps.keepOnly(key, used.configMaps);
    for (const each of [this.#tracesProber, this.#endpointProber]) if (!used.probers.has(each)) each.forget(key);
    return outcome;
  }

  #clusterOf(key: Key, used: Used): Cluster {
    const caches = this.#caches;
    return {
      ...this.#shared(),
      server: caches.server,
      servers: caches.servers,
      serversIn: caches.serversIn,
      deployment: caches.deployment,
      owned: caches.owned,
      backups: caches.backups,
      backup: caches.backup,
      backupSchedules: caches.backupSchedules,
      backupObjects: caches.backupObjects,
      optedInNamespaces: caches.optedInNamespaces,
      granted: caches.granted,
      workspaces: (server) => this.#options.summaries?.(server),
      knows: caches.knows,
      watchProblem: caches.watchProblem,
      competitors: caches.competitors,
      otherResources: caches.otherResources,
      warnings: this.#warnings,
      ...this.#probesOf(key, used),
      ...this.#referencesOf(key, used),
    };
  }

  #probesOf(key: Key, { probers }: Used): Pick<Cluster, "probes" | "endpointResults"> {
    return {
      probes: (endpoints) => {
        probers.add(this.#tracesProber);
        return this.#tracesProber.result(key, endpoints)?.results;
      },
      endpointResults: (checks) => {
        probers.add(this.#endpointProber);
        return this.#endpointProber.result(key, checks);
      },
    };
  }

  #referencesOf(key: Key, used: Used): Pick<Cluster, "secret" | "configMap"> {
    const { secrets, configMaps } = this.#caches;
    return {
      secret: (namespace, name, keys) => {
        used.secrets.add(keyText({ namespace, name }));
        return secrets.read(namespace, name, key, keys);
      },
      configMap: (namespace, name, keys) => {
        used.configMaps.add(keyText({ namespace, name }));
        return configMaps.read(namespace, name, key, keys);
      },
    };
  }

  /** What the reconciliations of servers and of workspaces have in common. */
  #shared() {
    return {
      ...this.#writes,
      skew: this.#guard.skew,
      violations,
      secondsPruned: this.#secondsPruned,
      identity: this.#options.identity,
    };
  }

  readonly #secondsPruned = ({ metadata: { uid = "" } }: KubeObject): number => {
    const since = this.#prunedSince.get(uid) ?? performance.now();
    this.#prunedSince.set(uid, since);
    return (performance.now() - since) / 1000;
  };

  #skewChanged(kind: OwnKind, skew: Skew): void {
    const { onSkew, onServer, onWorkspace } = this.#options;
    onSkew?.(kind, skew);
    for (const { metadata } of this.#caches.servers()) onServer({ namespace: metadata.namespace, name: metadata.name });
    for (const namespace of this.#caches.workspaces.all()) onWorkspace?.(namespace);
  }
}

function writesOf(options: ClusterOptions, caches: Caches) {
  const withCaches = { ...options, caches };
  return {
    ...new ObjectWriter(withCaches),
    ...new ReportWriter(withCaches),
    ...new BackupWriter(options.client, caches),
  };
}
