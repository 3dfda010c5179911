/** `npm run cluster -- up | down | status | purge`: a Kubernetes of one node on this machine. See --help. */
import { rm } from "node:fs/promises";
import { reportOnStderr } from "../control-plane/binaries.ts";
import { bringUp, release, takeDown } from "./bring-up.ts";
import { clusterPaths } from "./cluster-paths.ts";
import { imageNamed } from "./image-catalogue.ts";
import { provideImages } from "./images.ts";
import { findMachine } from "./machine.ts";
import { accessTo, adminKubeconfig, healthProblem } from "./node-state.ts";
import { clusterPrograms } from "./programs.ts";

const help = `npm run cluster -- <command>      (or: node test/cluster/cluster.ts <command>)

A Kubernetes of one real node on this machine: no Docker and no image registry needed, only root, Debian and Go.

  up [image ...]   start it if it is not running; build and import images: mlflow-server:<version>, mlflow-operator,
                   postgres, s3, busybox
  down             stop it and remove its objects; built programs and images are kept
  status           show whether it is running and healthy; exit code 1 if not
  purge            stop it and remove its images`;

async function up(names: readonly string[]): Promise<number> {
  const images = names.map(imageNamed);
  await bringUp("person", reportOnStderr);
  const programs = await clusterPrograms(reportOnStderr);
  const machine = await findMachine();
  if (machine) await provideImages(machine, programs, images, reportOnStderr);
  console.log(`export KUBECONFIG=${adminKubeconfig}`);
  console.log(`alias kubectl=${programs("kubectl")}`);
  return 0;
}

async function status(): Promise<number> {
  const programs = await clusterPrograms(reportOnStderr);
  const problem = await healthProblem(programs);
  if (problem !== undefined) {
    console.log(`The test cluster is not healthy: ${problem}.`);
    return 1;
  }
  const { kubectl } = await accessTo(programs);
  console.log(`The test cluster is healthy. KUBECONFIG=${adminKubeconfig}`);
  console.log((await kubectl(["get", "pods", "--all-namespaces"])).stdout.trimEnd());
  return 0;
}

async function purge(): Promise<number> {
  await takeDown(reportOnStderr);
  await rm(clusterPaths.root, { recursive: true, force: true });
  return 0;
}

async function main([command, ...rest]: readonly string[]): Promise<number> {
  switch (command) {
    case "up":
      return up(rest);
    case "down":
      await takeDown(reportOnStderr);
      return 0;
    // Internal: called for a process that has ended.
    case "release":
      await release(reportOnStderr);
      return 0;
    case "status":
      return status();
    case "purge":
      return purge();
    default:
      console.log(help);
      return command === undefined || command === "--help" || command === "help" ? 0 : 1;
  }
}

process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error));
  return 1;
});
