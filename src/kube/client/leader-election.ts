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
export class LeaderElection {
  readonly #options: ElectionOptions & { readonly timing: LeaseTiming };
  /** The Lease, for log lines. */
  readonly #place: string;
  readonly #path: string;
  readonly #stopping = new AbortController();
  readonly #finished: Promise<void>;
  #lease: Lease | undefined;
  #seen = { version: "", at: performance.now() };
  #renewedAt = Number.NEGATIVE_INFINITY;
  #triedAt = performance.now();
  #leading = false;
  #isTaken = false;
  /** Ends the delay between two renewals. */
  #wake = () => {};

  constructor(options: ElectionOptions) {
    this.#options = { timing: defaultLeaseTiming, ...options };
    this.#place = `${options.namespace}/${options.name}`;
    this.#path = `${leasesOf(options.namespace)}/${options.name}`;
    this.#finished = this.#run();
  }

  isLeader(): boolean {
    return this.#leading;
  }

  /** Since the last attempt: a working election is not idle for longer than `lease`. */
  idleSeconds(): number {
    return secondsSince(this.#triedAt);
  }

  /** Ends the election. With `isReleasing`, releases a held Lease, so that another process takes over immediately. */
  async stop(isReleasing: boolean): Promise<void> {
    this.#stopping.abort();
    await this.#finished;
    if (this.#leading && isReleasing) await this.#release();
    this.#leading = false;
    this.#options.fence.close();
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      this.#triedAt = performance.now();
      const holds = await this.#tryOnce();
      if (this.#stopping.signal.aborted) return;
      if (holds && !this.#leading) {
        this.#leading = true;
        this.#options.log.info({ lease: this.#place, identity: this.#options.identity }, "this process is the leader");
        this.#options.onElected();
        void this.#watchHolder();
      } else if (
        this.#leading &&
        !holds &&
        (this.#isTaken || secondsSince(this.#renewedAt) > this.#options.timing.renewDeadline)
      ) {
        this.#leading = false;
        this.#options.fence.close();
        this.#options.log.error(
          { lease: this.#place, identity: this.#options.identity, holder: this.#lease?.spec?.holderIdentity },
          "the Lease is lost",
        );
        this.#options.onLost();
        return;
      }
      if (this.#leading)
        await Promise.race([
          this.#pause(this.#options.timing.retry),
          new Promise<void>((resolve) => (this.#wake = resolve)),
        ]);
      else {
        await this.#changeOrPause();
        await this.#pause(jittered(leastWaitSeconds) - secondsSince(this.#triedAt));
      }
    }
  }

  /** Returns whether this process holds the Lease afterwards. */
  async #tryOnce(canRepeat = true): Promise<boolean> {
    if (this.#isTaken) return false;
    try {
      if (!this.#leading || this.#lease === undefined)
        this.#note(await this.#options.client.request<Lease>({ method: "GET", path: this.#path, timeoutSeconds: 5 }));
      if (this.#lease !== undefined && !this.#isFree(this.#lease)) {
        this.#isTaken = this.#leading;
        return false;
      }
      await this.#acquire("PUT", this.#path, this.#lease);
      return true;
    } catch (error) {
      if (isApiError(error, 404)) return this.#create();
      this.#lease = undefined;
      if (!isApiError(error, 409))
        this.#options.log.warn({ error, lease: this.#place }, "cannot read or renew the Lease");
      // Another process has written it: read it again immediately to know its holder.
      else if (this.#leading && canRepeat) return this.#tryOnce(false);
      return false;
    }
  }

  /** Acquires or renews the Lease. The fence counts from before the request; other processes count from when they observe the renewal. */
  async #acquire(method: "PUT" | "POST", at: string, previous: Lease | undefined): Promise<void> {
    const began = performance.now();
    const reading = this.#options.fence.clock.read();
    this.#note(
      await this.#options.client.request<Lease>({
        method,
        path: at,
        body: this.#acquired(previous),
        timeoutSeconds: 5,
      }),
    );
    this.#renewedAt = began;
    if (!this.#isTaken && !this.#stopping.signal.aborted)
      this.#options.fence.extend(reading, this.#options.timing.renewDeadline);
  }

  /** Closes the fence of the leader as soon as another process holds the Lease, or it is deleted. */
  async #watchHolder(): Promise<void> {
    while (this.#leading && !this.#isTaken && !this.#stopping.signal.aborted) {
      const query = { ...this.#watchQuery(), timeoutSeconds: 300 };
      const call = {
        method: "GET",
        path: leasesOf(this.#options.namespace),
        query,
        signal: this.#stopping.signal,
      } as const;
      const take = (line: string) => {
        const { type, object }: { type?: string; object?: Lease } = JSON.parse(line);
        if (type === "ERROR") throw new Error("The watch of the Lease failed.");
        if (!this.#leading || object?.spec === undefined) return;
        const holder = type === "DELETED" ? "" : (object.spec.holderIdentity ?? "");
        if (holder === this.#options.identity) return;
        this.#isTaken = holder !== "";
        if (this.#isTaken) this.#lease = object;
        this.#options.fence.close();
        this.#wake();
      };
      await this.#options.client.stream(call, this.#options.timing.lease, take).catch(() => undefined);
      await this.#pause(jittered(this.#options.timing.retry));
    }
  }

  #watchQuery() {
    return {
      watch: true,
      fieldSelector: `metadata.name=${this.#options.name}`,
      resourceVersion: this.#lease?.metadata.resourceVersion,
    };
  }

  async #create(): Promise<boolean> {
    try {
      const collection = leasesOf(this.#options.namespace);
      await this.#acquire("POST", collection, undefined);
      return true;
    } catch (error) {
      if (!isApiError(error, 409)) this.#options.log.warn({ error, lease: this.#place }, "cannot create the Lease");
      return false;
    }
  }

  #note(read: Lease): void {
    const version = read.metadata.resourceVersion ?? "";
    if (version !== this.#seen.version) this.#seen = { version, at: performance.now() };
    this.#lease = read;
  }

  #isFree({ spec = {} }: Lease): boolean {
    const { holderIdentity = "", leaseDurationSeconds = this.#options.timing.lease } = spec;
    return (
      holderIdentity === "" ||
      holderIdentity === this.#options.identity ||
      secondsSince(this.#seen.at) > leaseDurationSeconds
    );
  }

  #acquired(previous: Lease | undefined): Lease {
    const now = `${new Date().toISOString().slice(0, -1)}000Z`;
    const isNew = previous?.spec?.holderIdentity !== this.#options.identity;
    return {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { ...previous?.metadata, name: this.#options.name, namespace: this.#options.namespace },
      spec: {
        ...previous?.spec,
        holderIdentity: this.#options.identity,
        leaseDurationSeconds: this.#options.timing.lease,
        renewTime: now,
        ...(isNew && { acquireTime: now, leaseTransitions: (previous?.spec?.leaseTransitions ?? -1) + 1 }),
      },
    };
  }

  async #release(): Promise<void> {
    if (this.#lease === undefined) return;
    const body: Lease = { ...this.#lease, spec: { ...this.#lease.spec, holderIdentity: "", leaseDurationSeconds: 1 } };
    try {
      await this.#options.client.request<Lease>({ method: "PUT", path: this.#path, body, timeoutSeconds: 2 });
      this.#options.log.info({ lease: this.#place, identity: this.#options.identity }, "the Lease is released");
    } catch (error) {
      this.#options.log.warn({ error, lease: this.#place }, "cannot release the Lease; it will expire");
    }
  }

  /** Resolves when the Lease is released or deleted, at the latest when it may have expired. */
  async #changeOrPause(): Promise<void> {
    const waiting = new AbortController();
    const signal = AbortSignal.any([waiting.signal, this.#stopping.signal]);
    const query = { ...this.#watchQuery(), timeoutSeconds: Math.ceil(this.#options.timing.lease) };
    const watching = this.#options.client
      .stream(
        { method: "GET", path: leasesOf(this.#options.namespace), query, signal },
        this.#options.timing.lease,
        (line) => {
          const event: { type?: string; object?: Lease } = JSON.parse(line);
          if (event.type === "DELETED" || event.type === "ERROR") this.#lease = undefined;
          else if (event.object !== undefined) this.#note(event.object);
          if (this.#lease === undefined || this.#isFree(this.#lease)) waiting.abort();
        },
      )
      // No delay if the watch was aborted because the Lease is free.
      .catch(() => (waiting.signal.aborted ? undefined : this.#pause(jittered(this.#options.timing.retry))));
    await Promise.race([watching, this.#pause(this.#options.timing.lease + 0.5 - secondsSince(this.#seen.at))]);
    waiting.abort();
  }

  async #pause(seconds: number): Promise<void> {
    if (seconds <= 0) return;
    await sleep(timerMilliseconds(seconds), undefined, { signal: this.#stopping.signal }).catch(() => undefined);
  }
}

function leasesOf(namespace: string): string {
  return `/apis/coordination.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/leases`;
}

function secondsSince(time: number): number {
  return (performance.now() - time) / 1000;
}
