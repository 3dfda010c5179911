import { setTimeout as sleep } from "node:timers/promises";
import { ApiError, isApiError } from "../errors.ts";
import type { KubeObject } from "../object.ts";
import type { ApiClient, Call } from "./api-client.ts";
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
  /** The cluster may not have the resource. That is not a failure; it is requested again while a server needs it. */
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
export class ListWatch<T extends KubeObject = KubeObject> {
  readonly #client: ApiClient;
  readonly #resource: Resource;
  readonly #handler: EventHandler<T>;
  readonly #observer: ListWatchObserver;
  readonly #timing: ListWatchTiming;
  readonly #stopping = new AbortController();
  readonly #firstList = Promise.withResolvers<boolean>();
  #position: string | undefined;
  /** A list with outstanding pages. */
  #partialList: PartialList<T> | undefined;
  #lists = 0;
  #failures = 0;
  /** Failures since the last list or event. */
  #failuresHere = 0;
  #isSynced = false;
  #isKnown = true;
  /** If `isKnown` is false: whether it is confirmed that the cluster does not have the resource. */
  #isSettled = false;
  /** Time of the first of consecutive 404 responses. */
  #absentSince: number | undefined;
  #idleScore = 0;
  #lastData = performance.now();
  #lastActivity = performance.now();
  #healthySince: number | undefined;
  #rejectedSince: number | undefined;
  #lastError: unknown;

  constructor(
    client: ApiClient,
    resource: Resource,
    handler: EventHandler<T>,
    observer: ListWatchObserver = {},
    timing: ListWatchTiming = defaultTiming,
  ) {
    this.#client = client;
    this.#resource = resource;
    this.#handler = handler;
    this.#observer = observer;
    this.#timing = timing;
    void this.#run();
  }

  /** True when the first list is complete, false if it was stopped before. */
  get synced(): Promise<boolean> {
    return this.#firstList.promise;
  }

  /** False if the cluster does not have the resource; undefined until that is confirmed. */
  isKnown(): boolean | undefined {
    return this.#isKnown || (this.#isSettled ? false : undefined);
  }

