import { randomBytes } from "node:crypto";
import type { ImageDigests } from "../api/image-digests.ts";
import { apiClient } from "../client/api-client.ts";
import type { CredentialSource } from "../client/credentials.ts";
import { type Fence, leaseFence } from "../client/fence.ts";
import type { Probe } from "../client/prober.ts";
import type { ListWatchTiming } from "../client/timing.ts";
import { controller } from "./controller.ts";
import { healthServer } from "./health-server.ts";
import { elect } from "./leader-election.ts";
import type { Log } from "./log.ts";
import { type Metrics, metrics } from "./metrics.ts";

export interface OperatorOptions {
  readonly credentials: CredentialSource;
  /** Version of the operator, in the user agent. */
  readonly version: string;
  readonly imageRepository: string;
  readonly imageDigests?: ImageDigests | undefined;
  readonly proxyImage: string;
  readonly allowedImages?: readonly string[] | undefined;
  readonly clusterDomain: string;
  /** Seconds in which others may create what a new generation of a server needs; default 120. */
  readonly gracePeriodSeconds?: number | undefined;
  /** Namespaces to work in; all without it. */
  readonly namespaces: readonly string[] | undefined;
  /** Whether to wait for the Lease before writing. */
  readonly leaderElection: boolean;
  /** Namespace of the Lease: the operator's own. */
  readonly leaseNamespace: string;
  readonly leaseName: string;
  readonly healthAddress: string;
  readonly healthPort: number;
  /** How many servers are worked on at once. */
  readonly workers: number;
  /** Name of this process: the pod's. */
  readonly instance: string;
  readonly log: Log;
  /** Of lists and watches; default as in `client/timing.ts`. */
  readonly timing?: ListWatchTiming;
  /** How an endpoint in a mesh is asked; default over the network. */
  readonly probe?: Probe;
}

export interface Operator {
  /** Where /healthz, /readyz and /metrics are served. */
  readonly healthPort: number;
  /** Resolves with the reason when the operator cannot go on, and never otherwise. */
  readonly failed: Promise<string>;
  /** Ends what is under way, closes all connections that write, and then releases the Lease. After its loss nothing is waited for. */
  stop(): Promise<void>;
}

/** How long passes under way may take to end when the operator is stopped, in milliseconds. */
const drainMilliseconds = 8000;

/** An attempt to get or renew the Lease is made at least every 20 s. */
const stuckElectionSeconds = 300;

/** A running operator. Rejects when the health port cannot be had; a cluster that cannot be reached is waited for. */
export async function operator(options: OperatorOptions): Promise<Operator> {
  const { log } = options;
  const fence = options.leaderElection ? leaseFence() : undefined;
  const connect = (fenced: Fence | undefined) =>
    apiClient({
      credentials: options.credentials,
      fence: fenced,
      userAgent: `mlflow-operator/${options.version}`,
      onCall: (method, status) => collected.requested(method, status),
    });
  const client = connect(fence);
  // Its own connections: passes that wait for a slow API server must not hold up the renewal of the Lease. No fence: a Lease that
  // another has written meanwhile is not overwritten, by its version.
  const electionClient = connect(undefined);
  let isLeader = () => false;
  const work = controller({
    client,
    installation: {
      imageRepository: options.imageRepository,
      imageDigests: options.imageDigests,
      proxyImage: options.proxyImage,
      allowedImages: options.allowedImages,
      clusterDomain: options.clusterDomain,
      gracePeriodSeconds: options.gracePeriodSeconds,
      namespaces: options.namespaces,
    },
    namespaces: options.namespaces,
    workers: options.workers,
    instance: options.instance,
    identity: `${options.leaseNamespace}/${options.leaseName}`,
    log,
    metrics: () => collected,
    ...(options.timing && { timing: options.timing }),
    probe: options.probe,
  });
  let stuckElection = () => false;
  const collected: Metrics = metrics({
    depth: work.depth,
    isLeader: () => isLeader(),
    leaseName: options.leaseName,
    watches: work.watches,
    longestRunningSeconds: work.longestRunningSeconds,
    states: work.states,
  });
  const health = await healthServer(options.healthAddress, options.healthPort, {
    unhealthyBecause: () => work.stuckBecause() ?? (stuckElection() ? "leader election has stopped" : undefined),
    notReadyBecause: work.staleWatches,
    metrics: async () => ({ text: await collected.text(), contentType: collected.contentType }),
  });

  let fail: (reason: string) => void = () => undefined;
  const failed = new Promise<string>((resolve) => {
    fail = resolve;
  });
  let isLost = false;
  const election = fence
    ? elect({
        fence,
        client: electionClient,
        namespace: options.leaseNamespace,
        name: options.leaseName,
        identity: `${options.instance}_${randomBytes(4).toString("hex")}`,
        onElected: work.lead,
        onLost: () => {
          isLost = true;
          fail("the Lease is lost: another process may be the leader");
        },
        log,
      })
    : undefined;
  if (election === undefined) work.lead();
  isLeader = election?.isLeader ?? (() => true);
  if (election !== undefined) stuckElection = () => !isLost && election.idleSeconds() > stuckElectionSeconds;

  return {
    healthPort: health.port,
    failed,
    stop: async () => {
      // What is under way may end, unless another process may write already.
      if (isLost) client.close();
      await Promise.race([
        work.stop(!isLost),
        new Promise((resolve) => setTimeout(resolve, drainMilliseconds).unref()),
      ]);
      const cutOff = fence?.close() ?? 0;
      client.close();
      if (cutOff > 0)
        log.warn({ calls: cutOff }, "writes did not end in time; the Lease is not released and will expire");
      // The API server may yet do what was cut off: the Lease then protects it from what another process does.
      await election?.stop(cutOff === 0);
      health.close();
      electionClient.close();
    },
  };
}
