/** `npm run demo`: from nothing to an MLflow that the operator runs, used by MLflow's own client. See --help. */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { MlflowServer } from "../src/api/server.ts";
import { versions } from "../src/api/versions.ts";
import { logRun } from "./client.ts";
import { type Ground, ground } from "./ground.ts";
import { type Kubectl, kubectlOn } from "./kubectl.ts";
import { keepLastWords } from "./last-words.ts";
import { look } from "./look.ts";
import { freshNamespace, removeNamespace } from "./namespace.ts";
import { type Operator, startOperator } from "./operator.ts";
import { conditionOf, isReady, isSettled, picture } from "./picture.ts";
import { type Forwarding, portForward } from "./port-forward.ts";
import { screen } from "./screen.ts";
import { whatNext } from "./what-next.ts";

const help = `npm run demo [-- --kubeconfig <path> [--image-repository <name>]] [--keep]

Takes a Kubernetes, runs the operator against it, and has it make an MLflow of examples/sqlite-quick-start.yaml in the
namespace mlflow-demo. Then MLflow's own client logs a run there, and a browser looks at it.

  --kubeconfig <path>         a cluster that you may use for this (your current kubeconfig is never taken by itself). Without
                              it: K3s in Docker where an engine can pull it; as root on Debian a Kubernetes of one node on
                              this machine (docs/test-cluster.md); else a control plane without nodes, which shows objects only
  --image-repository <name>   where that cluster gets MLflow's image (docs/images.md says how to build it)
  --keep                      leave everything running at the end, until Ctrl-C (what a terminal gets anyway)`;

const { values } = parseArgs({
  options: {
    kubeconfig: { type: "string" },
    "image-repository": { type: "string" },
    keep: { type: "boolean" },
    help: { type: "boolean", short: "h" },
  },
});
if (values.help) {
  console.log(help);
  process.exit(0);
}

const namespace = "mlflow-demo";
const quickStart = "sqlite-quick-start.yaml";
/** Those with places to be filled in, such as the authority of a database. */
const waiting = ["basic-auth-postgresql.yaml", "s3-artifacts.yaml"];
const stays = values.keep === true || process.stdout.isTTY;
const { say, show, rest } = screen(process.stdout);
const ended = new AbortController();
/** Where the operator's log and the screenshot are put. */
const directory = await mkdtemp(join(tmpdir(), "mlflow-operator-demo-"));

