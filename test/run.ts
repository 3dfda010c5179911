import { existsSync } from "node:fs";
import { join } from "node:path";
import { run } from "node:test";
import { chromium } from "../demo/chromium.ts";
import { helmProgram, helmVariable } from "./chart/helm.ts";
import { azuriteImage, fakeGcsImage } from "./cluster/cloud-stores.ts";
import { gatewayImages } from "./cluster/gateway/install-gateway.ts";
import { keycloakImage } from "./cluster/keycloak.ts";
import { installMesh, removeMesh } from "./cluster/mesh/install-mesh.ts";
import { missingZtunnel, ztunnelProgram } from "./cluster/mesh/ztunnel.ts";
import { ipFamilyVariable } from "./cluster/network.ts";
import { oauth2ProxyImage, oauth2ProxyProgram } from "./cluster/oauth2-proxy.ts";
import { installPackages, missingPackages } from "./cluster/packages.ts";
import { clusterPrograms } from "./cluster/programs.ts";
import { startCluster } from "./cluster/start-cluster.ts";
import { versitygwImage } from "./cluster/versitygw.ts";
import { controlPlaneBinaries, type Report } from "./control-plane/binaries.ts";
import type { ClusterAddress } from "./control-plane/cluster-access.ts";
import { succeeded } from "./control-plane/completed.ts";
import { startControlPlane } from "./control-plane/control-plane.ts";
import { dockerCanPull, k3sImage } from "./control-plane/docker.ts";
import { sharedControlPlaneVariable } from "./control-plane/shared.ts";
import { liveImages } from "./live/live-cluster.ts";
import { buildImages, buildPrograms } from "./support/build-ahead.ts";
import { runChecks } from "./support/checks.ts";
import { startCpuPressure } from "./support/cpu-pressure.ts";
import { installed } from "./support/operator-fixture.ts";
import { operatorProgramVariable } from "./support/operator-process.ts";
import { emptyTally, reporter, sumLine, type Tally } from "./support/reporter.ts";
import { failureCounts, type RunOptions, runOptions } from "./support/run-options.ts";
import { chosenTiers, type Tier, unitFilesVariable } from "./support/tiers.ts";

const usage = `Usage: node test/run.ts [--repeat N] [--cpu-pressure] [unit | properties | programs | oauth2-proxy | chart | apiserver | live | ipv6 | mesh | extended | folder or file ...]

Without arguments: the checks of the whole tree, then all tiers that this machine supports, without the long tests of
variants, which "extended" runs: unit (starts no
program), properties (enumerated and generated cases), programs (command line, Python, Go and npm as processes), oauth2-proxy (the real program), chart, apiserver (a real API server), live (MLflow on a cluster of one real node; requires root), ipv6 (some of these tests on a
cluster with IPv6 only) and mesh (with Istio; requires ztunnel on the PATH, which no registry has). An unsupported tier is skipped with the reason. With CI=true that is a failure,
unless ztunnel is missing or MLFLOW_OPERATOR_SKIP_TIERS contains the tier (comma-separated).

  --repeat N      runs the files of each tier N times and lists the tests that failed at least once, with counts
  --cpu-pressure  runs an endless loop on each processor while the tests run
`;

const root = join(import.meta.dirname, "..");
/** Compile cache shared by test processes: compiling takes most of the time of a short test file. */
const compileCache = join(root, "node_modules", ".cache", "compiled");
const write = (text: string) => void process.stdout.write(text);

/** The environment variables of a tier's test processes, and a function that stops what was started for them. */
interface Environment {
  readonly env: NodeJS.ProcessEnv;
  readonly close: () => Promise<void>;
}

/** Why this machine does not support a tier. */
interface Unavailable {
  readonly unavailableReason: string;
  /** The requirement cannot be installed by a script. */
  readonly isExcused?: boolean;
}

async function main(args: readonly string[]): Promise<number> {
  const options = runOptions(args);
  if (options.help) {
    write(usage);
    return 0;
  }
  const tally = emptyTally();
  const tiers = await chosenTiers(root, options.names);
  if (options.names.length === 0) await runChecks(root, tally, write);
  const report = (line: string) => write(`  ${line}\n`);
  const names = tiers.map(({ name }) => name);
  if (names.includes("live") || names.includes("ipv6")) images = buildImages(report);
  await buildPrograms(names, report);
  for (const tier of tiers) await runTier(tier, options, tally);
  for (const skip of new Set(tally.skips)) write(`- ${skip}\n`);
  if (options.repeat > 1) for (const line of failureCounts(tally.failures, options.repeat)) write(`- ${line}\n`);
  if (tally.passed + tally.failed === 0) write("No test ran.\n");
  write(`${sumLine(tally)}\n`);
  return tally.failed > 0 || tally.passed === 0 ? 1 : 0;
}

