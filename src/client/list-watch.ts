import { setTimeout as sleep } from "node:timers/promises";
import { ApiError, isApiError } from "../kube/api-error.ts";
import type { KubeObject } from "../kube/object.ts";
import type { ApiClient } from "./api-client.ts";
import { backoffMilliseconds } from "./backoff.ts";
import { failureOfStatus, type Status } from "./failure.ts";
import type { Listing, Sink } from "./sink.ts";
import { defaultTiming, type ListWatchTiming } from "./timing.ts";
import { trimmed } from "./trimmed.ts";

/** What is listed and watched. */
export interface Resource {
  /** As metrics and messages call it: the plural, with the namespace where it is narrowed to one. */
  readonly name: string;
  readonly path: string;
  readonly apiVersion: string;
  readonly kind: string;
  readonly labelSelector?: string;
  /** Only metadata is sent, though it is kept: all that matters of such an object is in it. */
  readonly isMetadataOnly?: true;
  /** The cluster may not know it: then there is nothing, which is no failure, and it is asked for again while it is wanted. */
  readonly optional?: { readonly isWanted: () => boolean };
}

/** What metrics and logs want to know. */
export interface ListWatchObserver {
  /** A list was complete; `again` if it was not the first. */
  listed?(resource: string, again: boolean): void;
  /** A watch was opened again where the former one ended. */
  resumed?(resource: string): void;
  /** A list or a watch failed; it will be tried again after `delaySeconds`. */
  failed?(resource: string, error: unknown, delaySeconds: number): void;
}

export interface ListWatchState {
  /** Lists and watches that failed since the API server last told something new. */
  readonly failures: number;
  /** When the API server last said something about this resource, in milliseconds since the epoch; 0 is never. */
  readonly lastContact: number;
}

export interface ListWatch {
  /** True when the first list is complete, false when it was stopped before. */
  readonly synced: Promise<boolean>;
  /** False where the API server has said that it knows no such resource. */
  isKnown(): boolean;
  state(): ListWatchState;
  stop(): void;
}

interface Page<T> {
  readonly metadata: { readonly resourceVersion?: string; readonly continue?: string };
  readonly items?: readonly T[] | null;
}

/** A list on its way. A page that fails is asked for again by its token, and what came before it need not be. */
interface Begun<T> {
  readonly listing: Listing<T> | undefined;
  next?: string | undefined;
  resourceVersion?: string | undefined;
}

type WatchEvent<T> =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK"; readonly object: T }
  | { readonly type: "ERROR"; readonly object: Status };

const changes = { ADDED: "added", MODIFIED: "modified", DELETED: "deleted" } as const;

/** A watch that the server ends sooner than this without a word counts as a failure, so that it is not asked in a loop. */
const shortestWatchMilliseconds = 1000;

/**
 * Lists one resource and watches it from there, for ever: whatever fails is tried again with growing pauses. A watch
 * goes on where the former one ended; a list is made again only when the API server no longer knows that position.
 */