  state(): ListWatchState {
    return {
      isSynced: this.#isSynced,
      failures: this.#failures,
      // A missing resource is not requested unless a server needs it.
      ageSeconds: this.#isKnown || this.#lastError !== undefined ? secondsSince(this.#lastData) : 0,
      rejectedSeconds: secondsSince(this.#rejectedSince),
      healthySeconds: secondsSince(this.#healthySince),
      idleSeconds: secondsSince(this.#lastActivity),
      error: this.#lastError,
    };
  }

  stop(): void {
    this.#stopping.abort();
  }

  /** Records a response of the API server. */
  #answered(hasData: boolean): void {
    this.#lastActivity = performance.now();
    if (hasData) this.#lastData = this.#lastActivity;
    this.#rejectedSince = undefined;
    const isRecovery = this.#healthySince === undefined && this.#lastError !== undefined;
    this.#healthySince ??= this.#lastActivity;
    this.#lastError = undefined;
    if (isRecovery) this.#observer.recovered?.(this.#resource.name);
  }

  async #list(): Promise<string> {
    this.#partialList ??= { listing: this.#handler.listing?.(), limit: firstPage };
    const partial = this.#partialList;
    do await this.#page(partial);
    while (partial.next);
    const { listing, resourceVersion } = partial;
    this.#isKnown = true;
    this.#absentSince = undefined;
    this.#idleScore = 0;
    this.#failuresHere = 0;
    if (resourceVersion === undefined) throw new Error(`The list of ${this.#resource.name} has no resourceVersion.`);
    this.#partialList = undefined;
    this.#attempted("", () => listing?.complete(resourceVersion));
    this.#attempted("", () => this.#handler.relisted?.());
    this.#observer.listed?.(this.#resource.name, this.#lists > 0);
    this.#lists += 1;
    return resourceVersion;
  }

  /** Requests the next page of a list, and delivers its items. */
  async #page(partial: PartialList<T>): Promise<void> {
    const { listing } = partial;
    const limit = listing === undefined ? 1 : Math.min(partial.limit, this.#timing.pageSize);
    let count = 0;
    let bytes = 0;
    const call = this.#call("PartialObjectMetadataList", { limit, continue: partial.next });
    const page = await this.#client.list<T, Page>({ ...call, timeoutSeconds: 60 }, (item, length) => {
      this.#lastActivity = performance.now();
      count += 1;
      bytes += length;
      if (listing !== undefined) this.#processed(item, (object) => listing.item(object));
    });
    this.#answered(true);
    partial.limit = nextLimit(partial.limit, count, bytes);
    // All pages have the resource version of the first.
    partial.resourceVersion ??= page.metadata.resourceVersion;
    partial.next = listing === undefined ? undefined : page.metadata.continue;
  }

  /** A request of the resource; with the kind of the response if only metadata is requested. */
  #call(partialKind: string, query: Call["query"]): Call {
    const { path, labelSelector, fieldSelector, isMetadataOnly } = this.#resource;
    return {
      method: "GET",
      path,
      query: { ...query, labelSelector, fieldSelector },
      signal: this.#stopping.signal,
      ...(isMetadataOnly && { accept: metadataOnly(partialKind) }),
    };
  }

  async #watch(from: string): Promise<void> {
    const opened = performance.now();
    if (!(await this.#stream(from))) {
      this.#failures = 0;
      return;
    }
    if (performance.now() - opened < shortestWatchMilliseconds) {
      throw new ApiError("GET", this.#resource.path, {
        status: 0,
        reason: "Closed",
        detail: "The watch was closed as soon as opened.",
      });
    }
    this.#failures = 0;
  }

  /** Delivers the events of one watch. Returns false if it ended because nothing arrived for too long. */
  async #stream(resourceVersion: string): Promise<boolean> {
    const [shortest, longest] = this.#timing.watchSeconds;
    const timeoutSeconds = Math.round(shortest + Math.random() * (longest - shortest));
    const query = { watch: true, allowWatchBookmarks: true, resourceVersion, timeoutSeconds };
    const opened = performance.now();
    let isOpen = false;
    let isWithoutEvents = true;
    // An ERROR event throws before these lines, so it does not count as an event.
    const take = (line: string) => {
      this.#receive(line);
      isWithoutEvents = false;
      this.#idleScore = 0;
      this.#failuresHere = 0;
    };
    const open = () => {
      isOpen = true;
      this.#absentSince = undefined;
      this.#answered(false);
    };
    try {
      await this.#client.stream(this.#call("PartialObjectMetadata", query), this.#timing.idleSeconds, take, open);
      if (this.#resource.isCustom && performance.now() - opened < (timeoutSeconds - 1) * 1000)
        this.#position = undefined;
      if (isOpen && isWithoutEvents) this.#idleScore += idleScoreOf.ended;
      return true;
    } catch (error) {
      const isOverdue = isOpen && isApiError(error, 0) && error.reason === "Timeout";
      if (isOpen && isWithoutEvents) this.#idleScore += isOverdue ? idleScoreOf.overdue : idleScoreOf.ended;
      // If etcd sends no progress notifications, a resource without objects gets no bookmarks. That is not a failure.
      if (!isOverdue) throw error;
      return false;
    } finally {
      if (this.#idleScore >= maxIdleScore) this.#position = undefined;
    }
  }

  #receive(line: string): void {
    const event: WatchEvent<T> = JSON.parse(line);
    this.#answered(event.type !== "ERROR");
    if (event.type === "ERROR") throw new ApiError("GET", this.#resource.path, failureOfStatus(event.object));
    this.#failures = 0;
    const { resourceVersion } = event.object.metadata;
    const { type } = event;
    if (type !== "BOOKMARK") this.#processed(event.object, (object) => this.#handler.changed(changes[type], object));
    else if (resourceVersion !== undefined) this.#handler.reached?.(resourceVersion);
    this.#position = resourceVersion ?? this.#position;
  }

  /** An object that cannot be processed must not delay the others of its kind. */
  #processed(object: T, take: (object: T) => void): void {
    const { namespace = "", name } = object.metadata;
    this.#attempted(`${namespace}/${name}`, () => take(this.#received(object)));
  }

  #attempted(object: string, process: () => void): void {
    try {
      process();
    } catch (error) {
      this.#observer.unprocessed?.(this.#resource.name, object, error);
    }
  }

  /** Items of a list have no apiVersion and kind. */
  #received(object: T): T {
    if (this.#resource.isMetadataOnly) {
      // Its kind is PartialObjectMetadata.
      object.apiVersion = this.#resource.apiVersion;
      object.kind = this.#resource.kind;
    }
    object.apiVersion ??= this.#resource.apiVersion;
    object.kind ??= this.#resource.kind;
    return this.#resource.transform?.(object) ?? object;
  }

  /** Lists if there is no resource version, then watches once. Returns the delay until the next round in milliseconds. */
  async #round(): Promise<number> {
    this.#lastActivity = performance.now();
    if (!this.#isKnown && this.#resource.optional?.isWanted() === false) return this.#restMilliseconds();
    try {
      if (this.#position === undefined) {
        this.#position = await this.#list();
        this.#isSynced = true;
        this.#firstList.resolve(true);
      } else {
        this.#observer.resumed?.(this.#resource.name);
      }
      await this.#watch(this.#position);
      return 0;
    } catch (error) {
      if (this.#stopping.signal.aborted) return 0;
      if (this.#resource.optional !== undefined && isApiError(error, 404)) return await this.#absent(error);
      if (this.#resource.optional !== undefined && this.#isSettingUp(error)) {
        this.#lastError = error;
        return timerMilliseconds(jittered(error.retryAfterSeconds ?? this.#timing.backoff.first));
      }
      return this.#failed(error);
    }
  }

  #failed(error: unknown): number {
    this.#failures += 1;
    this.#failuresHere += 1;
    this.#lastError = error;
    this.#healthySince = undefined;
    this.#rejectedSince = isRejected(error) ? (this.#rejectedSince ?? performance.now()) : undefined;
    const isLost = invalidates(error, this.#failuresHere, this.#position !== undefined);
    if (isLost || (this.#resource.isCustom && this.#isSettingUp(error))) {
      this.#position = undefined;
      this.#partialList = undefined;
    }
    const retryAfter = error instanceof ApiError ? error.retryAfterSeconds : undefined;
    const delay = backoffMilliseconds(this.#failures, this.#timing.backoff, retryAfter);
    this.#observer.failed?.(this.#resource.name, error, delay / 1000);
    return delay;
  }

  /** The delay while the cluster does not have the resource. */
  #restMilliseconds(): number {
    return timerMilliseconds(jittered(this.#timing.backoff.longest));
  }

  /**
   * Whether discovery lists a resource after a 404: a starting API server, or a proxy in front of
   * it, can return 404 for a moment. False without permission to read discovery; then the elapsed time decides.
   */
  async #isServed(): Promise<boolean> {
    const { path, apiVersion } = this.#resource;
    const version = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    const plural = path.slice(path.lastIndexOf("/") + 1);
    try {
      const { resources } = await this.#client.request<{ resources?: readonly { name?: string }[] }>({
        method: "GET",
        path: version,
        signal: this.#stopping.signal,
      });
      return resources?.some(({ name }) => name === plural) === true;
    } catch (error) {
      return !(isApiError(error, 404) || isApiError(error, 401) || isApiError(error, 403));
    }
  }

  /** The CustomResourceDefinition was just created or replaced, and the API server has no storage for it yet. */
  #isSettingUp(error: unknown): error is ApiError {
    return isApiError(error, 429) && (!this.#isKnown || error.detail.includes("storage is (re)initializing"));
  }

  /**
   * The cluster does not have the resource. Cached objects stay until a later 404 confirms that, since
   * servers without them would be changed and restarted. There is no event when the definition is created. Discovery is requested only if it
   * can change the decision: at the start most clusters do not have kinds that no server needs.
   */
  async #absent(error: unknown): Promise<number> {
    this.#absentSince ??= performance.now();
    const isConfirmed = secondsSince(this.#absentSince) >= this.#timing.absenceSeconds;
    if ((this.#lists > 0 || isConfirmed) && (await this.#isServed())) {
      this.#absentSince = undefined;
      return this.#failed(error);
    }
    this.#failures = 0;
    this.#answered(true);
    if (isConfirmed || this.#lists === 0) this.#forget(isConfirmed);
    return isConfirmed
      ? this.#restMilliseconds()
      : timerMilliseconds(jittered(Math.min(this.#timing.backoff.longest, this.#timing.absenceSeconds / 4)));
  }

  /** Marks the resource as synced, so that nothing waits for it. The empty list is delivered when it is confirmed. */
  #forget(isConfirmed: boolean): void {
    const isFirst = isConfirmed && (this.#isKnown || !this.#isSettled);
    this.#isKnown = false;
    this.#isSettled = isConfirmed;
    this.#position = undefined;
    this.#partialList = undefined;
    if (isFirst) {
      this.#handler.listing?.()?.complete("0");
      this.#handler.relisted?.();
    }
    this.#isSynced = true;
    this.#firstList.resolve(true);
  }

  async #run(): Promise<void> {
    // An error of an observer must not end the loop.
    const pause = () => this.#restMilliseconds();
    while (!this.#stopping.signal.aborted)
      await sleep(await this.#round().catch(pause), undefined, { signal: this.#stopping.signal }).catch(() => {});
    this.#firstList.resolve(false);
  }
}

function secondsSince(moment: number | undefined): number {
  return moment === undefined ? 0 : (performance.now() - moment) / 1000;
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