async function runTier(tier: Tier, { repeat, cpuPressure }: RunOptions, tally: Tally): Promise<void> {
  const environment = await environmentFor(tier).catch((error: unknown) => ({ failure: messageOf(error) }));
  if ("unavailableReason" in environment) return skipTier(tier, environment, tally);
  if ("failure" in environment) {
    tally.failed += 1;
    write(`✖ tier ${tier.name} (${tier.files.length} files) did not start: ${environment.failure}\n`);
    return;
  }
  const pressure = cpuPressure ? startCpuPressure() : undefined;
  try {
    for (let count = 1; count <= repeat; count++) {
      if (repeat > 1) write(`tier ${tier.name}: run ${count} of ${repeat}\n`);
      await runFiles(tier, environment, tally);
    }
  } finally {
    await pressure?.end();
    await environment.close();
  }
}

async function runFiles(tier: Tier, environment: Environment, tally: Tally): Promise<void> {
  if (tier.name === "unit" && tier.files.length > unitProcesses) return runInProcesses(tier, tally);
  const events = run({
    files: longestFirst(tier.files),
    // These wait most of the time: for pods, watches and timers.
    concurrency: ["live", "ipv6", "apiserver"].includes(tier.name) ? 3 : 2,
    timeout: minutesOf(tier) * 60_000,
    execArgv: ["--import", join(root, "test/support/end.ts")],
    env: { ...environment.env, NODE_COMPILE_CACHE: compileCache },
  });
  for await (const text of events.compose(reporter(tally, root))) write(String(text));
}

/** Some tests wait, so there are more processes than the two that a small machine has processors for. */
const unitProcesses = 4;

/** Runs the unit tests in few processes, each with many files. */
async function runInProcesses(tier: Tier, tally: Tally): Promise<void> {
  const parts = Array.from({ length: unitProcesses }, (_, part) =>
    longestFirst(tier.files).filter((_, index) => index % unitProcesses === part),
  );
  await Promise.all(
    parts.map(async (files) => {
      const events = run({
        files: [join(root, "test/unit.ts")],
        timeout: minutesOf(tier) * 60_000,
        execArgv: ["--import", join(root, "test/support/end.ts")],
        env: { ...process.env, NODE_COMPILE_CACHE: compileCache, [unitFilesVariable]: JSON.stringify(files) },
      });
      for await (const text of events.compose(reporter(tally, root))) write(String(text));
    }),
  );
}

/** Sorts the slowest files first, so that none runs alone at the end. */
function longestFirst(files: readonly string[]): string[] {
  const rank = (file: string) => long.findIndex((name) => file.endsWith(`/${name}.test.ts`)) + 1 || long.length + 1;
  return files.toSorted((a, b) => rank(a) - rank(b));
}

const long = [
  ...["api/validation", "client/list-watch", "client/leader-election", "client/api-client", "api/migrating"],
  ...["cli/convert/convert", "client/prober", "api/generated", "cli/access", "control-plane/docker"],
  ...["resources/pod-security", "architecture", "environment/environment", "cli/validate", "client/credentials"],
  ...["spec-values", "migration-states", "host-conflict", "regular-expressions"].map((name) => `properties/${name}`),
  ...["programs/main", "programs/release"],
  ...["faults", "mesh", "crash", "skew", "rotation", "release", "workspaces", "workload-problems", "upgrade"].map(
    (name) => `apiserver/operator/${name}`,
  ),
  ...["exposure", "drift", "name-conflict", "staleness"].map((name) => `apiserver/operator/${name}`),
  "apiserver/client/list-watch",
  ...[
    "bad-input",
    "workspaces",
    "ldap-function",
    "rotation",
    "oidc",
    "replicas",
    "upgrade",
    "prefix",
    "ldap",
    "proxy",
    "proxy-kubernetes",
    "proxy-identity",
    "caller-token",
    "chart-release",
    "prefix-without-proxy",
    "keycloak",
  ].map((name) => `live/${name}`),
  "mesh/whole",
];

/** Timeout of one file: about five times its duration on an idle machine. */
function minutesOf({ name }: Tier): number {
  if (name === "unit" || name === "properties") return 3;
  return name === "live" || name === "ipv6" ? 26 : 10;
}

function skipTier({ name, files }: Tier, { unavailableReason, isExcused = false }: Unavailable, tally: Tally): void {
  const isAllowed = (process.env["MLFLOW_OPERATOR_SKIP_TIERS"] ?? "").split(",").includes(name) || isExcused;
  if (process.env["CI"] === "true" && !isAllowed) {
    tally.failed += 1;
    write(`✖ tier ${name} (${files.length} files) cannot run here, and CI=true requires all: ${unavailableReason}\n`);
    return;
  }
  tally.skipped += 1;
  tally.skips.push(`tier ${name} (${files.length} files): skipped, ${unavailableReason}`);
}

