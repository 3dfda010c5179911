import { after } from "node:test";
import type { supportedVersions } from "../../src/api/versions.ts";
import type { ImageName } from "../cluster/image-catalogue.ts";
import { type Cluster, startCluster } from "../cluster/start-cluster.ts";

/** The version of MLflow that the tests run where they are not about versions. */
export const testedVersion = "3.17.2" satisfies (typeof supportedVersions)[number];

/** The oldest version of MLflow that the operator runs. */
export const oldestVersion = "3.16.1" satisfies (typeof supportedVersions)[number];

/** The images that every test file may use without waiting for a build. */
export const liveImages = [
  `mlflow-server:${testedVersion}`,
  `mlflow-server:${oldestVersion}`,
  "mlflow-operator",
  "postgres",
  "s3",
  "slapd",
] as const satisfies readonly ImageName[];

let shared: Promise<Cluster> | undefined;

/**
 * The cluster that test files share: the one that is up. A file that is run by itself on a machine where none is up
 * gets one, which goes down at the end of its process.
 */
export function liveCluster(): Promise<Cluster> {
  shared ??= start();
  return shared;
}

async function start(): Promise<Cluster> {
  const cluster = await startCluster({ report: () => {} });
  after(() => cluster.close());
  return cluster;
}

/** The reference of one image, which the node then has. */
export async function imageReference(cluster: Cluster, name: ImageName): Promise<string> {
  const [reference] = await cluster.images([name]);
  if (reference === undefined) throw new Error(`There is no reference of image ${name}.`);
  return reference;
}
