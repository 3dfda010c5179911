import { join } from "node:path";
import { run } from "node:test";
import { chromium } from "../demo/chromium.ts";
import { helmProgram, helmVariable } from "./chart/helm.ts";
import { gatewayImages } from "./cluster/gateway/install-gateway.ts";
import { installMesh, removeMesh } from "./cluster/mesh/install-mesh.ts";
import { lacksZtunnel, ztunnelProgram } from "./cluster/mesh/ztunnel.ts";
import { oauth2ProxyImage, oauth2ProxyProgram } from "./cluster/oauth2-proxy.ts";
import { installPackages, lacking } from "./cluster/packages.ts";
import { clusterPrograms } from "./cluster/programs.ts";
import { startCluster } from "./cluster/start-cluster.ts";
import { controlPlaneBinaries, type Report } from "./control-plane/binaries.ts";
import type { ClusterAddress } from "./control-plane/cluster-access.ts";
import { startControlPlane } from "./control-plane/control-plane.ts";
import { dockerCanPull, k3sImage } from "./control-plane/docker.ts";
import { sharedControlPlaneVariable } from "./control-plane/shared.ts";
import { liveImages } from "./live/live-cluster.ts";
import { buildImages, buildPrograms } from "./support/build-ahead.ts";
import { runChecks } from "./support/checks.ts";
import { startCpuPressure } from "./support/cpu-pressure.ts";
import { installed } from "./support/operator-fixture.ts";
import { emptyTally, reporter, sumLine, type Tally } from "./support/reporter.ts";
import { failureCounts, type RunOptions, runOptions } from "./support/run-options.ts";
import { chosenTiers, type Tier } from "./support/tiers.ts";

const usage = `Usage: node test/run.ts [--repeat N] [--cpu-pressure] [unit | oauth2-proxy | chart | apiserver | live | mesh | folder or file ...]

Without arguments: the checks of the whole tree, then all tiers, as far as this machine can carry them: unit, oauth2-proxy
(the real program), chart, apiserver (a real API server), live (MLflow itself on a cluster of one real node; takes root) and mesh (the same with Istio; needs ztunnel
on the PATH, which no registry has). A tier that it cannot carry is skipped with the reason; with CI=true that is a failure,
but for the want of ztunnel, unless MLFLOW_OPERATOR_SKIP_TIERS names the tier (comma-separated).

  --repeat N      runs the files of each tier N times and lists the tests that failed at least once, with counts
  --cpu-pressure  keeps every processor busy with an endless loop while the tests run
`;

const root = join(import.meta.dirname, "..");
/** What one process has compiled of the sources others need not: most of what a short test file takes. */
const compileCache = join(root, "node_modules", ".cache", "compiled");
const write = (text: string) => void process.stdout.write(text);

/** The environment of a tier's test processes, and how to end what was started for them. */
interface Ground {
  readonly env: NodeJS.ProcessEnv;
  readonly close: () => Promise<void>;
}

/** Why this machine cannot carry a tier. */
interface Lack {
  readonly lacking: string;
  /** Nothing that a script could install. */
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
  if (names.includes("live")) images = buildImages(report);
  await buildPrograms(names, report);
  for (const tier of tiers) await runTier(tier, options, tally);
  for (const skip of new Set(tally.skips)) write(`- ${skip}\n`);
  if (options.repeat > 1) for (const line of failureCounts(tally.failures, options.repeat)) write(`- ${line}\n`);
  if (tally.passed + tally.failed === 0) write("No test ran.\n");
  write(`${sumLine(tally)}\n`);
  return tally.failed > 0 || tally.passed === 0 ? 1 : 0;
}

async function runTier(tier: Tier, { repeat, cpuPressure }: RunOptions, tally: Tally): Promise<void> {
  const ground = await groundFor(tier).catch((error: unknown) => ({ broken: wordsOf(error) }));
  if ("lacking" in ground) return cannotCarry(tier, ground, tally);
  if ("broken" in ground) {
    tally.failed += 1;
    write(`✖ tier ${tier.name} (${tier.files.length} files) did not start: ${ground.broken}\n`);
    return;
  }
  const pressure = cpuPressure ? startCpuPressure() : undefined;
  try {
    for (let count = 1; count <= repeat; count++) {
      if (repeat > 1) write(`tier ${tier.name}: run ${count} of ${repeat}\n`);
      await runFiles(tier, ground, tally);
    }
  } finally {
    await pressure?.end();
    await ground.close();
  }
}

async function runFiles(tier: Tier, ground: Ground, tally: Tally): Promise<void> {
  const events = run({
    files: longestFirst(tier.files),
    // These wait most of the time: for pods, watches, and times that are the matter.
    concurrency: tier.name === "live" || tier.name === "apiserver" ? 3 : 2,
    timeout: minutesOf(tier) * 60_000,
    execArgv: ["--import", join(root, "test/support/end.ts")],
    env: { ...ground.env, NODE_COMPILE_CACHE: compileCache },
  });
  for await (const text of events.compose(reporter(tally, root))) write(String(text));
}

/** Those that take longest begin, so that none of them goes on alone when all others are done. */
function longestFirst(files: readonly string[]): string[] {
  const rank = (file: string) => long.findIndex((name) => file.endsWith(`/${name}.test.ts`)) + 1 || long.length + 1;
  return files.toSorted((a, b) => rank(a) - rank(b));
}

