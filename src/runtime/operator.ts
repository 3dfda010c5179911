import { createHash, randomBytes } from "node:crypto";
import type { ImageDigests } from "../api/images.ts";
import type { EndpointTiming } from "../client/endpoint-rounds.ts";
import { type ApiClient, apiClient } from "../kube/client/api-client.ts";
import type { CredentialSource } from "../kube/client/credentials.ts";
import { type Fence, LeaseFence } from "../kube/client/fence.ts";
import { LeaderElection } from "../kube/client/leader-election.ts";
import type { ListWatchTiming } from "../kube/client/timing.ts";
import type { Installation, UserIDs } from "../model/inputs.ts";
import type { SendProbe } from "../reconcile/probe.ts";
import { Controller } from "./controller.ts";
import { healthServer } from "./health-server.ts";
import type { Log } from "./log.ts";
import { type Metrics, metrics } from "./metrics.ts";
import { platformUserIDs } from "./user-ids.ts";

export interface OperatorOptions {
  readonly credentials: CredentialSource;
  /** Version of the operator, in the user agent. */
  readonly version: string;
  readonly imageRepository: string;
  readonly imageDigests?: ImageDigests | undefined;
  readonly proxyImage: string;
  readonly allowedImages?: readonly string[] | undefined;
  readonly clusterDomain: string;
  /** Default `auto`: the namespace's on OpenShift, otherwise fixed. */
  readonly userIDs?: UserIDs | "auto" | undefined;
  /** Number of servers that an operator upgrade changes at the same time, after the first server. */
  readonly upgradeConcurrency: number;
  /** Time in seconds in which missing prerequisites of a new generation are not an error. Default 120. */
  readonly gracePeriodSeconds?: number | undefined;
  /** Namespaces to reconcile. Default: all. */
  readonly namespaces: readonly string[] | undefined;
  /** Whether the process must hold the Lease to write. */
  readonly leaderElection: boolean;
  /** Namespace of the Lease: that of the operator. */
  readonly leaseNamespace: string;
  readonly leaseName: string;
  /** The namespace of this pod; undefined outside a cluster. */
  readonly operatorNamespace?: string | undefined;
  /** All addresses of both IP families if undefined. */
  readonly healthAddress: string | undefined;
  readonly healthPort: number;
  /** Number of concurrent reconciliations of servers. */
  readonly workers: number;
  /** Name of this process: that of the pod. */
  readonly instance: string;
  readonly log: Log;
  /** Timing of lists and watches. Default: `kube/client/timing.ts`. */
  readonly timing?: ListWatchTiming;
  /** Sends the probes of servers. Default: over the network. */
  readonly probe?: SendProbe;
  /** Timing of the probes of endpoints. Default: `client/endpoint-rounds.ts`. */
  readonly endpointTiming?: EndpointTiming;
}

export interface Operator {
  /** Port of /healthz, /readyz and /metrics. */
  readonly healthPort: number;
  /** Resolves with the reason if the operator must stop. */
  readonly failed: Promise<string>;
  /** Waits for running reconciliations, closes all connections that write, and then releases the Lease. After the loss of the Lease it does not wait. */
  stop(): Promise<void>;
}

/** Limit for running reconciliations when the operator is stopped, in milliseconds. */
const drainMilliseconds = 8000;

/** The Lease is tried at least every 20 s. */
const stuckElectionSeconds = 300;

/** Identifies a version of the operator with the settings that pods depend on. */
function revisionOf(options: OperatorOptions, userIDs: UserIDs): string {
  const { version, imageRepository, imageDigests, proxyImage, clusterDomain } = options;
  const digests = Object.entries(imageDigests ?? {}).sort();
  const parts = [version, imageRepository, digests, proxyImage, clusterDomain, userIDs];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 10);
}

/** Starts an operator. Rejects if the health port is not available; an unreachable cluster is retried. */
export async function operator(options: OperatorOptions): Promise<Operator> {
  const running = new OperatorProcess(options);
  const health = await running.serveHealth();
  running.start();
  return {
    healthPort: health.port,
    failed: running.failed,
    stop: () => running.stop(health),
  };
}

type HealthServer = Awaited<ReturnType<typeof healthServer>>;

/** The parts of a running operator. */
class OperatorProcess {
  readonly failed: Promise<string>;
  readonly #options: OperatorOptions;
  readonly #installation: { -readonly [Key in keyof Installation]: Installation[Key] };
  readonly #fence: LeaseFence | undefined;
  readonly #client: ApiClient;
  readonly #electionClient: ApiClient;
  readonly #controller: Controller;
  readonly #metrics: Metrics;
  readonly #stopping = new AbortController();
  #election: LeaderElection | undefined;
  #isPlatformKnown: Promise<boolean> = Promise.resolve(false);
  #fail: (reason: string) => void = () => undefined;
  #isLost = false;

