import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { ClusterAccess } from "../control-plane/cluster-access.ts";
import { administratorAgent, eventStream, type StreamedEvent } from "./event-stream.ts";
import { eventually } from "./eventually.ts";
import { type ObjectKind, type ObjectOf, objects, pathOf } from "./objects.ts";

/** One version of an object from a watch. */
export interface Version<T> {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: T;
  /** The resource version, comparable between all kinds, since they share one etcd. */
  readonly at: number;
}

/** All versions of the objects of one kind in a namespace since the start. */
export interface History<T> {
  /** In chronological order, including each write before this call. */
  versions(name?: string): Promise<readonly Version<T>[]>;
  /** Resolves with the first matching version, past or future; rejects after `seconds`. */
  first(fits: (version: Version<T>) => boolean, seconds?: number): Promise<Version<T>>;
  stop(): void;
}

/** Watches as the administrator and keeps each version, so that a test can check short-lived states. */
export async function history<K extends ObjectKind>(
  cluster: ClusterAccess,
  namespace: string,
  kind: K,
): Promise<History<ObjectOf[K]>> {
  const stopping = new AbortController();
  const agent = await administratorAgent(cluster);
  const versions: Version<ObjectOf[K]>[] = [];
  const waiting = new Set<(version: Version<ObjectOf[K]>) => void>();
  const { body } = await cluster.request("GET", `${pathOf(kind, namespace)}?limit=1`);
  const start: string = JSON.parse(body).metadata.resourceVersion;
  let position = start;

  function take({ type, object }: StreamedEvent<ObjectOf[K]>): void {
    if (type === "ERROR")
      throw new Error(`The history of ${kind} in ${namespace} has a gap: ${JSON.stringify(object)}`);
    position = object.metadata.resourceVersion;
    if (type === "BOOKMARK") return;
    const version = { type, object, at: Number(position) };
    versions.push(version);
    for (const notify of waiting) notify(version);
  }

  void (async () => {
    while (!stopping.signal.aborted) {
      await eventStream(cluster, agent, pathOf(kind, namespace), position, stopping.signal, take);
      await sleep(20);
    }
  })();

  return {
    versions: async (name) => {
      const present = await objects(cluster, namespace).list(kind);
      await eventually(() => {
        for (const { metadata } of present) {
          const isOlder = Number(metadata.resourceVersion) <= Number(start);
          const reached =
            isOlder ||
            versions.some(({ object, at }) => {
              return object.metadata.uid === metadata.uid && at >= Number(metadata.resourceVersion);
            });
          assert.ok(reached, `the watch has not delivered the current ${kind}/${metadata.name}`);
        }
        for (const { object } of versions.filter(({ object }) => isLast(object, versions))) {
          const { uid } = object.metadata;
          const isDeleted = versions.some(
            (version) => version.type === "DELETED" && version.object.metadata.uid === uid,
          );
          const isPresent = present.some(({ metadata }) => metadata.uid === uid);
          assert.ok(
            isDeleted || isPresent,
            `the watch has not delivered the deletion of ${kind}/${object.metadata.name}`,
          );
        }
      });
      return versions.filter(({ object }) => name === undefined || object.metadata.name === name);
    },
    first: (fits, seconds = 60) => {
      const { promise, resolve, reject } = Promise.withResolvers<Version<ObjectOf[K]>>();
      const notify = (version: Version<ObjectOf[K]>) => void (fits(version) && resolve(version));
      const limit = () => reject(new Error(`No such version of a ${kind} in ${namespace} within ${seconds} s.`));
      const timer = setTimeout(limit, seconds * 1000);
      waiting.add(notify);
      versions.forEach(notify);
      return promise.finally(() => {
        clearTimeout(timer);
        waiting.delete(notify);
      });
    },
    stop: () => {
      stopping.abort();
      agent.destroy();
    },
  };
}

function isLast<T extends ObjectOf[ObjectKind]>(object: T, versions: readonly Version<T>[]): boolean {
  return versions.findLast((version) => version.object.metadata.uid === object.metadata.uid)?.object === object;
}
