import { after } from "node:test";
import type { supportedVersions } from "../../src/api/versions.ts";
import type { ImageName } from "../cluster/image-catalogue.ts";
import { type Cluster, startCluster } from "../cluster/start-cluster.ts";

/** The version of MLflow in tests that are not about versions. */
export const testedVersion = "3.17.2" satisfies (typeof supportedVersions)[number];

/** The oldest supported version of MLflow. */
export const oldestVersion = "3.16.1" satisfies (typeof supportedVersions)[number];

/** The images that are built before the test files start. */
export const liveImages = [
  `mlflow-server:${testedVersion}`,
  `mlflow-server:${oldestVersion}`,
  "mariadb",
  "mlflow-operator",
  "postgres",
  "s3",
  "slapd",
] as const satisfies readonly ImageName[];

let shared: Promise<Cluster> | undefined;

/**
 * Returns the cluster that test files share. A file that runs by itself without a running cluster starts one, which stops
 * at the end of its process.
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

/** Imports one image into the node and returns its reference. */
export async function imageReference(cluster: Cluster, name: ImageName): Promise<string> {
  const [reference] = await cluster.images([name]);
  if (reference === undefined) throw new Error(`Image ${name} has no reference.`);
  return reference;
}