/** Starts the environment of a tier, or returns why it is unavailable. */
async function environmentFor({ name }: Tier): Promise<Environment | Unavailable> {
  if (name === "oauth2-proxy") return oauth2ProxyEnvironment((line) => write(`  ${line}\n`));
  if (name === "chart") return chartEnvironment((line) => write(`  ${line}\n`));
  if (name === "live") return liveEnvironment((line) => write(`  ${line}\n`));
  if (name === "ipv6") return ipv6Environment((line) => write(`  ${line}\n`));
  if (name === "mesh") return meshEnvironment((line) => write(`  ${line}\n`));
  if (name !== "apiserver") return { env: process.env, close: async () => {} };
  const folder = join(root, "node_modules", ".cache", "operator");
  await succeeded(process.execPath, [join(root, "scripts/build.ts"), "--outdir", folder]);
  const cluster = await apiServer((line) => write(`  ${line}\n`));
  if ("unavailableReason" in cluster) return cluster;
  const address = JSON.stringify(cluster.address);
  const program = join(folder, "mlflow-operator.js");
  const env = { ...process.env, [sharedControlPlaneVariable]: address, [operatorProgramVariable]: program };
  return { env, close: cluster.close };
}

/** Builds oauth2-proxy before the tests, so that no test waits for it. */
async function oauth2ProxyEnvironment(report: Report): Promise<Environment | Unavailable> {
  try {
    await oauth2ProxyProgram(report);
    return { env: process.env, close: async () => {} };
  } catch (error) {
    return { unavailableReason: messageOf(error) };
  }
}

/** Builds Helm. */
async function chartEnvironment(report: Report): Promise<Environment | Unavailable> {
  try {
    const env = { ...process.env, [helmVariable]: await helmProgram(report) };
    return { env, close: async () => {} };
  } catch (error) {
    return { unavailableReason: messageOf(error) };
  }
}

/** The build of the images, which runs during the first tiers. */
let images: Promise<void> | undefined;

/** Starts the cluster with its images, or uses one that already runs. A failed start is an error. */
async function liveEnvironment(report: Report): Promise<Environment | Unavailable> {
  const reason = missingPackages();
  if (reason) return { unavailableReason: reason };
  await images;
  try {
    await installPackages(report);
    await chromium(report);
    await clusterPrograms(report);
    await keycloakImage(report);
  } catch (error) {
    return { unavailableReason: messageOf(error) };
  }
  const cluster = await startCluster({ report });
  try {
    await cluster.images(liveImages);
    for (const image of await Promise.all([
      oauth2ProxyImage(report),
      versitygwImage(report),
      fakeGcsImage(report),
      azuriteImage(report),
      keycloakImage(report),
      ...(await gatewayImages(report)),
    ]))
      await cluster.image(image);
  } catch (error) {
    await cluster.close();
    throw error;
  }
  return { env: process.env, close: cluster.close };
}

/** The same with addresses of IPv6 only. */
async function ipv6Environment(report: Report): Promise<Environment | Unavailable> {
  if (!existsSync("/proc/net/if_inet6")) return { unavailableReason: "The kernel has no IPv6.", isExcused: true };
  process.env[ipFamilyVariable] = "IPv6";
  const restore = () => void delete process.env[ipFamilyVariable];
  try {
    const environment = await liveEnvironment(report);
    if ("unavailableReason" in environment) return environment;
    return { env: { ...process.env }, close: () => environment.close().finally(restore) };
  } catch (error) {
    restore();
    throw error;
  }
}

/** The same with Istio, which is removed afterwards from a cluster that already ran. */
async function meshEnvironment(report: Report): Promise<Environment | Unavailable> {
  if (ztunnelProgram() === undefined) return { unavailableReason: missingZtunnel, isExcused: true };
  const environment = await liveEnvironment(report);
  if ("unavailableReason" in environment) return environment;
  const cluster = await startCluster({ report });
  const close = async () => {
    await removeMesh(cluster);
    await cluster.close();
    await environment.close();
  };
  try {
    await installMesh(cluster, report);
  } catch (error) {
    await close();
    throw error;
  }
  return { env: process.env, close };
}

/** Starts a control plane from programs, or K3s if they cannot be built. A failed start is an error. */
async function apiServer(
  report: Report,
): Promise<{ address: ClusterAddress; close: () => Promise<void> } | Unavailable> {
  const unavailableReason = await controlPlaneBinaries(report).then(
    ({ kubeControllerManager }) =>
      !kubeControllerManager && "KUBEBUILDER_ASSETS has no kube-controller-manager: add it.",
    messageOf,
  );
  if (unavailableReason) {
    if (!(await dockerCanPull(k3sImage))) return { unavailableReason };
    // Imported only if needed: it includes a container client.
    const { startK3s } = await import("./control-plane/k3s.ts");
    return startK3s(report);
  }
  const began = Date.now();
  const controlPlane = await startControlPlane({ report, beforeControllers: installed });
  report(`control plane: ready in ${((Date.now() - began) / 1000).toFixed(1)} s`);
  return controlPlane;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${messageOf(error)}\n\n${usage}`);
  return 1;
});
