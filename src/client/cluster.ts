import type { MlflowServer } from "../api/server.ts";
import { type Key, type KubeObject, keyText } from "../kube/object.ts";
import type { Cluster } from "../reconcile/cluster.ts";
import { summaryOf, type WorkspaceChecks, type WorkspaceSummary } from "../reconcile/workspace/summary.ts";
import type { WorkspaceCluster } from "../reconcile/workspace/workspace-cluster.ts";
import { type Caches, type CachesOptions, caches } from "./caches.ts";
import { type Probe, type ProbeTiming, prober } from "./prober.ts";
import { schemaGuard } from "./schema-guard.ts";
import { violations } from "./violations.ts";
import { warningsReader } from "./warnings.ts";
import { type WriterOptions, writer } from "./writer.ts";

export interface ClusterOptions extends CachesOptions, Pick<WriterOptions, "instance" | "onEventLost" | "onOverruled"> {
  /** How the workspaces of a server are, as far as is known. */
  readonly summaries?: (server: MlflowServer) => WorkspaceSummary | undefined;
  readonly probeTiming?: ProbeTiming;
  /** How an endpoint in a mesh is asked; default over the network. */
  readonly probe?: Probe | undefined;
  /** Told why events could not be read. */
  readonly onEventsUnread?: (message: string) => void;
  /** This operator among others, as `status.operator` has it. */
  readonly identity?: string | undefined;
  /** A CustomResourceDefinition that is installed lacks what this operator knows, or has it again (nothing is missing). */
  readonly onSkew?: Parameters<typeof schemaGuard>[1];
}

/** The cluster as its watches and one API client see it. */
export interface ClusterConnection extends Pick<Caches, "synced" | "states" | "stop" | "servers" | "watchProblem"> {
  /**
   * Runs one pass over a server on the port. Afterwards the server is told of changes of what this pass has read; when the
   * pass fails, also of what earlier ones have.
   */
  pass<T>(key: Key, run: (cluster: Cluster) => Promise<T>): Promise<T>;
  /** What passes over workspaces have. */
  readonly workspaces: WorkspaceCluster;
  /** All namespaces in which something may have to be done for workspaces. */
  allWorkspaces(): Iterable<string>;
  /** What is the case in all workspaces of a server that is there, from how passes have left each. */
  summary(key: Key, checks: WorkspaceChecks): WorkspaceSummary | undefined;
}

/** Starts the watches; passes may run once `synced` is true. */
export function clusterConnection(options: ClusterOptions): ClusterConnection {
  const warnings = warningsReader(options.client, (message) => options.onEventsUnread?.(message));
  const cache = caches({ ...options, onDefinition: (isEnded) => (isEnded ? guard.recheck() : guard.doubt()) });
  const writes = writer({ ...options, caches: cache });
  const guard = schemaGuard(options.client, (kind, skew) => {
    options.onSkew?.(kind, skew);
    for (const { metadata } of cache.servers())
      options.onServer({ namespace: metadata.namespace ?? "", name: metadata.name });
    for (const namespace of cache.workspaces.all()) options.onWorkspace?.(namespace);
  });
  const probes = prober(options.onServer, options.probeTiming, options.probe);
  const pruned = new Map<string, number>();
  const schema = {
    skew: guard.skew,
    violations,
    secondsPruned: (object: KubeObject) => {
      const { uid = "" } = object.metadata;
      const since = pruned.get(uid) ?? performance.now();
      pruned.set(uid, since);
      return (performance.now() - since) / 1000;
    },
  };
  const { synced, states, servers, watchProblem } = cache;
  const { consenting, accesses, grantedIn } = cache.workspaces;
  return {
    synced,
    states,
    servers,
    watchProblem,
    stop: () => {
      probes.stop();
      guard.stop();
      cache.stop();
    },
    workspaces: {
      ...writes,
      ...schema,
      identity: options.identity,
      namespace: consenting.get,
      servers: cache.workspaces.servers,
      accesses: accesses.inNamespace,
      granted: grantedIn,
    },
    allWorkspaces: cache.workspaces.all,
    summary: (key, checks) => {
      const server = cache.server(key);
      if (server?.spec.workspaces === undefined) return undefined;
      return summaryOf(server, { consenting: consenting.of(key.namespace), namespace: consenting.get, ...checks });
    },
    pass: async (key, run) => {
      await cache.completed(key);
      const secrets = new Set<string>();
      const configMaps = new Set<string>();
      let isProbed = false;
      const outcome = await run({
        ...writes,
        ...schema,
        identity: options.identity,
        server: cache.server,
        owned: cache.owned,
        consenting: cache.consenting,
        granted: cache.granted,
        workspaces: (server) => options.summaries?.(server),
        knows: cache.knows,
        watchProblem,
        rivals: cache.rivals,
        neighbours: cache.neighbours,
        warnings,
        probes: (doors) => {
          isProbed = true;
          return probes.probes(key, doors);
        },
        secret: (namespace, name, keys) => {
          secrets.add(keyText({ namespace, name }));
          return cache.secrets.read(namespace, name, key, keys);
        },
        configMap: (namespace, name, keys) => {
          configMaps.add(keyText({ namespace, name }));
          return cache.configMaps.read(namespace, name, key, keys);
        },
      });
      cache.secrets.keepOnly(key, secrets);
      cache.configMaps.keepOnly(key, configMaps);
      if (!isProbed) probes.forget(key);
      return outcome;
    },
  };
}
