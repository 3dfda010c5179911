import { setTimeout as sleep } from "node:timers/promises";
import { isApiError } from "../errors.ts";
import type { KubeObject } from "../object.ts";
import type { ApiClient } from "./api-client.ts";
import { jittered, timerMilliseconds } from "./backoff.ts";
import type { LeaseFence } from "./fence.ts";

/** The fields of a coordination.k8s.io/v1 Lease that leader election uses. */
interface Lease extends KubeObject {
  spec?: {
    holderIdentity?: string;
    leaseDurationSeconds?: number;
    acquireTime?: string;
    renewTime?: string;
    leaseTransitions?: number;
  };
}

/** In seconds. The defaults are those of client-go: another process takes over after `lease` without a renewal. */
export interface LeaseTiming {
  readonly lease: number;
  /** A leader writes until this time after the start of its last renewal. It must be shorter than `lease`. */
  readonly renewDeadline: number;
  readonly retry: number;
}

export const defaultLeaseTiming: LeaseTiming = { lease: 15, renewDeadline: 10, retry: 2 };

export interface Election {
  readonly isLeader: () => boolean;
  /** Since the last attempt: a working election is not idle for longer than `lease`. */
  readonly idleSeconds: () => number;
  /** Ends the election. With `isReleasing`, releases a held Lease, so that another process takes over immediately. */
  stop(isReleasing: boolean): Promise<void>;
}

/** Receives messages with their fields. */
type LogLine = (fields: object, message: string) => void;

export interface ElectionOptions {
  readonly client: ApiClient;
  readonly namespace: string;
  readonly name: string;
  /** Unique to this process. */
  readonly identity: string;
  /** Opened by each renewal, for the time in which no other process can take over. */
  readonly fence: LeaseFence;
  readonly onElected: () => void;
  /** Called when the Lease is lost: another process can write. The fence is already closed. */
  readonly onLost: () => void;
  readonly log: Readonly<Record<"info" | "warn" | "error", LogLine>>;
  readonly timing?: LeaseTiming;
}

/** Minimum interval between attempts of a waiting process, even if its watch fails. */
const leastWaitSeconds = 1;

/**
 * Leader election with a Lease, as in client-go: a renewal by another process counts from when this process observed it,
 * since clocks differ. A waiting process watches the Lease to notice its release immediately; the leader
 * watches it to notice immediately when another process acquires it.
 *
 * A renewal opens the fence for `renewDeadline` from the start of its request. The rest of `lease` is for requests
 * that were sent before.
 */
