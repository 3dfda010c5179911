import { type KubeConfig, type KubernetesListObject, type KubernetesObject, Watch } from "@kubernetes/client-node";

export interface Watched<T extends KubernetesObject> {
  readonly path: string;
  readonly labelSelector?: string;
  readonly list: () => Promise<{ body: KubernetesListObject<T> }>;
  readonly onEvent: (type: "MODIFIED" | "DELETED", object: T) => void;
}

const idleMilliseconds = 90_000;

/** Lists and watches with bookmarks; lists again if the resource version has expired; retries without limit. */
export async function persistentWatch<T extends KubernetesObject>(
  config: KubeConfig,
  watched: Watched<T>,
): Promise<void> {
  const { path, labelSelector, list, onEvent } = watched;
  const known = new Map<string, T>();
  let position: string | undefined;
  const take = (type: "MODIFIED" | "DELETED", object: T) => {
    const name = object.metadata?.name ?? "";
    if (type === "DELETED") known.delete(name);
    else known.set(name, object);
    onEvent(type, object);
  };

  async function listed(): Promise<string | undefined> {
    const { metadata, items } = (await list()).body;
    const gone = new Map(known);
    for (const item of items) {
      gone.delete(item.metadata?.name ?? "");
      take("MODIFIED", item);
    }
    for (const object of gone.values()) take("DELETED", object);
    return metadata?.resourceVersion;
  }

  function watch(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const query = { allowWatchBookmarks: true, resourceVersion: position, ...(labelSelector && { labelSelector }) };
    let idleTimer: NodeJS.Timeout | undefined;
    let abort = () => {};
    const done = (error: unknown) => {
      clearTimeout(idleTimer);
      abort();
      if (error) reject(error);
      else resolve();
    };
    const received = () => {
      clearTimeout(idleTimer);
      idleTimer = setTimeout(done, idleMilliseconds, new Error("No event within the idle limit."));
    };
    received();
    new Watch(config)
      .watch(
        path,
        query,
        (type, object: T) => {
          received();
          if (type === "ERROR") return done(Object.assign(new Error("ERROR event"), { statusCode: 410 }));
          if (type !== "BOOKMARK") take(type === "DELETED" ? "DELETED" : "MODIFIED", object);
          position = object.metadata?.resourceVersion ?? position;
        },
        done,
      )
      .then((request) => {
        abort = () => request.abort();
      }, done);
    return promise;
  }

  for (let failures = 0; ; ) {
    try {
      position ??= await listed();
      await watch();
      failures = 0;
    } catch (error) {
      console.error(path, String(error));
      if (error instanceof Error && "statusCode" in error && error.statusCode === 410) position = undefined;
      failures += 1;
    }
    await new Promise((wake) => setTimeout(wake, Math.random() * Math.min(15_000, 200 * 2 ** failures)));
  }
}
