import { setTimeout as sleep } from "node:timers/promises";
import type { ApiClient } from "../client/api-client.ts";
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
  /** A leader that could not renew for so long gives up: earlier than another may take over. */
  readonly renewDeadline: number;
  readonly retry: number;
}

export const defaultLeaseTiming: LeaseTiming = { lease: 15, renewDeadline: 10, retry: 2 };

export interface Election {
  readonly isLeader: () => boolean;
  /** Releases the Lease, if held, so that another process takes over at once. */
  stop(): Promise<void>;
}

export interface ElectionOptions {
  readonly client: ApiClient;
  readonly namespace: string;
  readonly name: string;
  /** Unique to this process. */
  readonly identity: string;
  readonly onElected: () => void;
  /** The Lease was lost: another process may write from now on, so this one must not. */
  readonly onLost: () => void;
  readonly log: Log;
  readonly timing?: LeaseTiming;
}

/**
 * Leader election by a Lease, as client-go does it: the time of another's renewal is judged by when this process saw it
 * change, since clocks differ. A process that waits watches the Lease, so that it notices its release at once.
 */
export function elect(options: ElectionOptions): Election {
  const { client, namespace, name, identity, log, timing = defaultLeaseTiming } = options;
  const path = resourcePath("Lease", namespace, name);
  const stopping = new AbortController();
  let lease: Lease | undefined;
  let seen = { version: "", at: performance.now() };
  let renewedAt = Number.NEGATIVE_INFINITY;
  let leading = false;

  const finished = run();
  return {
    isLeader: () => leading,
    stop: async () => {
      stopping.abort();
      await finished;
      if (leading) await release();
      leading = false;
    },
  };

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      const holds = await tryOnce();
      if (stopping.signal.aborted) return;
      if (holds && !leading) {
        leading = true;
        log.info({ lease: `${namespace}/${name}`, identity }, "this process leads");
        options.onElected();
      } else if (leading && !holds && secondsSince(renewedAt) > timing.renewDeadline) {
        leading = false;
        log.error({ lease: `${namespace}/${name}`, identity }, "the Lease is lost");
        options.onLost();
        return;
      }
      await (leading ? pause(timing.retry) : changeOrPause());
    }
  }

  /** True when the Lease is ours after this. */
  async function tryOnce(): Promise<boolean> {
    try {
      if (!leading || lease === undefined)
        note(await client.request<Lease>({ method: "GET", path, timeoutSeconds: 5 }));
      if (lease !== undefined && !isFree(lease)) return false;
      note(await client.request<Lease>({ method: "PUT", path, body: claimed(lease), timeoutSeconds: 5 }));
      renewedAt = performance.now();
      return true;
    } catch (error) {
      if (isApiError(error, 404)) return create();
      lease = undefined;
      if (!isApiError(error, 409))
        log.warn({ error, lease: `${namespace}/${name}` }, "the Lease cannot be read or renewed");
      return false;
    }
  }

  async function create(): Promise<boolean> {
    try {
      const collection = resourcePath("Lease", namespace);
      note(
        await client.request<Lease>({ method: "POST", path: collection, body: claimed(undefined), timeoutSeconds: 5 }),
      );
      renewedAt = performance.now();
      return true;
    } catch (error) {
      if (!isApiError(error, 409)) log.warn({ error, lease: `${namespace}/${name}` }, "the Lease cannot be created");
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
      log.warn({ error, lease: `${namespace}/${name}` }, "the Lease cannot be released; it expires by itself");
    }
  }

  /** Ends when the Lease is released or deleted, and no later than when it may have expired. */
  async function changeOrPause(): Promise<void> {
    const waiting = new AbortController();
    const signal = AbortSignal.any([waiting.signal, stopping.signal]);
    const query = {
      watch: true,
      fieldSelector: `metadata.name=${name}`,
      resourceVersion: lease?.metadata.resourceVersion,
      timeoutSeconds: Math.ceil(timing.lease),
    };
    const watching = client
      .stream({ method: "GET", path: resourcePath("Lease", namespace), query, signal }, timing.lease, (line) => {
        const event: { type?: string; object?: Lease } = JSON.parse(line);
        if (event.type === "DELETED" || event.type === "ERROR") lease = undefined;
        else if (event.object !== undefined) note(event.object);
        if (lease === undefined || isFree(lease)) waiting.abort();
      })
      // Giving the watch up because the Lease is free is no reason to wait.
      .catch(() => (waiting.signal.aborted ? undefined : pause(timing.retry)));
    await Promise.race([watching, pause(timing.lease + 0.5 - secondsSince(seen.at))]);
    waiting.abort();
  }

  async function pause(seconds: number): Promise<void> {
    await sleep(Math.max(seconds, 0.2) * 1000, undefined, { signal: stopping.signal }).catch(() => undefined);
  }
}

function secondsSince(time: number): number {
  return (performance.now() - time) / 1000;
}