  constructor(options: OperatorOptions) {
    this.#options = options;
    this.#installation = installationOf(options);
    this.#fence = options.leaderElection ? new LeaseFence() : undefined;
    this.#client = this.#connect(this.#fence);
    // Separate connections: reconciliations that wait for a slow API server must not delay the renewal of the Lease. No fence: the
    // resource version prevents overwriting a Lease that another process has written.
    this.#electionClient = this.#connect(undefined);
    this.#controller = new Controller({
      ...options,
      client: this.#client,
      installation: this.#installation,
      identity: `${options.leaseNamespace}/${options.leaseName}`,
      metrics: () => this.#metrics,
    });
    this.#metrics = this.#collect();
    this.failed = new Promise<string>((resolve) => {
      this.#fail = resolve;
    });
  }

  serveHealth(): Promise<HealthServer> {
    const { healthAddress, healthPort } = this.#options;
    return healthServer(healthAddress, healthPort, {
      unhealthyBecause: () =>
        this.#controller.stuckBecause() ?? (this.#isElectionStuck() ? "leader election has stopped" : undefined),
      notReadyBecause: this.#controller.staleWatches,
      metrics: async () => ({ text: await this.#metrics.text(), contentType: this.#metrics.contentType }),
    });
  }

  /** Requests the Lease, and reconciles while this process holds it. */
  start(): void {
    this.#isPlatformKnown = this.#completeInstallation();
    if (this.#fence === undefined) void this.#lead();
    else this.#election = this.#elect(this.#fence);
  }

  async stop(health: HealthServer): Promise<void> {
    this.#stopping.abort();
    // Running reconciliations can end, unless another process can write already.
    if (this.#isLost) this.#client.close();
    await Promise.race([
      this.#controller.stop(!this.#isLost),
      new Promise((resolve) => setTimeout(resolve, drainMilliseconds).unref()),
    ]);
    const aborted = this.#fence?.close() ?? 0;
    this.#client.close();
    if (aborted > 0)
      this.#options.log.warn(
        { calls: aborted },
        "writes did not end in time; the Lease is not released and will expire",
      );
    // The API server may still process aborted writes. Until the Lease expires, no other process writes.
    await this.#election?.stop(aborted === 0);
    health.close();
    this.#electionClient.close();
  }

  #connect(fence: Fence | undefined): ApiClient {
    const { credentials, version } = this.#options;
    return apiClient({
      credentials,
      fence,
      userAgent: `mlflow-operator/${version}`,
      onCall: (method, status) => this.#metrics.requested(method, status),
    });
  }

  #collect(): Metrics {
    const { depth, watches, longestRunningSeconds, states, upgrades, endpoints, backups } = this.#controller;
    return metrics({
      ...{ depth, watches, longestRunningSeconds, states, upgrades, endpoints, backups },
      isLeader: () => this.#fence === undefined || this.#election?.isLeader() === true,
      leaseName: this.#options.leaseName,
    });
  }

  #elect(fence: LeaseFence): LeaderElection {
    const { leaseNamespace, leaseName, instance, log } = this.#options;
    return new LeaderElection({
      fence,
      client: this.#electionClient,
      namespace: leaseNamespace,
      name: leaseName,
      identity: `${instance}_${randomBytes(4).toString("hex")}`,
      onElected: () => void this.#lead(),
      onLost: () => {
        this.#isLost = true;
        this.#fail("the Lease is lost: another process may be the leader");
      },
      log,
    });
  }

  #isElectionStuck(): boolean {
    return !this.#isLost && (this.#election?.idleSeconds() ?? 0) > stuckElectionSeconds;
  }

  /** Pods depend on the platform: nothing is reconciled before it is known. */
  async #lead(): Promise<void> {
    if (await this.#isPlatformKnown) this.#controller.lead();
  }

  /** Adds what depends on the platform. Returns false if the operator was stopped before. */
  async #completeInstallation(): Promise<boolean> {
    const { userIDs = "auto", upgradeConcurrency: concurrency, log } = this.#options;
    const chosen =
      userIDs === "auto" ? await platformUserIDs(this.#electionClient, this.#stopping.signal, log) : userIDs;
    if (chosen === undefined) return false;
    this.#installation.userIDs = chosen;
    this.#installation.upgrade = { revision: revisionOf(this.#options, chosen), concurrency };
    return true;
  }
}

function installationOf(options: OperatorOptions): Installation {
  const { imageRepository, imageDigests, proxyImage, allowedImages, clusterDomain } = options;
  const { gracePeriodSeconds, operatorNamespace, namespaces } = options;
  return {
    ...{ imageRepository, imageDigests, proxyImage, allowedImages, clusterDomain },
    ...{ gracePeriodSeconds, operatorNamespace, namespaces },
  };
}
