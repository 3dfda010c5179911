import { setTimeout as sleep } from "node:timers/promises";
import { ApiError, isApiError } from "../kube/errors.ts";
import type { KubeObject } from "../kube/object.ts";
import type { ApiClient } from "./api-client.ts";
import { backoffMilliseconds, jittered, timerMilliseconds } from "./backoff.ts";
import type { EventHandler, Listing } from "./event-handler.ts";
import { failureOfStatus, type Status } from "./failure.ts";
import { defaultTiming, type ListWatchTiming } from "./timing.ts";

/** A resource to list and watch. */
export interface Resource {
  /** Name in metrics and messages: the plural, with the namespace if it is restricted to one. */
  readonly name: string;
  readonly path: string;
  readonly apiVersion: string;
  readonly kind: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Requests only metadata (PartialObjectMetadata). */
  readonly isMetadataOnly?: true;
  /**
   * A custom resource of the operator. Its definition can change, and with it the stored objects as the API server returns them. When a watch
   * breaks, or the API server has no storage for it yet, it is listed again.
   */
  readonly isCustom?: boolean;
  /** What is kept of an object; default: all of it. */
  readonly transform?: <T extends KubeObject>(object: T) => T;
  /** The cluster may not have the resource. That is not a failure; it is requested again while it is wanted. */
  readonly optional?: { readonly isWanted: () => boolean };
}

/** Receives events for metrics and logs. */
export interface ListWatchObserver {
  /** A list was complete; `again` if it was not the first. */
  listed?(resource: string, again: boolean): void;
  /** A watch was resumed from the resource version at which the previous one ended. */
  resumed?(resource: string): void;
  /** A list or a watch failed and will be retried after `delaySeconds`. */
  failed?(resource: string, error: unknown, delaySeconds: number): void;
  /** The API server responds again after a failure. */
  recovered?(resource: string): void;
  /** An object (`namespace/name`; empty if unknown) could not be processed. Other objects are not affected. */
  unprocessed?(resource: string, object: string, error: unknown): void;
}

/** All times are from a monotonic clock. */
export interface ListWatchState {
  /** The first list is complete, or the cluster does not have the resource. */
  readonly isSynced: boolean;
  /** Consecutive failed lists and watches since the last data from the API server. */
  readonly failures: number;
  /** Since the last list, event or bookmark, or since the start. */
  readonly ageSeconds: number;
  /** For how long each list and watch has been rejected with a status such as 403; otherwise 0. */
  readonly rejectedSeconds: number;
  /** For how long the API server has responded without a failure; otherwise 0. */
  readonly healthySeconds: number;
  /** Since the last request or data: a working loop is not idle for longer than the idle limit of a watch. */
  readonly idleSeconds: number;
  /** The error of the last list or watch, if it failed. */
  readonly error: unknown;
}

export interface ListWatch {
  /** True when the first list is complete, false if it was stopped before. */
  readonly synced: Promise<boolean>;
  /** False if the cluster does not have the resource; undefined until that is confirmed. */
  isKnown(): boolean | undefined;
  state(): ListWatchState;
  stop(): void;
}

/** A page without its items, which were already delivered. */
interface Page {
  readonly metadata: { readonly resourceVersion?: string; readonly continue?: string };
}

/** Items of the first page: most clusters have fewer of a kind. */
const firstPage = 100;
/** Target size of a page, estimated from the items before. */
const pageBytes = 4 * 2 ** 20;

function nextLimit(limit: number, count: number, bytes: number): number {
  if (count === 0) return limit;
  return Math.max(1, Math.min(4 * limit, Math.floor((pageBytes * count) / Math.max(1, bytes))));
}

/** A list in progress. A failed page is requested again with its continue token. */
interface PartialList<T> {
  readonly listing: Listing<T> | undefined;
  /** Number of items of the next page. */
  limit: number;
  next?: string | undefined;
  resourceVersion?: string | undefined;
}

type WatchEvent<T> =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK"; readonly object: T }
  | { readonly type: "ERROR"; readonly object: Status };

const changes = { ADDED: "added", MODIFIED: "modified", DELETED: "deleted" } as const;

