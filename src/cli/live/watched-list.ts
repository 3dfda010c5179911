import { trimmed } from "../../client/trimmed.ts";
import type { ApiClient } from "../../kube/client/api-client.ts";
import { ListWatch } from "../../kube/client/list-watch.ts";
import { isApiError } from "../../kube/errors.ts";
import { type Kind, kinds, resourcePath } from "../../kube/kinds.ts";
import type { KubeObject } from "../../kube/object.ts";
import { type Read, readFailure } from "./read.ts";

/** The objects of one kind that a watch keeps current. */
export interface WatchedList<T> {
  /** The objects; undefined until the first list, or the first answer that denies it. */
  readonly current: () => Read<readonly T[]> | undefined;
  readonly stop: () => void;
}

export interface WatchedListOptions {
  readonly kind: Kind;
  readonly namespace: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Called after each change. */
  readonly changed: () => void;
}

/** Lists and watches objects in a namespace. Failures are retried; `current` reports a missing permission. */
export function watchedList<T extends KubeObject>(client: ApiClient, options: WatchedListOptions): WatchedList<T> {
  const { kind, namespace, changed, ...selectors } = options;
  const { plural, apiVersion } = kinds[kind];
  const text = `${plural} in namespace ${namespace}`;
  let objects: Map<string, T> | undefined;
  let failure: string | undefined;
  const keyOf = ({ metadata }: T) => metadata.uid ?? metadata.name;
  const watch = new ListWatch<T>(
    client,
    { name: plural, path: resourcePath(kind, namespace), apiVersion, kind, transform: trimmed, ...selectors },
    {
      listing: () => {
        const listed = new Map<string, T>();
        return {
          item: (object) => void listed.set(keyOf(object), object),
          complete: () => {
            objects = listed;
            failure = undefined;
            changed();
          },
        };
      },
      changed: (change, object) => {
        if (change === "deleted") objects?.delete(keyOf(object));
        else objects?.set(keyOf(object), object);
        changed();
      },
    },
    {
      failed: (_resource, error) => {
        const isDenied = [401, 403, 404].some((status) => isApiError(error, status));
        const found = readFailure(error, isDenied && objects !== undefined ? "watch" : "list", text);
        // A watch that breaks is resumed: what it has shown stays.
        if (found === failure || (!isDenied && objects !== undefined)) return;
        failure = found;
        changed();
      },
    },
  );
  return {
    current: () => (failure !== undefined ? { notRead: failure } : objects && { value: [...objects.values()] }),
    stop: () => watch.stop(),
  };
}
