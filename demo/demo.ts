/** `npm run demo`: starts the operator and an MLflow server, and uses it with the MLflow client. See --help. */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { MlflowServer } from "../src/api/server.ts";
import { versions } from "../src/api/versions.ts";
import { logRun } from "./client.ts";
import { type DemoCluster, demoCluster } from "./demo-cluster.ts";
import { type Kubectl, kubectlOn } from "./kubectl.ts";
import { freshNamespace, removeNamespace } from "./namespace.ts";
import { type Operator, startOperator } from "./operator.ts";
import { savePodLogs } from "./pod-logs.ts";
import { type Forwarding, portForward } from "./port-forward.ts";
import { screen } from "./screen.ts";
import { screenshotRun } from "./screenshot-run.ts";
import { conditionOf, isReady, isSettled, snapshot } from "./snapshot.ts";
import { whatNext } from "./what-next.ts";

const help = `npm run demo [-- --kubeconfig <path> [--image-repository <name>]] [--keep]

Starts the operator for a Kubernetes cluster, and creates the server of examples/sqlite-quick-start.yaml in the
namespace mlflow-demo. Then the MLflow client logs a run, and a browser opens it.

  --kubeconfig <path>         a cluster for the demo (the current kubeconfig is not used by default). Default: K3s in Docker
                              if an engine can pull it; as root on Debian a cluster of one node on this machine
                              (docs/test-cluster.md); otherwise a control plane without nodes, which shows only objects
  --image-repository <name>   image of MLflow for that cluster (docs/images.md describes how to build it)
  --keep                      keep everything running until Ctrl-C (the default on a terminal)`;

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
/** Examples with placeholders, such as the CA certificate of a database. */
const incomplete = ["basic-auth-postgresql.yaml", "s3-artifacts.yaml"];
const stays = values.keep === true || process.stdout.isTTY;
const { say, show, rest } = screen(process.stdout);
const ended = new AbortController();
/** Directory for the log of the operator and the screenshot. */
const directory = await mkdtemp(join(tmpdir(), "mlflow-operator-demo-"));