/**
 * After this score of consecutive watches without events the resource is listed again: a proxy in front of
 * the API server may delay events. An idle timeout counts more than an ended watch, since a bookmark is overdue.
 */
const maxIdleScore = 5;
const idleScoreOf = { ended: 1, overdue: 3 } as const;

/** A watch that the server ends sooner than this without an event counts as a failure, to avoid a hot loop. */
const shortestWatchMilliseconds = 1000;

/**
 * Lists one resource and watches it until `stop`. Failures are retried with exponential backoff. A watch
 * resumes where the previous one ended; the resource is listed again only if the API server no longer has that resource version.
 */
export function listWatch<T extends KubeObject>(
  client: ApiClient,
  resource: Resource,
  handler: EventHandler<T>,
  observer: ListWatchObserver = {},
  timing: ListWatchTiming = defaultTiming,
): ListWatch {
  const stopping = new AbortController();
  const { signal } = stopping;
  const { path, labelSelector, fieldSelector, transform = (object) => object } = resource;
  const isPartial = resource.isMetadataOnly === true;
  const { promise: synced, resolve: sync } = Promise.withResolvers<boolean>();
  let position: string | undefined;
  /** A list with outstanding pages. */
  let partialList: PartialList<T> | undefined;
  let lists = 0;
  let failures = 0;
  /** Failures since the last list or event. */
  let failuresHere = 0;
  let isSynced = false;
  let isKnown = true;
  /** If `isKnown` is false: whether it is confirmed that the cluster does not have the resource. */
  let isSettled = false;
  /** Time of the first of consecutive 404 responses. */
  let absentSince: number | undefined;
  let idleScore = 0;
  const started = performance.now();
  let lastData = started;
  let lastActivity = started;
  let healthySince: number | undefined;
  let rejectedSince: number | undefined;
  let lastError: unknown;
  const secondsSince = (moment: number | undefined) => (moment === undefined ? 0 : (performance.now() - moment) / 1000);

  /** Records a response of the API server. */
  function answered(hasData: boolean): void {
    lastActivity = performance.now();
    if (hasData) lastData = lastActivity;
    rejectedSince = undefined;
    const isRecovery = healthySince === undefined && lastError !== undefined;
    healthySince ??= lastActivity;
    lastError = undefined;
    if (isRecovery) observer.recovered?.(resource.name);
  }

  async function list(): Promise<string> {
    partialList ??= { listing: handler.listing?.(), limit: firstPage };
    const { listing } = partialList;
    do {
      const limit = listing === undefined ? 1 : Math.min(partialList.limit, timing.pageSize);
      let count = 0;
      let bytes = 0;
      const call = {
        method: "GET",
        path,
        query: { labelSelector, fieldSelector, limit, continue: partialList.next },
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
      partialList.limit = nextLimit(partialList.limit, count, bytes);
      // All pages have the resource version of the first.
      partialList.resourceVersion ??= page.metadata.resourceVersion;
      partialList.next = listing === undefined ? undefined : page.metadata.continue;
    } while (partialList.next);
    const { resourceVersion } = partialList;
    isKnown = true;
    absentSince = undefined;
    idleScore = 0;
    failuresHere = 0;
    if (resourceVersion === undefined) throw new Error(`The list of ${resource.name} has no resourceVersion.`);
    partialList = undefined;
    attempted("", () => listing?.complete(resourceVersion));
    attempted("", () => handler.relisted?.());
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
        fieldSelector,
      },
      signal,
      ...(isPartial ? { accept: metadataOnly("PartialObjectMetadata") } : {}),
    } as const;
    const opened = performance.now();
    let isOpen = false;
    let isWithoutEvents = true;
    // An ERROR event throws before these lines, so it does not count as an event.
    const take = (line: string) => {
      receive(line);
      isWithoutEvents = false;
      idleScore = 0;
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
      if (isOpen && isWithoutEvents) idleScore += idleScoreOf.ended;
    } catch (error) {
      const isOverdue = isOpen && isApiError(error, 0) && error.reason === "Timeout";
      if (isOpen && isWithoutEvents) idleScore += isOverdue ? idleScoreOf.overdue : idleScoreOf.ended;
      // If etcd sends no progress notifications, a resource without objects gets no bookmarks. That is not a failure.
      if (!isOverdue) throw error;
      failures = 0;
      return;
    } finally {
      if (idleScore >= maxIdleScore) position = undefined;
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
    if (type !== "BOOKMARK") processed(event.object, (object) => handler.changed(changes[type], object));
    else if (resourceVersion !== undefined) handler.reached?.(resourceVersion);
    position = resourceVersion ?? position;
  }

  /** An object that cannot be processed must not delay the others of its kind. */
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

  /** Items of a list have no apiVersion and kind. */
  function received(object: T): T {
    if (resource.isMetadataOnly) {
      // Its kind is PartialObjectMetadata.
      object.apiVersion = resource.apiVersion;
      object.kind = resource.kind;
    }
    object.apiVersion ??= resource.apiVersion;
    object.kind ??= resource.kind;
    return transform(object);
  }

  /** Lists if there is no resource version, then watches once. Returns the delay until the next round in milliseconds. */
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
    rejectedSince = isRejected(error) ? (rejectedSince ?? performance.now()) : undefined;
    const isLost = invalidates(error, failuresHere, position !== undefined);
    if (isLost || (resource.isCustom && isSettingUp(error))) {
      position = undefined;
      partialList = undefined;
    }
    const retryAfter = error instanceof ApiError ? error.retryAfterSeconds : undefined;
    const delay = backoffMilliseconds(failures, timing.backoff, retryAfter);
    observer.failed?.(resource.name, error, delay / 1000);
    return delay;
  }

  /** The delay while the cluster does not have the resource. */
  function restMilliseconds(): number {
    return timerMilliseconds(jittered(timing.backoff.longest));
  }

  /**
   * Whether discovery lists a resource after a 404: a starting API server, or a proxy in front of
   * it, can return 404 for a moment. False without permission to read discovery; then the elapsed time decides.
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

  /** The CustomResourceDefinition was just created or replaced, and the API server has no storage for it yet. */
  function isSettingUp(error: unknown): error is ApiError {
    return isApiError(error, 429) && (!isKnown || error.detail.includes("storage is (re)initializing"));
  }

  /**
   * The cluster does not have the resource. Cached objects stay until a later 404 confirms that, since
   * servers without them would be changed and restarted. There is no event when the definition is created. Discovery is requested only if it
   * can change the decision: at the start most clusters do not have kinds that no server needs.
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

  /** Marks the resource as synced, so that nothing waits for it. The empty list is delivered when it is confirmed. */
  function forget(isConfirmed: boolean): void {
    const isFirst = isConfirmed && (isKnown || !isSettled);
    isKnown = false;
    isSettled = isConfirmed;
    position = undefined;
    partialList = undefined;
    if (isFirst) {
      handler.listing?.()?.complete("0");
      handler.relisted?.();
    }
    isSynced = true;
    sync(true);
  }

  async function run(): Promise<void> {
    // An error of an observer must not end the loop.
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
      // A missing resource is not requested unless a server needs it.
      ageSeconds: isKnown || lastError !== undefined ? secondsSince(lastData) : 0,
      rejectedSeconds: secondsSince(rejectedSince),
      healthySeconds: secondsSince(healthySince),
      idleSeconds: secondsSince(lastActivity),
      error: lastError,
    }),
    stop: () => stopping.abort(),
  };
}

/**
 * Whether a failure invalidates the resource version: 410, it is compacted; 400, it is not
 * understood; repeated 504, it is never reached (etcd was restored from a backup); repeated 500 of a watch, it cannot be served.
 * So does an event that cannot be parsed.
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

/** Whether the API server rejects a request until permissions or definitions change. */
function isRejected(error: unknown): boolean {
  return (
    error instanceof ApiError && error.status >= 400 && error.status < 500 && ![408, 410, 429].includes(error.status)
  );
}

/** Requests `PartialObjectMetadata` instead of whole objects (Kubernetes, "API concepts: metadata-only fetches"). */
function metadataOnly(kind: string): string {
  return `application/json;as=${kind};g=meta.k8s.io;v=v1`;
}
