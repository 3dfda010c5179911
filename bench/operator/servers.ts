import { setTimeout as sleep } from "node:timers/promises";
import type { MlflowServer } from "../../src/api/server.ts";
import { isKind, kinds, kindsWith, resourcePath, rowOf } from "../../src/kube/kinds.ts";
import { label } from "../../src/kube/names.ts";
import type { KubeObject } from "../../src/kube/object.ts";
import type { ClusterAccess } from "../../test/control-plane/cluster-access.ts";
import { adminRequest } from "../admin-request.ts";
import { inFlight } from "../in-flight.ts";

/** Everything on one volume, without referenced Secrets. */
export const quickStart = {
  version: "3.17.2",
  backendStore: { sqlite: {} },
  artifactStore: { persistentVolume: {} },
  authentication: { basic: {} },
};

/** Experiments in PostgreSQL, users in another database, artifacts in S3: a typical setup. References two Secrets. */
export const ofTeams = {
  version: "3.17.2",
  backendStore: {
    postgresql: { host: "db.example.com", database: "mlflow", credentialsSecretRef: { name: "database" } },
  },
  artifactStore: { s3: { bucket: "models" } },
  authentication: {
    basic: {
      database: {
        postgresql: { host: "db.example.com", database: "auth", credentialsSecretRef: { name: "auth-database" } },
      },
    },
  },
};

/** Creates a namespace with the referenced Secrets. */
export async function createNamespace(cluster: ClusterAccess, namespace: string): Promise<void> {
  await adminRequest(cluster, "POST", "/api/v1/namespaces", { metadata: { name: namespace } });
  for (const name of ["database", "auth-database"])
    await adminRequest(cluster, "POST", resourcePath("Secret", namespace), {
      metadata: { name },
      stringData: { username: "mlflow", password: "pa%ss @:/?#[]word" },
    });
}

export async function createServers(
  cluster: ClusterAccess,
  namespace: string,
  names: readonly string[],
  spec: object = ofTeams,
): Promise<void> {
  await inFlight(16, names, (name) =>
    adminRequest(cluster, "POST", resourcePath("MlflowServer", namespace), {
      apiVersion: "mlflow-operator.dev/v1alpha1",
      kind: "MlflowServer",
      metadata: { name },
      spec,
    }),
  );
}

export const serverNames = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${prefix}-${index}`);

async function listed<T extends KubeObject>(cluster: ClusterAccess, path: string): Promise<readonly T[]> {
  return (await adminRequest<{ items: T[] }>(cluster, "GET", path)).items;
}

/** Waits until `count` Deployments exist. */
export async function deployed(cluster: ClusterAccess, namespace: string, count: number): Promise<void> {
  await until(
    async () => (await listed(cluster, resourcePath("Deployment", namespace))).length >= count,
    "Deployments",
  );
}

/** Waits until `count` servers are Ready with their current generation. */
export async function ready(
  cluster: ClusterAccess,
  namespace: string,
  count: number,
  seconds = longestSeconds,
): Promise<void> {
  await until(
    async () => {
      const servers = await listed<MlflowServer>(cluster, resourcePath("MlflowServer", namespace));
      return servers.filter(isReady).length >= count;
    },
    "Ready servers",
    seconds,
  );
}

function isReady({ metadata, status }: MlflowServer): boolean {
  return (status?.conditions ?? []).some(
    ({ type, status, observedGeneration }) =>
      type === "Ready" && status === "True" && observedGeneration === metadata.generation,
  );
}

const longestSeconds = 120;

async function until(holds: () => Promise<boolean>, what: string, seconds = longestSeconds): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`Too few ${what} after ${seconds} s.`);
    await sleep(100);
  }
}

/** Returns all objects of a server. */
export async function ownedBy(
  cluster: ClusterAccess,
  namespace: string,
  server: string,
): Promise<readonly KubeObject[]> {
  const found: KubeObject[] = [];
  // A bench has no mesh, and cluster-scoped objects belong to workspaces.
  const inNamespace = kindsWith("owned").filter((kind) => !rowOf(kind).isOptional && rowOf(kind).scope !== "Cluster");
  for (const kind of inNamespace) {
    const query = `?labelSelector=${encodeURIComponent(`${label.server}=${server}`)}`;
    for (const item of await listed(cluster, `${resourcePath(kind, namespace)}${query}`))
      found.push({ ...item, apiVersion: kinds[kind].apiVersion, kind });
  }
  return found;
}

export function pathOf({ kind, metadata }: KubeObject): string {
  if (!isKind(kind)) throw new Error(`${kind} is not in the table of kinds.`);
  return resourcePath(kind, metadata.namespace, metadata.name);
}
