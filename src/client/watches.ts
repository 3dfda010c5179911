import type { MlflowServer } from "../api/server.ts";
import type { ApiClient } from "../kube/client/api-client.ts";
import type { EventHandler } from "../kube/client/event-handler.ts";
import { ListWatch, type ListWatchObserver, type ListWatchState } from "../kube/client/list-watch.ts";
import { watchProblem } from "../kube/client/staleness.ts";
import type { ListWatchTiming } from "../kube/client/timing.ts";
import { isOwnKind, type Kind, resourcePath, rowOf } from "../kube/kinds.ts";
import type { KubeObject } from "../kube/object.ts";
import { needsOptIn } from "../model/workspaces.ts";
import { needsKind } from "../reconcile/unconfirmed-kind.ts";
import type { Scope } from "./scoped.ts";
import { trimmed } from "./trimmed.ts";

export interface WatchesOptions {
  readonly client: ApiClient;
  readonly timing: ListWatchTiming;
  readonly observer?: ListWatchObserver | undefined;
  /** Called when a CustomResourceDefinition of the operator may have changed; `isEnded` if its watches have ended. */
  readonly onDefinition?: ((isEnded: boolean) => void) | undefined;
  /** Whether a server needs an optional kind. */
  readonly isNeeded: (kind: Kind, scope: Scope) => boolean;
}

/** What a kind is watched for: servers and their objects (default), what their specs reference, or what others may have created. */
type Use = "" | "referenced " | "other ";

export interface WatchRequest<T extends KubeObject> {
  readonly kind: Kind;
  readonly scope: Scope;
  readonly handler: EventHandler<T>;
  readonly labelSelector?: string;
  readonly use?: Use;
}

interface Watched {
  readonly kind: Kind;
  readonly scope: Scope;
  readonly watch: ListWatch;
}

/** All watches of the operator. Each is retried after failures until `stop`. */
export class Watches {
  readonly #options: WatchesOptions;
  /** By the name of the resource in metrics and messages. */
  readonly #watches = new Map<string, Watched>();

  constructor(options: WatchesOptions) {
    this.#options = options;
  }

  /** Resolves to true when the objects are listed, to false if the watches were stopped before. */
  start<T extends KubeObject>({ kind, scope, handler, labelSelector, use = "" }: WatchRequest<T>): Promise<boolean> {
    const { client, timing, observer, isNeeded } = this.#options;
    const { apiVersion, isOptional = false } = rowOf(kind);
    const isCustom = isOwnKind(kind);
    const resource = {
      name: nameOf(kind, scope, use),
      path: resourcePath(kind, scope),
      apiVersion,
      kind,
      isCustom,
      transform: trimmed,
      ...(isOptional && { optional: { isWanted: () => isNeeded(kind, scope) } }),
      ...(labelSelector !== undefined && { labelSelector }),
      ...((kind === "Namespace" || use === "referenced ") && { isMetadataOnly: true as const }),
    };
    const watch = new ListWatch(client, resource, handler, isCustom ? this.#definitionObserver : observer, timing);
    this.#watches.set(resource.name, { kind, scope, watch });
    return watch.synced;
  }

  /** False if the cluster does not have a kind of the objects of servers; undefined until that is confirmed. */
  knows(kind: Kind, scope: Scope): boolean | undefined {
    const watched = this.#watches.get(nameOf(kind, scope));
    return watched === undefined || watched.watch.isKnown();
  }

  states(): Record<string, ListWatchState> {
    return Object.fromEntries([...this.#watches].map(([name, { watch }]) => [name, watch.state()]));
  }

  /** Why the cached state of a server in this scope, or of its objects, may be outdated; undefined if it is current. */
  problem(spec: MlflowServer["spec"], scope: Scope): string | undefined {
    const all = this.states();
    const isSynced = Object.values(all).every((state) => state.isSynced);
    const relevant = Object.entries(all).filter(([name]) => {
      const of = this.#watches.get(name);
      // Until all kinds are listed, no server is reconciled.
      return of !== undefined && (!isSynced || (matters(of.kind, spec) && (of.scope ?? scope) === scope));
    });
    return watchProblem(Object.fromEntries(relevant), all, this.#options.timing);
  }

  stop(): void {
    for (const { watch } of this.#watches.values()) watch.stop();
  }

  /** The API server ends the watches of a kind when its CustomResourceDefinition changes. */
  readonly #definitionObserver: ListWatchObserver = {
    listed: (resource, again) => {
      this.#options.onDefinition?.(true);
      this.#options.observer?.listed?.(resource, again);
    },
    resumed: (resource) => {
      this.#options.onDefinition?.(true);
      this.#options.observer?.resumed?.(resource);
    },
    failed: (resource, error, delaySeconds) => {
      this.#options.onDefinition?.(false);
      this.#options.observer?.failed?.(resource, error, delaySeconds);
    },
  };
}

function nameOf(kind: Kind, scope: Scope, use: Use = ""): string {
  const name = `${use}${rowOf(kind).plural}`;
  return scope === undefined ? name : `${scope}/${name}`;
}

/** Whether objects of a kind can affect a server with this spec. */
function matters(kind: Kind, spec: MlflowServer["spec"]): boolean {
  const { isOptional, roles } = rowOf(kind);
  if (isOptional) return needsKind(spec, kind);
  if (roles.includes("requesting")) return false;
  const isOfWorkspaces = roles.some((role) => role === "optingIn" || role === "granting" || role === "granted");
  return !isOfWorkspaces || spec.workspaces !== undefined || (kind === "Namespace" && needsOptIn(spec));
}