const long = [
  ...["faults", "mesh", "drift", "release", "crash", "exposure", "workspaces", "name-conflict"].map(
    (name) => `apiserver/operator/${name}`,
  ),
  "apiserver/client/list-watch",
  ...[
    "bad-input",
    "oidc",
    "workspaces",
    "ldap-function",
    "prefix-without-proxy",
    "prefix",
    "caller-token",
    "permissions",
    "proxy-kubernetes",
    "ldap",
  ].map((name) => `live/${name}`),
  "mesh/whole",
];

/** How long one file may take on a busy machine; some five times what it takes on one that has nothing else to do. */
function minutesOf({ name }: Tier): number {
  if (name === "unit") return 3;
  return name === "live" ? 26 : 10;
}

function cannotCarry({ name, files }: Tier, { lacking, isExcused = false }: Lack, tally: Tally): void {
  const isAllowed = (process.env["MLFLOW_OPERATOR_SKIP_TIERS"] ?? "").split(",").includes(name) || isExcused;
  if (process.env["CI"] === "true" && !isAllowed) {
    tally.failed += 1;
    write(`✖ tier ${name} (${files.length} files) cannot run here, and CI=true asks for all: ${lacking}\n`);
    return;
  }
  tally.skipped += 1;
  tally.skips.push(`tier ${name} (${files.length} files): skipped, ${lacking}`);
}

/** What the tier needs, started; or why this machine lacks it. */
async function groundFor({ name }: Tier): Promise<Ground | Lack> {
  if (name === "oauth2-proxy") return oauth2ProxyGround((line) => write(`  ${line}\n`));
  if (name === "chart") return chartGround((line) => write(`  ${line}\n`));
  if (name === "live") return liveGround((line) => write(`  ${line}\n`));
  if (name === "mesh") return meshGround((line) => write(`  ${line}\n`));
  if (name !== "apiserver") return { env: process.env, close: async () => {} };
  const cluster = await apiServer((line) => write(`  ${line}\n`));
  if ("lacking" in cluster) return cluster;
  const env = { ...process.env, [sharedControlPlaneVariable]: JSON.stringify(cluster.address) };
  return { env, close: cluster.close };
}

/** oauth2-proxy, so that no test waits for its build. */
async function oauth2ProxyGround(report: Report): Promise<Ground | Lack> {
  try {
    await oauth2ProxyProgram(report);
    return { env: process.env, close: async () => {} };
  } catch (error) {
    return { lacking: wordsOf(error) };
  }
}

/** Helm. */
async function chartGround(report: Report): Promise<Ground | Lack> {
  try {
    const env = { ...process.env, [helmVariable]: await helmProgram(report) };
    return { env, close: async () => {} };
  } catch (error) {
    return { lacking: wordsOf(error) };
  }
}

/** The build of the images, which goes on while the first tiers run: tests against an API server leave the processors much time. */
let images: Promise<void> | undefined;

/** The cluster with its images; one that is up is used, and stays. One that does not come up is a failure, not a lack. */
async function liveGround(report: Report): Promise<Ground | Lack> {
  const reason = lacking();
  if (reason) return { lacking: reason };
  await images;
  try {
    await installPackages(report);
    await chromium(report);
    await clusterPrograms(report);
  } catch (error) {
    return { lacking: wordsOf(error) };
  }
  const cluster = await startCluster({ report });
  try {
    await cluster.images(liveImages);
    for (const image of [await oauth2ProxyImage(report), ...(await gatewayImages(report))]) await cluster.image(image);
  } catch (error) {
    await cluster.close();
    throw error;
  }
  return { env: process.env, close: cluster.close };
}

/** The same with Istio, which goes again from a cluster that stays. */
async function meshGround(report: Report): Promise<Ground | Lack> {
  if (ztunnelProgram() === undefined) return { lacking: lacksZtunnel, isExcused: true };
  const ground = await liveGround(report);
  if ("lacking" in ground) return ground;
  const cluster = await startCluster({ report });
  const close = async () => {
    await removeMesh(cluster);
    await cluster.close();
    await ground.close();
  };
  try {
    await installMesh(cluster, report);
  } catch (error) {
    await close();
    throw error;
  }
  return { env: process.env, close };
}

/** From programs if there are any or they can be built, else K3s. A control plane that does not start is a failure, not a lack. */
async function apiServer(
  report: Report,
): Promise<{ address: ClusterAddress; close: () => Promise<void> } | { lacking: string }> {
  const lacking = await controlPlaneBinaries(report).then(
    ({ kubeControllerManager }) =>
      !kubeControllerManager && "KUBEBUILDER_ASSETS has no kube-controller-manager: add it.",
    wordsOf,
  );
  if (lacking) {
    if (!(await dockerCanPull(k3sImage))) return { lacking };
    // Loaded only where it is used: it brings a container client along.
    const { startK3s } = await import("./control-plane/k3s.ts");
    return startK3s(report);
  }
  const began = Date.now();
  const controlPlane = await startControlPlane({ report, beforeControllers: installed });
  report(`control plane: ready in ${((Date.now() - began) / 1000).toFixed(1)} s`);
  return controlPlane;
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${wordsOf(error)}\n\n${usage}`);
  return 1;
});
