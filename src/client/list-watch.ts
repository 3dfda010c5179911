import { setTimeout as sleep } from "node:timers/promises";
import { ApiError, isApiError } from "../kube/api-error.ts";
import type { KubeObject } from "../kube/object.ts";
import type { ApiClient } from "./api-client.ts";
import { backoffMilliseconds, jittered, timerMilliseconds } from "./backoff.ts";
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
  /**
   * Its definition may change, and with it what the API server shows of objects that stay as they are: when a watch is cut, or
   * the API server has no storage for it yet, all is listed again.
   */
  readonly isCustom?: boolean;
  /** The cluster may not have it: then there is nothing, which is no failure, and it is asked for again while it is wanted. */
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
  /** The API server answers again after a failure. */
  recovered?(resource: string): void;
  /** An object (`namespace/name`; empty where it is not known which) could not be processed. The others are: nothing is listed again. */
  unprocessed?(resource: string, object: string, error: unknown): void;
}

/** All times are of a clock that cannot be set. */
export interface ListWatchState {
  /** The first list is complete, or the cluster does not have the resource. */
  readonly isSynced: boolean;
  /** Lists and watches that failed since the API server last told something new. */
  readonly failures: number;
  /** Since the last list, event or bookmark; since the start where there was none. */
  readonly ageSeconds: number;
  /** For how long every list and watch has been rejected by a status that waiting does not change, such as 403; 0 if not. */
  readonly refusedSeconds: number;
  /** For how long the API server has answered without a failure; 0 if not. */
  readonly healthySeconds: number;
  /** Since anything was tried or heard: a loop that works is never idle for longer than a watch may be silent. */
  readonly idleSeconds: number;
  /** What the last list or watch failed with, while it fails. */
  readonly error: unknown;
}

export interface ListWatch {
  /** True when the first list is complete, false when it was stopped before. */
  readonly synced: Promise<boolean>;
  /** False where the cluster does not have the resource; undefined while only a recent answer says so. */
  isKnown(): boolean | undefined;
  state(): ListWatchState;
  stop(): void;
}

/** A page, without its items: those have been delivered. */
interface Page {
  readonly metadata: { readonly resourceVersion?: string; readonly continue?: string };
}

/** Items of the first page: all that most clusters have of a kind. */
const firstPage = 100;
/** So much a page should have at most, as far as the size of its items can be told from those before. */
const pageBytes = 4 * 2 ** 20;

function nextLimit(limit: number, count: number, bytes: number): number {
  if (count === 0) return limit;
  return Math.max(1, Math.min(4 * limit, Math.floor((pageBytes * count) / Math.max(1, bytes))));
}

/** A list on its way. A page that fails is asked for again by its token, and what came before it need not be. */
interface Begun<T> {
  readonly listing: Listing<T> | undefined;
  /** How many items the next page may have. */
  limit: number;
  next?: string | undefined;
  resourceVersion?: string | undefined;
}

type WatchEvent<T> =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK"; readonly object: T }
  | { readonly type: "ERROR"; readonly object: Status };

const changes = { ADDED: "added", MODIFIED: "modified", DELETED: "deleted" } as const;

/**
 * Watches that delivered nothing before they ended, one after the other, until a list is made all the same: something between here and
 * the API server may hold events back. Silence counts for more than an end, since a bookmark is overdue.
 */
