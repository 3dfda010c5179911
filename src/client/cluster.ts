import { type Key, keyText } from "../kube/object.ts";
import type { Cluster } from "../reconcile/cluster.ts";
import { type Caches, type CachesOptions, caches } from "./caches.ts";
import { type WriterOptions, writer } from "./writer.ts";

export interface ClusterOptions
  extends CachesOptions,
    Pick<WriterOptions, "instance" | "onEventLost" | "onOverruled"> {}

/** The cluster as its watches and one API client see it. */
export interface ClusterConnection extends Pick<Caches, "synced" | "states" | "stop"> {
  /**
   * Runs one pass over a server on the port. Afterwards the server is told of changes of what this pass has read; when the
   * pass fails, also of what earlier ones have.
   */
  pass<T>(key: Key, run: (cluster: Cluster) => Promise<T>): Promise<T>;
}

/** Starts the watches; passes may run once `synced` is true. */
export function clusterConnection(options: ClusterOptions): ClusterConnection {
  const cache = caches(options);
  const writes = writer({ ...options, caches: cache });
  const { synced, states, stop } = cache;
  return {
    synced,
    states,
    stop,
    pass: async (key, run) => {
      const secrets = new Set<string>();
      const configMaps = new Set<string>();
      const outcome = await run({
        ...writes,
        server: cache.server,
        owned: cache.owned,
        consenting: cache.consenting,
        secret: (namespace, name) => {
          secrets.add(keyText({ namespace, name }));
          return cache.secrets.read(namespace, name, key);
        },
        configMap: (namespace, name) => {
          configMaps.add(keyText({ namespace, name }));
          return cache.configMaps.read(namespace, name, key);
        },
      });
      cache.secrets.keepOnly(key, secrets);
      cache.configMaps.keepOnly(key, configMaps);
      return outcome;
    },
  };
}