let place: Ground | undefined;
let operator: Operator | undefined;
let forwarding: Forwarding | undefined;
try {
  await demo();
} catch (error) {
  if (!ended.signal.aborted) {
    say(`the demo ends here: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
    if (place !== undefined) {
      const path = join(directory, "pods.log");
      await keepLastWords(kubectlOn(place), namespace, path);
      say(`what the pods said last: ${path}`);
    }
  }
} finally {
  await cleanUp();
}

async function demo(): Promise<void> {
  say("looking for a Kubernetes");
  place = await ground(values.kubeconfig, `mlflow-server:${versions[0].version}`, say);
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => ended.abort());
  say(`using ${place.description}`);
  const kubectl = kubectlOn(place);
  const hasNodes = JSON.parse(await kubectl(["get", "nodes", "-o", "json"])).items.length > 0;
  say("installing the CustomResourceDefinition (crds/)");
  await kubectl(["apply", "--server-side", "--force-conflicts", "-f", "crds/"]);
  await kubectl(["wait", "--for=condition=Established", "crd/mlflowservers.mlflow-operator.dev", "--timeout=30s"]);
  await freshNamespace(kubectl, namespace, say);
  const logPath = join(directory, "operator.log");
  say(`starting the operator; its log: ${logPath}`);
  const imageRepository = values["image-repository"];
  operator = startOperator({
    kubeconfigPath: place.kubeconfigPath,
    namespace,
    logPath,
    ...(imageRepository !== undefined && { imageRepository }),
  });
  if (hasNodes) await useMlflow(kubectl, place, join(directory, "mlflow.png"));
  else await showObjects(kubectl);
  rest();
  console.log(whatNext({ ground: place, namespace, port: forwarding?.port, hasNodes, stays }));
  if (!stays) return;
  console.log("Everything stays up until you press Ctrl-C.\n");
  while (!ended.signal.aborted) {
    await sleep(1000, undefined, { signal: ended.signal }).catch(() => undefined);
    if (!ended.signal.aborted && process.stdout.isTTY) show((await picture(kubectl, namespace)).lines);
  }
}

/** The whole way: up, in, used and looked at; and what is said where it is not possible. */
async function useMlflow(kubectl: Kubectl, on: Ground, screenshotPath: string): Promise<void> {
  await apply(kubectl, [quickStart]);
  const began = Date.now();
  const server = await readyServer(kubectl);
  const seconds = Math.round((Date.now() - began) / 1000);
  say(`MLflow is up ${seconds} s after its manifest was applied: ${server.status?.url}`);
  say("a pod with MLflow's own Python client starts beside it, and runs demo/log-a-run.py:");
  const run = await logRun(kubectl, server, (line) => say(`  ${line}`));
  forwarding = await portForward(on, namespace, server.metadata.name, 5000);
  await look(kubectl, { server, run, port: forwarding.port, path: screenshotPath }, say);
  say("two other examples have places to be filled in: the operator has to say where, and what to write");
  await apply(kubectl, waiting);
  say("waiting until it has looked at them");
  for (const server of await until(kubectl, 180, isSettled)) {
    const ready = conditionOf(server, "Ready");
    // A terminal shows them cut to its width.
    if (process.stdout.isTTY) say(`  MlflowServer/${server.metadata.name}: ${ready?.reason}: ${ready?.message}`);
  }
}

/** Without nodes: everything but pods. */
async function showObjects(kubectl: Kubectl): Promise<void> {
  await apply(kubectl, [quickStart, ...waiting]);
  await until(kubectl, 45, (server) => conditionOf(server, "Ready")?.reason === "MigrationRunning");
  say("This Kubernetes has no node to run pods on, so this is as far as it goes: all objects are there, and the");
  say("servers wait for their database migrations, which are pods. With a cluster that has nodes they become Ready.");
}

async function apply(kubectl: Kubectl, files: readonly string[]): Promise<void> {
  const paths = files.map((file) => join("examples", file));
  say(`applying ${paths.join(", ")} in namespace ${namespace}`);
  for (const path of paths) await kubectl(["apply", "--namespace", namespace, "-f", path]);
}

async function readyServer(kubectl: Kubectl): Promise<MlflowServer> {
  say("waiting until it is Ready: a Job makes its database, then its pod starts");
  // Other troubles, such as a node that is full, may pass.
  const lacksImage = (server: MlflowServer) => conditionOf(server, "Ready")?.reason === "ImagePullFailed";
  const [server] = await until(kubectl, 300, (each) => isReady(each) || lacksImage(each));
  if (server !== undefined && isReady(server)) return server;
  throw new Error(
    "the cluster has no image of MLflow: build it (docs/images.md), push it, and name it by --image-repository",
  );
}

/** Shows the tree until all servers are as they shall be. */
async function until(
  kubectl: Kubectl,
  seconds: number,
  isReached: (server: MlflowServer) => boolean,
): Promise<readonly MlflowServer[]> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const { servers, lines } = await picture(kubectl, namespace);
    show(lines);
    if (servers.length > 0 && servers.every(isReached)) return servers;
    ended.signal.throwIfAborted();
    if (operator?.isOver()) throw new Error("the operator has ended: see its log");
    if (Date.now() > deadline) throw new Error(`${seconds} s were not enough; the conditions above say why`);
    await sleep(400);
  }
}

/** What the demo made goes away again, but for the CRD of a cluster that stays: others may use it. */
async function cleanUp(): Promise<void> {
  forwarding?.close();
  if (place?.stays) {
    say(`removing the namespace ${namespace}; the CustomResourceDefinition stays`);
    await removeNamespace(kubectlOn(place), namespace).catch((error: unknown) => say(String(error)));
  } else if (place) say("taking everything down again");
  await operator?.close();
  await place?.close();
}
