import { type ApiClient, find } from "../kube/client/api-client.ts";
import type { EventHandler } from "../kube/client/event-handler.ts";
import { type OnChange, Store } from "../kube/client/store.ts";
import { isKind, type Kind, kindsWith, resourcePath } from "../kube/kinds.ts";
import type { Deployment, Owned } from "../kube/manifests.ts";
import { label, manager } from "../kube/names.ts";
import type { Key } from "../kube/object.ts";
import { isOfBackup } from "../model/names.ts";
import { cachedObject, isExpected } from "./cached-object.ts";
import { byServer, serverEntry } from "./indexes.ts";
import { mapped } from "./mapped-handler.ts";
import { type Scope, Scoped } from "./scoped.ts";
import { trimmed } from "./trimmed.ts";

export interface OwnedObjectsOptions {
  readonly client: ApiClient;
  readonly isNamespaced: boolean;
  readonly isServer: (key: Key) => boolean;
  readonly onChange: OnChange<Owned>;
}

/** The kinds of objects of servers that are kept in memory. */
export const keptKinds: readonly Kind[] = [...kindsWith("owned"), ...kindsWith("observed")];

/** The objects with the label of the operator. The content of an object without a server is not kept. */
export class OwnedObjects {
  readonly #options: OwnedObjectsOptions;
  readonly #stores = new Map<Kind, Scoped<Store<Owned>>>();

  constructor(options: OwnedObjectsOptions) {
    this.#options = options;
  }

  /** Adds a store for a kind; returns what a watch writes to. */
  handler(kind: Kind, scope: Scope): EventHandler<Owned> {
    const store = new Store<Owned>(this.#options.onChange, { indexesOf: byServer });
    this.add(kind, scope, store);
    return mapped(store, (object) => cachedObject(object, this.#options.isServer));
  }

  add(kind: Kind, scope: Scope, store: Store<Owned>): void {
    const stores = this.#stores.get(kind) ?? new Scoped<Store<Owned>>(this.#options.isNamespaced);
    this.#stores.set(kind, stores);
    stores.set(scope, store);
  }

  get(kind: Kind, key: Key): Owned | undefined {
    return this.#of(kind, key.namespace)?.get(key);
  }

  readonly deployment = (key: Key): Deployment | undefined => {
    const found = this.get("Deployment", key);
    return found?.kind === "Deployment" ? found : undefined;
  };

  /** The objects of a server, except those of backups. */
  readonly owned = (key: Key): Owned[] => this.#labelled(key).filter((object) => !isOfBackup(object, key.name));

  /** The Jobs of backups of a server, and their pods. */
  readonly ofBackups = (key: Key): Owned[] =>
    (["Job", "Pod"] as const).flatMap((kind) =>
      this.#indexed(kind, key).filter((object) => isOfBackup(object, key.name)),
    );

  /** Reads the content of objects of a server that are older than it, such as the Secrets of a deleted server with the same name. */
  async complete(key: Key): Promise<void> {
    const { client, isServer } = this.#options;
    if (!isServer(key)) return;
    for (const object of this.#labelled(key)) {
      if (object.omitted !== "unexpected" || !isExpected(object, isServer)) continue;
      const { kind, metadata } = object;
      if (!isKind(kind)) continue;
      const whole = await find<Owned>(client, resourcePath(kind, metadata.namespace, metadata.name));
      if (whole !== undefined) this.#of(kind, metadata.namespace)?.loaded(cachedObject(trimmed(whole), isServer));
    }
  }

  /** Stores the response to a write. */
  wrote(object: Owned, created: boolean): void {
    // The watch does not select it, so it would never be removed from the cache.
    if (object.metadata.labels?.[label.managedBy] !== manager) return;
    const kept = cachedObject(trimmed(object), this.#options.isServer);
    this.#of(object.kind, object.metadata.namespace)?.wrote(kept, created);
  }

  /** Removes an object that the operator has deleted. */
  removed(object: Owned): void {
    this.#of(object.kind, object.metadata.namespace)?.removed(object);
  }

  #of(kind: Kind, namespace: string | undefined): Store<Owned> | undefined {
    return this.#stores.get(kind)?.of(namespace);
  }

  #indexed(kind: Kind, key: Key): Owned[] {
    return this.#of(kind, key.namespace)?.indexed(serverEntry(key)) ?? [];
  }

  #labelled(key: Key): Owned[] {
    return keptKinds.flatMap((kind) => this.#indexed(kind, key));
  }
}
