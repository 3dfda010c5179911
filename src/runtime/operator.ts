import { createHash, randomBytes } from "node:crypto";
import type { ImageDigests } from "../api/images.ts";
import type { EndpointTiming } from "../client/endpoint-rounds.ts";
import { apiClient } from "../kube/client/api-client.ts";
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
  readonly healthAddress: string;
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
  const { log } = options;
  const fence = options.leaderElection ? new LeaseFence() : undefined;
  const connect = (fenced: Fence | undefined) =>
    apiClient({
      credentials: options.credentials,
      fence: fenced,
      userAgent: `mlflow-operator/${options.version}`,
      onCall: (method, status) => collected.requested(method, status),
    });
  const client = connect(fence);
  // Separate connections: reconciliations that wait for a slow API server must not delay the renewal of the Lease. No fence: the
  // resource version prevents overwriting a Lease that another process has written.
  const electionClient = connect(undefined);
  let isLeader = () => false;
  const installation: { -readonly [Key in keyof Installation]: Installation[Key] } = {
    imageRepository: options.imageRepository,
    imageDigests: options.imageDigests,
    proxyImage: options.proxyImage,
    allowedImages: options.allowedImages,
    clusterDomain: options.clusterDomain,
    gracePeriodSeconds: options.gracePeriodSeconds,
    operatorNamespace: options.operatorNamespace,
    namespaces: options.namespaces,
  };
  const work = new Controller({
    client,
    installation,
    namespaces: options.namespaces,
    workers: options.workers,
    instance: options.instance,
    identity: `${options.leaseNamespace}/${options.leaseName}`,
    log,
    metrics: () => collected,
    ...(options.timing && { timing: options.timing }),
    probe: options.probe,
    endpointTiming: options.endpointTiming,
  });
  let stuckElection = () => false;
  const collected: Metrics = metrics({
    depth: work.depth,
    isLeader: () => isLeader(),
    leaseName: options.leaseName,
    watches: work.watches,
    longestRunningSeconds: work.longestRunningSeconds,
    states: work.states,
    upgrades: work.upgrades,
    endpoints: work.endpoints,
    backups: work.backups,
  });
  const health = await healthServer(options.healthAddress, options.healthPort, {
    unhealthyBecause: () => work.stuckBecause() ?? (stuckElection() ? "leader election has stopped" : undefined),
    notReadyBecause: work.staleWatches,
    metrics: async () => ({ text: await collected.text(), contentType: collected.contentType }),
  });

  const stopping = new AbortController();
  const isPlatformKnown = completeInstallation();

  /** Adds what depends on the platform. Returns false if the operator was stopped before. */
  async function completeInstallation(): Promise<boolean> {
    const { userIDs = "auto", upgradeConcurrency: concurrency } = options;
    const chosen = userIDs === "auto" ? await platformUserIDs(electionClient, stopping.signal, log) : userIDs;
    if (chosen === undefined) return false;
    installation.userIDs = chosen;
    installation.upgrade = { revision: revisionOf(options, chosen), concurrency };
    return true;
  }

  /** Pods depend on the platform: nothing is reconciled before it is known. */
  async function lead(): Promise<void> {
    if (await isPlatformKnown) work.lead();
  }

  let fail: (reason: string) => void = () => undefined;
  const failed = new Promise<string>((resolve) => {
    fail = resolve;
  });
  let isLost = false;
  const election = fence
    ? new LeaderElection({
        fence,
        client: electionClient,
        namespace: options.leaseNamespace,
        name: options.leaseName,
        identity: `${options.instance}_${randomBytes(4).toString("hex")}`,
        onElected: () => void lead(),
        onLost: () => {
          isLost = true;
          fail("the Lease is lost: another process may be the leader");
        },
        log,
      })
    : undefined;
  if (election === undefined) void lead();
  isLeader = () => election?.isLeader() ?? true;
  if (election !== undefined) stuckElection = () => !isLost && election.idleSeconds() > stuckElectionSeconds;

  return {
    healthPort: health.port,
    failed,
    stop: async () => {
      stopping.abort();
      // Running reconciliations can end, unless another process can write already.
      if (isLost) client.close();
      await Promise.race([
        work.stop(!isLost),
        new Promise((resolve) => setTimeout(resolve, drainMilliseconds).unref()),
      ]);
      const aborted = fence?.close() ?? 0;
      client.close();
      if (aborted > 0)
        log.warn({ calls: aborted }, "writes did not end in time; the Lease is not released and will expire");
      // The API server may still process aborted writes. Until the Lease expires, no other process writes.
      await election?.stop(aborted === 0);
      health.close();
      electionClient.close();
    },
  };
}