let cluster: DemoCluster | undefined;
let operator: Operator | undefined;
let forwarding: Forwarding | undefined;
try {
  await demo();
} catch (error) {
  if (!ended.signal.aborted) {
    say(`the demo failed: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
    if (cluster !== undefined) {
      const path = join(directory, "pods.log");
      await savePodLogs(kubectlOn(cluster), namespace, path);
      say(`logs of the pods: ${path}`);
    }
  }
} finally {
  await cleanUp();
}

async function demo(): Promise<void> {
  say("finding or starting a Kubernetes cluster");
  cluster = await demoCluster(values.kubeconfig, `mlflow-server:${versions[0].version}`, say);
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => ended.abort());
  say(`using ${cluster.description}`);
  const kubectl = kubectlOn(cluster);
  const hasNodes = JSON.parse(await kubectl(["get", "nodes", "-o", "json"])).items.length > 0;
  say("installing the CustomResourceDefinition (crds/)");
  await kubectl(["apply", "--server-side", "--force-conflicts", "-f", "crds/"]);
  await kubectl(["wait", "--for=condition=Established", "crd/mlflowservers.mlflow-operator.dev", "--timeout=30s"]);
  await freshNamespace(kubectl, namespace, say);
  const logPath = join(directory, "operator.log");
  say(`starting the operator with the log ${logPath}`);
  const imageRepository = values["image-repository"];
  operator = startOperator({
    kubeconfigPath: cluster.kubeconfigPath,
    namespace,
    logPath,
    ...(imageRepository !== undefined && { imageRepository }),
  });
  if (hasNodes) await useMlflow(kubectl, cluster, join(directory, "mlflow.png"));
  else await showObjects(kubectl);
  rest();
  console.log(whatNext({ cluster, namespace, port: forwarding?.port, hasNodes, stays }));
  if (!stays) return;
  console.log("Everything keeps running until you press Ctrl-C.\n");
  while (!ended.signal.aborted) {
    await sleep(1000, undefined, { signal: ended.signal }).catch(() => undefined);
    if (!ended.signal.aborted && process.stdout.isTTY) show((await snapshot(kubectl, namespace)).lines);
  }
}

/** Creates a server, logs a run, takes a screenshot, and shows the conditions of incomplete examples. */
async function useMlflow(kubectl: Kubectl, cluster: DemoCluster, screenshotPath: string): Promise<void> {
  await apply(kubectl, [quickStart]);
  const began = Date.now();
  const server = await readyServer(kubectl);
  const seconds = Math.round((Date.now() - began) / 1000);
  say(`MLflow is ready ${seconds} s after its manifest was applied: ${server.status?.url}`);
  say("starting a pod with the Python client of MLflow, which runs demo/log-a-run.py:");
  const run = await logRun(kubectl, server, (line) => say(`  ${line}`));
  forwarding = await portForward(cluster, namespace, server.metadata.name, 5000);
  await screenshotRun(kubectl, { server, run, port: forwarding.port, path: screenshotPath }, say);
  say("two other examples have placeholders: the operator reports which, and what to write");
  await apply(kubectl, incomplete);
  say("waiting until the operator has checked them");
  for (const server of await until(kubectl, 180, isSettled)) {
    const ready = conditionOf(server, "Ready");
    // The tree on a terminal truncates them to its width.
    if (process.stdout.isTTY) say(`  MlflowServer/${server.metadata.name}: ${ready?.reason}: ${ready?.message}`);
  }
}

/** Without nodes: shows all objects except pods. */
async function showObjects(kubectl: Kubectl): Promise<void> {
  await apply(kubectl, [quickStart, ...incomplete]);
  const isMigrating = (server: MlflowServer) => conditionOf(server, "Ready")?.reason === "MigrationRunning";
  await until(kubectl, 45, (server) => isMigrating(server) || isSettled(server));
  say("This cluster has no nodes for pods, so the demo ends here: the objects of the first example exist, and it");
  say(
    "waits for its database migration, which runs in a pod. The other two have placeholders, which the operator reports.",
  );
}

async function apply(kubectl: Kubectl, files: readonly string[]): Promise<void> {
  const paths = files.map((file) => join("examples", file));
  say(`applying ${paths.join(", ")} in namespace ${namespace}`);
  for (const path of paths) await kubectl(["apply", "--namespace", namespace, "-f", path]);
}

async function readyServer(kubectl: Kubectl): Promise<MlflowServer> {
  say("waiting until it is Ready: a Job creates its database, then its pod starts");
  // Other problems, such as a full node, can be temporary.
  const isImageMissing = (server: MlflowServer) => conditionOf(server, "Ready")?.reason === "ImagePullFailed";
  const [server] = await until(kubectl, 300, (each) => isReady(each) || isImageMissing(each));
  if (server !== undefined && isReady(server)) return server;
  throw new Error(
    "the cluster cannot pull the image of MLflow: build it (docs/images.md), push it, and set --image-repository",
  );
}

/** Shows the tree until all servers fulfil the condition. */
async function until(
  kubectl: Kubectl,
  seconds: number,
  isReached: (server: MlflowServer) => boolean,
): Promise<readonly MlflowServer[]> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const { servers, lines } = await snapshot(kubectl, namespace);
    show(lines);
    if (servers.length > 0 && servers.every(isReached)) return servers;
    ended.signal.throwIfAborted();
    if (operator?.isOver()) throw new Error("the operator has exited: see its log");
    if (Date.now() > deadline) throw new Error(`timeout after ${seconds} s; see the conditions above`);
    await sleep(400);
  }
}

/** Removes everything that the demo has created, except for the CRD of an existing cluster: others can use it. */
async function cleanUp(): Promise<void> {
  forwarding?.close();
  if (cluster?.stays) {
    say(`removing the namespace ${namespace}; the CustomResourceDefinition stays`);
    await removeNamespace(kubectlOn(cluster), namespace).catch((error: unknown) => say(String(error)));
  } else if (cluster) say("stopping everything");
  await operator?.close();
  await cluster?.close();
}
