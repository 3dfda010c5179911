import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { ClusterAccess } from "../control-plane/cluster-access.ts";
import { administratorAgent, eventStream, type StreamedEvent } from "./event-stream.ts";
import { eventually } from "./eventually.ts";
import { type ObjectKind, type ObjectOf, objects, pathOf } from "./objects.ts";

/** One version of an object, as a watch told it. */
export interface Version<T> {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: T;
  /** The moment, comparable among all kinds: the API server's one store counts its writes. */
  readonly at: number;
}

/** Everything that has happened to the objects of one kind in a namespace since it was begun. */
export interface History<T> {
  /** In the order in which it happened; whatever was written before this call is in it. */
  versions(name?: string): Promise<readonly Version<T>[]>;
  /** Resolves with the first version, of those told already or yet to come, that fits; rejects after `seconds`. */
  first(fits: (version: Version<T>) => boolean, seconds?: number): Promise<Version<T>>;
  stop(): void;
}

/** Watches as the administrator and keeps every version, so that a test can judge states that lasted a moment only. */
export async function history<K extends ObjectKind>(
  cluster: ClusterAccess,
  namespace: string,
  kind: K,
): Promise<History<ObjectOf[K]>> {
  const stopping = new AbortController();
  const agent = await administratorAgent(cluster);
  const told: Version<ObjectOf[K]>[] = [];
  const waiting = new Set<(version: Version<ObjectOf[K]>) => void>();
  const { body } = await cluster.request("GET", `${pathOf(kind, namespace)}?limit=1`);
  let position: string = JSON.parse(body).metadata.resourceVersion;

  function take({ type, object }: StreamedEvent<ObjectOf[K]>): void {
    if (type === "ERROR")
      throw new Error(`The history of ${kind} in ${namespace} has a gap: ${JSON.stringify(object)}`);
    position = object.metadata.resourceVersion;
    if (type === "BOOKMARK") return;
    const version = { type, object, at: Number(position) };
    told.push(version);
    for (const tell of waiting) tell(version);
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
          const reached = told.some(({ object, at }) => {
            return object.metadata.uid === metadata.uid && at >= Number(metadata.resourceVersion);
          });
          assert.ok(reached, `the watch has not told of ${kind}/${metadata.name} as it is now`);
        }
        for (const { object } of told.filter(({ object }) => isLast(object, told))) {
          const { uid } = object.metadata;
          const gone = told.some((version) => version.type === "DELETED" && version.object.metadata.uid === uid);
          const isPresent = present.some(({ metadata }) => metadata.uid === uid);
          assert.ok(gone || isPresent, `the watch has not told of the end of ${kind}/${object.metadata.name}`);
        }
      });
      return told.filter(({ object }) => name === undefined || object.metadata.name === name);
    },
    first: (fits, seconds = 60) => {
      const { promise, resolve, reject } = Promise.withResolvers<Version<ObjectOf[K]>>();
      const tell = (version: Version<ObjectOf[K]>) => void (fits(version) && resolve(version));
      const limit = () => reject(new Error(`No such version of a ${kind} in ${namespace} within ${seconds} s.`));
      const timer = setTimeout(limit, seconds * 1000);
      waiting.add(tell);
      told.forEach(tell);
      return promise.finally(() => {
        clearTimeout(timer);
        waiting.delete(tell);
      });
    },
    stop: () => {
      stopping.abort();
      agent.destroy();
    },
  };
}

function isLast<T extends ObjectOf[ObjectKind]>(object: T, told: readonly Version<T>[]): boolean {
  return told.findLast((version) => version.object.metadata.uid === object.metadata.uid)?.object === object;
}