export function listWatch<T extends KubeObject>(
  client: ApiClient,
  resource: Resource,
  sink: Sink<T>,
  observer: ListWatchObserver = {},
  timing: ListWatchTiming = defaultTiming,
): ListWatch {
  const stopping = new AbortController();
  const { signal } = stopping;
  const { path, labelSelector } = resource;
  const isPartial = sink.listing === undefined || resource.isMetadataOnly === true;
  const { promise: synced, resolve: sync } = Promise.withResolvers<boolean>();
  let position: string | undefined;
  /** A list that has pages to come. */
  let begun: Begun<T> | undefined;
  let lists = 0;
  let lastContact = 0;
  let failures = 0;
  let isKnown = true;

  async function list(): Promise<string> {
    begun ??= { listing: sink.listing?.() };
    const { listing } = begun;
    do {
      const page: Page<T> = await client.request<Page<T>>({
        method: "GET",
        path,
        query: { labelSelector, limit: listing === undefined ? 1 : timing.pageSize, continue: begun.next },
        timeoutSeconds: 60,
        signal,
        ...(isPartial ? { accept: metadataOnly("PartialObjectMetadataList") } : {}),
      });
      lastContact = Date.now();
      // All pages are of the moment of the first.
      begun.resourceVersion ??= page.metadata.resourceVersion;
      if (listing !== undefined) for (const item of page.items ?? []) listing.item(received(item));
      begun.next = listing === undefined ? undefined : page.metadata.continue;
    } while (begun.next);
    const { resourceVersion } = begun;
    isKnown = true;
    if (resourceVersion === undefined) throw new Error(`The list of ${resource.name} has no resourceVersion.`);
    begun = undefined;
    listing?.complete(resourceVersion);
    sink.relisted?.();
    observer.listed?.(resource.name, lists > 0);
    lists += 1;
    return resourceVersion;
  }

  async function watch(from: string): Promise<void> {
    const [shortest, longest] = timing.watchSeconds;
    const call = {
      method: "GET",
      path,
      query: {
        watch: true,
        allowWatchBookmarks: true,
        resourceVersion: from,
        timeoutSeconds: Math.round(shortest + Math.random() * (longest - shortest)),
        labelSelector,
      },
      signal,
      ...(isPartial ? { accept: metadataOnly("PartialObjectMetadata") } : {}),
    } as const;
    const opened = performance.now();
    await client.stream(call, timing.idleSeconds, receive);
    if (performance.now() - opened < shortestWatchMilliseconds) {
      throw new ApiError("GET", path, {
        status: 0,
        reason: "Closed",
        detail: "The watch was closed as soon as opened.",
      });
    }
    failures = 0;
  }

  function receive(line: string): void {
    const event: WatchEvent<T> = JSON.parse(line);
    lastContact = Date.now();
    if (event.type === "ERROR") throw new ApiError("GET", path, failureOfStatus(event.object));
    failures = 0;
    const { resourceVersion } = event.object.metadata;
    if (event.type !== "BOOKMARK") sink.changed(changes[event.type], received(event.object));
    else if (resourceVersion !== undefined) sink.reached?.(resourceVersion);
    position = resourceVersion ?? position;
  }

  /** Items of a list do not say what they are. */
  function received(object: T): T {
    if (resource.isMetadataOnly) {
      // It calls itself PartialObjectMetadata.
      object.apiVersion = resource.apiVersion;
      object.kind = resource.kind;
    }
    object.apiVersion ??= resource.apiVersion;
    object.kind ??= resource.kind;
    return sink.listing === undefined ? object : trimmed(object);
  }

  /** One list where there is no position, and one watch. Returns how long to wait before the next, in milliseconds. */
  async function round(): Promise<number> {
    if (!isKnown && resource.optional?.isWanted() === false) return timing.backoff.longest * 1000;
    try {
      if (position === undefined) {
        position = await list();
        sync(true);
      } else {
        observer.resumed?.(resource.name);
      }
      await watch(position);
      return 0;
    } catch (error) {
      if (signal.aborted) return 0;
      if (resource.optional !== undefined && isApiError(error, 404)) return unknown();
      if (resource.optional !== undefined && isSettingUp(error))
        return (error.retryAfterSeconds ?? timing.backoff.first) * 1000;
      failures += 1;
      if (invalidates(error, failures)) {
        position = undefined;
        begun = undefined;
      }
      const retryAfter = error instanceof ApiError ? error.retryAfterSeconds : undefined;
      const delay = backoffMilliseconds(failures, timing.backoff, retryAfter);
      observer.failed?.(resource.name, error, delay / 1000);
      return delay;
    }
  }

  /** The definition has just come, or come again, and the API server has no storage for it yet. */
  function isSettingUp(error: unknown): error is ApiError {
    return isApiError(error, 429) && (!isKnown || error.detail.includes("storage is (re)initializing"));
  }

  /** There is nothing of a resource that is not there (any more). Its definition comes without a word to us. */
  function unknown(): number {
    const isNews = isKnown;
    isKnown = false;
    position = undefined;
    begun = undefined;
    failures = 0;
    lastContact = Date.now();
    if (isNews) {
      sink.listing?.().complete("0");
      sink.relisted?.();
    }
    sync(true);
    return timing.backoff.longest * 1000;
  }

  async function run(): Promise<void> {
    // Even an observer that throws must not end the watch.
    const pause = () => timing.backoff.longest * 1000;
    while (!signal.aborted) await sleep(await round().catch(pause), undefined, { signal }).catch(() => {});
    sync(false);
  }

  void run();
  return {
    synced,
    isKnown: () => isKnown,
    state: () => ({ failures, lastContact }),
    stop: () => stopping.abort(),
  };
}

/**
 * Whether a failure means that the position is of no use any more: 410, the API server has forgotten it; 400, it does not
 * understand it; 504 again and again, it never reaches it (etcd was restored from a backup). So does an error of our own
 * while taking in an event: what is known then is uncertain.
 */
function invalidates(error: unknown, failures: number): boolean {
  if (!(error instanceof ApiError)) return true;
  return error.status === 410 || error.status === 400 || (error.status === 504 && failures >= 3);
}

/** Asks for `PartialObjectMetadata` instead of whole objects (Kubernetes, "API concepts: metadata-only fetches"). */
function metadataOnly(kind: string): string {
  return `application/json;as=${kind};g=meta.k8s.io;v=v1`;
}
