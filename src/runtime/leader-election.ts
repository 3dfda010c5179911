import { setTimeout as sleep } from "node:timers/promises";
import type { ApiClient } from "../client/api-client.ts";
import { jittered, timerMilliseconds } from "../client/backoff.ts";
import type { LeaseFence } from "../client/fence.ts";
import { isApiError } from "../kube/api-error.ts";
import { resourcePath } from "../kube/kinds.ts";
import type { KubeObject } from "../kube/object.ts";
import type { Log } from "./log.ts";

/** coordination.k8s.io/v1 Lease, as far as leader election uses it. */
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
  /** For so long after the start of its last renewal a leader writes; then it gives up, earlier than another may take over. */
  readonly renewDeadline: number;
  readonly retry: number;
}

export const defaultLeaseTiming: LeaseTiming = { lease: 15, renewDeadline: 10, retry: 2 };

export interface Election {
  readonly isLeader: () => boolean;
  /** Since anything was tried: what works is never idle for longer than a Lease. */
  readonly idleSeconds: () => number;
  /** Ends it; releases the Lease, if it is held and that is wanted, so that another process takes over at once. */
  stop(isReleasing: boolean): Promise<void>;
}

export interface ElectionOptions {
  readonly client: ApiClient;
  readonly namespace: string;
  readonly name: string;
  /** Unique to this process. */
  readonly identity: string;
  /** Opened by each renewal, for as long as no other process can take over. */
  readonly fence: LeaseFence;
  readonly onElected: () => void;
  /** The Lease was lost: another process may write from now on. The fence is closed already. */
  readonly onLost: () => void;
  readonly log: Log;
  readonly timing?: LeaseTiming;
}

/** At least so long is between two attempts of a process that waits, whatever the API server does with its watch. */
const leastWaitSeconds = 1;

/**
 * Leader election by a Lease, as client-go does it: the time of another's renewal is judged by when this process saw it
 * change, since clocks differ. A process that waits watches the Lease, so that it notices its release at once; one that leads
 * watches it, so that it notices at once when another takes it.
 *
 * A renewal opens the fence from the moment at which its request began, for `renewDeadline`: the rest of `lease` is for calls
 * that have been sent by then.
 */
export function elect(options: ElectionOptions): Election {
  const { client, namespace, name, identity, fence, log, timing = defaultLeaseTiming } = options;
  const path = resourcePath("Lease", namespace, name);
  const stopping = new AbortController();
  let lease: Lease | undefined;
  let seen = { version: "", at: performance.now() };
  let renewedAt = Number.NEGATIVE_INFINITY;
  let triedAt = performance.now();
  let leading = false;
  let isTaken = false;
  /** Ends the pause between two renewals. */
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

  /** True when the Lease is ours after this. */
  async function tryOnce(mayRepeat = true): Promise<boolean> {
    if (isTaken) return false;
    try {
      if (!leading || lease === undefined)
        note(await client.request<Lease>({ method: "GET", path, timeoutSeconds: 5 }));
      if (lease !== undefined && !isFree(lease)) {
        isTaken = leading;
        return false;
      }
      await claim("PUT", path, lease);
      return true;
    } catch (error) {
      if (isApiError(error, 404)) return create();
      lease = undefined;
      if (!isApiError(error, 409)) log.warn({ error, lease: `${namespace}/${name}` }, "cannot read or renew the Lease");
      // Another has written it: whether it holds it now must be known at once.
      else if (leading && mayRepeat) return tryOnce(false);
      return false;
    }
  }

  /** The time of the fence is counted from before the request is sent: others count from when they have seen what it wrote. */
  async function claim(method: "PUT" | "POST", at: string, former: Lease | undefined): Promise<void> {
    const began = performance.now();
    const reading = fence.clock.read();
    note(await client.request<Lease>({ method, path: at, body: claimed(former), timeoutSeconds: 5 }));
    renewedAt = began;
    if (!isTaken && !stopping.signal.aborted) fence.extend(reading, timing.renewDeadline);
  }

  /** While this process leads: closes the fence as soon as another one holds the Lease, or it is gone. */
  async function watchHolder(): Promise<void> {
    while (leading && !isTaken && !stopping.signal.aborted) {
      const query = { ...watchQuery(), timeoutSeconds: 300 };
      const call = { method: "GET", path: resourcePath("Lease", namespace), query, signal: stopping.signal } as const;
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
      const collection = resourcePath("Lease", namespace);
      await claim("POST", collection, undefined);
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

  function claimed(former: Lease | undefined): Lease {
    const now = `${new Date().toISOString().slice(0, -1)}000Z`;
    const isNew = former?.spec?.holderIdentity !== identity;
    return {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { ...former?.metadata, name, namespace },
      spec: {
        ...former?.spec,
        holderIdentity: identity,
        leaseDurationSeconds: timing.lease,
        renewTime: now,
        ...(isNew && { acquireTime: now, leaseTransitions: (former?.spec?.leaseTransitions ?? -1) + 1 }),
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

  /** Ends when the Lease is released or deleted, and no later than when it may have expired. */
  async function changeOrPause(): Promise<void> {
    const waiting = new AbortController();
    const signal = AbortSignal.any([waiting.signal, stopping.signal]);
    const query = { ...watchQuery(), timeoutSeconds: Math.ceil(timing.lease) };
    const watching = client
      .stream({ method: "GET", path: resourcePath("Lease", namespace), query, signal }, timing.lease, (line) => {
        const event: { type?: string; object?: Lease } = JSON.parse(line);
        if (event.type === "DELETED" || event.type === "ERROR") lease = undefined;
        else if (event.object !== undefined) note(event.object);
        if (lease === undefined || isFree(lease)) waiting.abort();
      })
      // Giving the watch up because the Lease is free is no reason to wait.
      .catch(() => (waiting.signal.aborted ? undefined : pause(jittered(timing.retry))));
    await Promise.race([watching, pause(timing.lease + 0.5 - secondsSince(seen.at))]);
    waiting.abort();
  }

  async function pause(seconds: number): Promise<void> {
    if (seconds <= 0) return;
    await sleep(timerMilliseconds(seconds), undefined, { signal: stopping.signal }).catch(() => undefined);
  }
}

function secondsSince(time: number): number {
  return (performance.now() - time) / 1000;
}