const longestSilence = 5;
const silenceOf = { ended: 1, overdue: 3 } as const;

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
  const isPartial = resource.isMetadataOnly === true;
  const { promise: synced, resolve: sync } = Promise.withResolvers<boolean>();
  let position: string | undefined;
  /** A list that has pages to come. */
  let begun: Begun<T> | undefined;
  let lists = 0;
  let failures = 0;
  /** Failures since the last list or event. */
  let failuresHere = 0;
  let isSynced = false;
  let isKnown = true;
  /** Whether it is certain that the cluster does not have the resource, where `isKnown` is false. */
  let isSettled = false;
  /** When the cluster first said that it does not have the resource, and nothing else since. */
  let absentSince: number | undefined;
  let silence = 0;
  const started = performance.now();
  let lastNews = started;
  let lastActivity = started;
  let healthySince: number | undefined;
  let refusedSince: number | undefined;
  let lastError: unknown;
  const secondsSince = (moment: number | undefined) => (moment === undefined ? 0 : (performance.now() - moment) / 1000);

  /** The API server has answered. */
  function answered(isNews: boolean): void {
    lastActivity = performance.now();
    if (isNews) lastNews = lastActivity;
    refusedSince = undefined;
    const isRecovery = healthySince === undefined && lastError !== undefined;
    healthySince ??= lastActivity;
    lastError = undefined;
    if (isRecovery) observer.recovered?.(resource.name);
  }

  async function list(): Promise<string> {
    begun ??= { listing: sink.listing?.(), limit: firstPage };
    const { listing } = begun;
    do {
      const limit = listing === undefined ? 1 : Math.min(begun.limit, timing.pageSize);
      let count = 0;
      let bytes = 0;
      const call = {
        method: "GET",
        path,
        query: { labelSelector, limit, continue: begun.next },
        timeoutSeconds: 60,
        signal,
        ...(isPartial ? { accept: metadataOnly("PartialObjectMetadataList") } : {}),
      } as const;
      const page = await client.list<T, Page>(call, (item, length) => {
        lastActivity = performance.now();
        count += 1;
        bytes += length;
        if (listing !== undefined) processed(item, (object) => listing.item(object));
      });
      answered(true);
      begun.limit = nextLimit(begun.limit, count, bytes);
      // All pages are of the moment of the first.
      begun.resourceVersion ??= page.metadata.resourceVersion;
      begun.next = listing === undefined ? undefined : page.metadata.continue;
    } while (begun.next);
    const { resourceVersion } = begun;
    isKnown = true;
    absentSince = undefined;
    silence = 0;
    failuresHere = 0;
    if (resourceVersion === undefined) throw new Error(`The list of ${resource.name} has no resourceVersion.`);
    begun = undefined;
    attempted("", () => listing?.complete(resourceVersion));
    attempted("", () => sink.relisted?.());
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
    let isOpen = false;
    let isSilent = true;
    // An ERROR event, which throws, says nothing of the resource: such a watch has been silent.
    const take = (line: string) => {
      receive(line);
      isSilent = false;
      silence = 0;
      failuresHere = 0;
    };
    const open = () => {
      isOpen = true;
      absentSince = undefined;
      answered(false);
    };
    try {
      await client.stream(call, timing.idleSeconds, take, open);
      if (resource.isCustom && performance.now() - opened < (call.query.timeoutSeconds - 1) * 1000)
        position = undefined;
      if (isOpen && isSilent) silence += silenceOf.ended;
    } catch (error) {
      const isOverdue = isOpen && isApiError(error, 0) && error.reason === "Timeout";
      if (isOpen && isSilent) silence += isOverdue ? silenceOf.overdue : silenceOf.ended;
      // An API server whose etcd tells no progress sends no bookmarks of a resource that has no objects: that is no failure.
      if (!isOverdue) throw error;
      failures = 0;
      return;
    } finally {
      if (silence >= longestSilence) position = undefined;
    }
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
    answered(event.type !== "ERROR");
    if (event.type === "ERROR") throw new ApiError("GET", path, failureOfStatus(event.object));
    failures = 0;
    const { resourceVersion } = event.object.metadata;
    const { type } = event;
    if (type !== "BOOKMARK") processed(event.object, (object) => sink.changed(changes[type], object));
    else if (resourceVersion !== undefined) sink.reached?.(resourceVersion);
    position = resourceVersion ?? position;
  }

  /** One object that cannot be processed must not hold up the others of its kind. */
  function processed(object: T, take: (object: T) => void): void {
    const { namespace = "", name } = object.metadata;
    attempted(`${namespace}/${name}`, () => take(received(object)));
  }

  function attempted(object: string, process: () => void): void {
    try {
      process();
    } catch (error) {
      observer.unprocessed?.(resource.name, object, error);
    }
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
    return trimmed(object);
  }

  /** One list where there is no position, and one watch. Returns how long to wait before the next, in milliseconds. */
  async function round(): Promise<number> {
    lastActivity = performance.now();
    if (!isKnown && resource.optional?.isWanted() === false) return restMilliseconds();
    try {
      if (position === undefined) {
        position = await list();
        isSynced = true;
        sync(true);
      } else {
        observer.resumed?.(resource.name);
      }
      await watch(position);
      return 0;
    } catch (error) {
      if (signal.aborted) return 0;
      if (resource.optional !== undefined && isApiError(error, 404)) return await absent(error);
      if (resource.optional !== undefined && isSettingUp(error)) {
        lastError = error;
        return timerMilliseconds(jittered(error.retryAfterSeconds ?? timing.backoff.first));
      }
      return failed(error);
    }
  }

  function failed(error: unknown): number {
    failures += 1;
    failuresHere += 1;
    lastError = error;
    healthySince = undefined;
    refusedSince = isRefused(error) ? (refusedSince ?? performance.now()) : undefined;
    const isLost = invalidates(error, failuresHere, position !== undefined);
    if (isLost || (resource.isCustom && isSettingUp(error))) {
      position = undefined;
      begun = undefined;
    }
    const retryAfter = error instanceof ApiError ? error.retryAfterSeconds : undefined;
    const delay = backoffMilliseconds(failures, timing.backoff, retryAfter);
    observer.failed?.(resource.name, error, delay / 1000);
    return delay;
  }

  /** Nothing is wrong, and nothing is to be had. */
  function restMilliseconds(): number {
    return timerMilliseconds(jittered(timing.backoff.longest));
  }

  /**
   * Whether discovery lists a resource that was just answered with 404: an API server that starts, or what stands in front of
   * it, answers so for a moment. Who may not read discovery learns nothing from it, and time decides.
   */
  async function isServed(): Promise<boolean> {
    const version = resource.apiVersion.includes("/") ? `/apis/${resource.apiVersion}` : `/api/${resource.apiVersion}`;
    const plural = path.slice(path.lastIndexOf("/") + 1);
    try {
      const { resources } = await client.request<{ resources?: readonly { name?: string }[] }>({
        method: "GET",
        path: version,
        signal,
      });
      return resources?.some(({ name }) => name === plural) === true;
    } catch (error) {
      return !(isApiError(error, 404) || isApiError(error, 401) || isApiError(error, 403));
    }
  }

  /** The definition has just come, or come again, and the API server has no storage for it yet. */
  function isSettingUp(error: unknown): error is ApiError {
    return isApiError(error, 429) && (!isKnown || error.detail.includes("storage is (re)initializing"));
  }

  /**
   * The cluster does not have the resource (any more). What was known of it holds until the same is said again after a time, since
   * servers that lose it are changed and started again. Its definition comes without a word to us. Discovery is asked only where its
   * word changes something: at a start, most clusters lack kinds that no server needs.
   */
  async function absent(error: unknown): Promise<number> {
    absentSince ??= performance.now();
    const isConfirmed = secondsSince(absentSince) >= timing.absenceSeconds;
    if ((lists > 0 || isConfirmed) && (await isServed())) {
      absentSince = undefined;
      return failed(error);
    }
    failures = 0;
    answered(true);
    if (isConfirmed || lists === 0) forget(isConfirmed);
    return isConfirmed
      ? restMilliseconds()
      : timerMilliseconds(jittered(Math.min(timing.backoff.longest, timing.absenceSeconds / 4)));
  }

  /** Holds up nobody else. That there are no objects is told once it is certain. */
  function forget(isConfirmed: boolean): void {
    const isNews = isConfirmed && (isKnown || !isSettled);
    isKnown = false;
    isSettled = isConfirmed;
    position = undefined;
    begun = undefined;
    if (isNews) {
      sink.listing?.()?.complete("0");
      sink.relisted?.();
    }
    isSynced = true;
    sync(true);
  }

  async function run(): Promise<void> {
    // Even an observer that throws must not end the watch.
    const pause = () => restMilliseconds();
    while (!signal.aborted) await sleep(await round().catch(pause), undefined, { signal }).catch(() => {});
    sync(false);
  }

  void run();
  return {
    synced,
    isKnown: () => isKnown || (isSettled ? false : undefined),
    state: () => ({
      isSynced,
      failures,
      // What the cluster does not have is not asked for unless a server needs it.
      ageSeconds: isKnown || lastError !== undefined ? secondsSince(lastNews) : 0,
      refusedSeconds: secondsSince(refusedSince),
      healthySeconds: secondsSince(healthySince),
      idleSeconds: secondsSince(lastActivity),
      error: lastError,
    }),
    stop: () => stopping.abort(),
  };
}

/**
 * Whether a failure means that the position is of no use any more: 410, the API server has forgotten it; 400, it does not
 * understand it; 504 again and again, it never reaches it (etcd was restored from a backup); 500 to a watch again and again, it fails at it.
 * So does an event that cannot be read: what is known then is uncertain.
 */
function invalidates(error: unknown, failures: number, isWatch: boolean): boolean {
  if (!(error instanceof ApiError)) return true;
  return (
    error.status === 410 ||
    error.status === 400 ||
    (error.status === 504 && failures >= 3) ||
    (isWatch && error.status === 500 && failures >= 5)
  );
}

/** Whether the API server rejects a request in a way that only a change of rights or definitions ends. */
function isRefused(error: unknown): boolean {
  return (
    error instanceof ApiError && error.status >= 400 && error.status < 500 && ![408, 410, 429].includes(error.status)
  );
}

/** Asks for `PartialObjectMetadata` instead of whole objects (Kubernetes, "API concepts: metadata-only fetches"). */
function metadataOnly(kind: string): string {
  return `application/json;as=${kind};g=meta.k8s.io;v=v1`;
}