export function elect(options: ElectionOptions): Election {
  const { client, namespace, name, identity, fence, log, timing = defaultLeaseTiming } = options;
  const path = `${leasesOf(namespace)}/${name}`;
  const stopping = new AbortController();
  let lease: Lease | undefined;
  let seen = { version: "", at: performance.now() };
  let renewedAt = Number.NEGATIVE_INFINITY;
  let triedAt = performance.now();
  let leading = false;
  let isTaken = false;
  /** Ends the delay between two renewals. */
  let wake = () => {};

  const finished = run();
  return {
    isLeader: () => leading,
    idleSeconds: () => secondsSince(triedAt),
    stop: async (isReleasing) => {
      stopping.abort();
      await finished;
      if (leading && isReleasing) await release();
      leading = false;
      fence.close();
    },
  };

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      triedAt = performance.now();
      const holds = await tryOnce();
      if (stopping.signal.aborted) return;
      if (holds && !leading) {
        leading = true;
        log.info({ lease: `${namespace}/${name}`, identity }, "this process is the leader");
        options.onElected();
        void watchHolder();
      } else if (leading && !holds && (isTaken || secondsSince(renewedAt) > timing.renewDeadline)) {
        leading = false;
        fence.close();
        log.error(
          { lease: `${namespace}/${name}`, identity, holder: lease?.spec?.holderIdentity },
          "the Lease is lost",
        );
        options.onLost();
        return;
      }
      if (leading) await Promise.race([pause(timing.retry), new Promise<void>((resolve) => (wake = resolve))]);
      else {
        await changeOrPause();
        await pause(jittered(leastWaitSeconds) - secondsSince(triedAt));
      }
    }
  }

  /** Returns whether this process holds the Lease afterwards. */
  async function tryOnce(canRepeat = true): Promise<boolean> {
    if (isTaken) return false;
    try {
      if (!leading || lease === undefined)
        note(await client.request<Lease>({ method: "GET", path, timeoutSeconds: 5 }));
      if (lease !== undefined && !isFree(lease)) {
        isTaken = leading;
        return false;
      }
      await acquire("PUT", path, lease);
      return true;
    } catch (error) {
      if (isApiError(error, 404)) return create();
      lease = undefined;
      if (!isApiError(error, 409)) log.warn({ error, lease: `${namespace}/${name}` }, "cannot read or renew the Lease");
      // Another process has written it: read it again immediately to know its holder.
      else if (leading && canRepeat) return tryOnce(false);
      return false;
    }
  }

  /** Acquires or renews the Lease. The fence counts from before the request; other processes count from when they observe the renewal. */
  async function acquire(method: "PUT" | "POST", at: string, previous: Lease | undefined): Promise<void> {
    const began = performance.now();
    const reading = fence.clock.read();
    note(await client.request<Lease>({ method, path: at, body: acquired(previous), timeoutSeconds: 5 }));
    renewedAt = began;
    if (!isTaken && !stopping.signal.aborted) fence.extend(reading, timing.renewDeadline);
  }

  /** Closes the fence of the leader as soon as another process holds the Lease, or it is deleted. */
  async function watchHolder(): Promise<void> {
    while (leading && !isTaken && !stopping.signal.aborted) {
      const query = { ...watchQuery(), timeoutSeconds: 300 };
      const call = { method: "GET", path: leasesOf(namespace), query, signal: stopping.signal } as const;
      const take = (line: string) => {
        const { type, object }: { type?: string; object?: Lease } = JSON.parse(line);
        if (type === "ERROR") throw new Error("The watch of the Lease failed.");
        if (!leading || object?.spec === undefined) return;
        const holder = type === "DELETED" ? "" : (object.spec.holderIdentity ?? "");
        if (holder === identity) return;
        isTaken = holder !== "";
        if (isTaken) lease = object;
        fence.close();
        wake();
      };
      await client.stream(call, timing.lease, take).catch(() => undefined);
      await pause(jittered(timing.retry));
    }
  }

  function watchQuery() {
    return { watch: true, fieldSelector: `metadata.name=${name}`, resourceVersion: lease?.metadata.resourceVersion };
  }

  async function create(): Promise<boolean> {
    try {
      const collection = leasesOf(namespace);
      await acquire("POST", collection, undefined);
      return true;
    } catch (error) {
      if (!isApiError(error, 409)) log.warn({ error, lease: `${namespace}/${name}` }, "cannot create the Lease");
      return false;
    }
  }

  function note(read: Lease): void {
    const version = read.metadata.resourceVersion ?? "";
    if (version !== seen.version) seen = { version, at: performance.now() };
    lease = read;
  }

  function isFree({ spec = {} }: Lease): boolean {
    const { holderIdentity = "", leaseDurationSeconds = timing.lease } = spec;
    return holderIdentity === "" || holderIdentity === identity || secondsSince(seen.at) > leaseDurationSeconds;
  }

  function acquired(previous: Lease | undefined): Lease {
    const now = `${new Date().toISOString().slice(0, -1)}000Z`;
    const isNew = previous?.spec?.holderIdentity !== identity;
    return {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { ...previous?.metadata, name, namespace },
      spec: {
        ...previous?.spec,
        holderIdentity: identity,
        leaseDurationSeconds: timing.lease,
        renewTime: now,
        ...(isNew && { acquireTime: now, leaseTransitions: (previous?.spec?.leaseTransitions ?? -1) + 1 }),
      },
    };
  }

  async function release(): Promise<void> {
    if (lease === undefined) return;
    const body: Lease = { ...lease, spec: { ...lease.spec, holderIdentity: "", leaseDurationSeconds: 1 } };
    try {
      await client.request<Lease>({ method: "PUT", path, body, timeoutSeconds: 2 });
      log.info({ lease: `${namespace}/${name}`, identity }, "the Lease is released");
    } catch (error) {
      log.warn({ error, lease: `${namespace}/${name}` }, "cannot release the Lease; it will expire");
    }
  }

  /** Resolves when the Lease is released or deleted, at the latest when it may have expired. */
  async function changeOrPause(): Promise<void> {
    const waiting = new AbortController();
    const signal = AbortSignal.any([waiting.signal, stopping.signal]);
    const query = { ...watchQuery(), timeoutSeconds: Math.ceil(timing.lease) };
    const watching = client
      .stream({ method: "GET", path: leasesOf(namespace), query, signal }, timing.lease, (line) => {
        const event: { type?: string; object?: Lease } = JSON.parse(line);
        if (event.type === "DELETED" || event.type === "ERROR") lease = undefined;
        else if (event.object !== undefined) note(event.object);
        if (lease === undefined || isFree(lease)) waiting.abort();
      })
      // No delay if the watch was aborted because the Lease is free.
      .catch(() => (waiting.signal.aborted ? undefined : pause(jittered(timing.retry))));
    await Promise.race([watching, pause(timing.lease + 0.5 - secondsSince(seen.at))]);
    waiting.abort();
  }

  async function pause(seconds: number): Promise<void> {
    if (seconds <= 0) return;
    await sleep(timerMilliseconds(seconds), undefined, { signal: stopping.signal }).catch(() => undefined);
  }
}

function leasesOf(namespace: string): string {
  return `/apis/coordination.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/leases`;
}

function secondsSince(time: number): number {
  return (performance.now() - time) / 1000;
}
