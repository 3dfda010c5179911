/** `npm run demo`: from nothing to MlflowServers that the operator works on, watched live. See --help. */
import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { mkdtemp, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { MlflowServer } from "../src/api/server.ts";
import { kinds, kindsWith } from "../src/kube/kinds.ts";
import type { Owned } from "../src/kube/manifests.ts";
import { managedSelector } from "../src/kube/names.ts";
import { completed } from "../test/control-plane/completed.ts";
import { type Kubernetes, kubernetesApi } from "../test/control-plane/kubernetes.ts";
import { screen } from "./screen.ts";
import { tree } from "./tree.ts";

const help = `npm run demo [-- --kubeconfig <path>] [--keep]

Takes a Kubernetes API, installs the CRD, runs the operator against it and applies examples/ in the namespace mlflow-demo.

  --kubeconfig <path>   a cluster that you may use for this (your current kubeconfig is never taken by itself). Without it:
                        K3s in Docker where an engine can pull images, else a control plane built once from Go modules
  --keep                leave everything running at the end, until Ctrl-C (what a terminal gets anyway)`;

const { values } = parseArgs({
  options: { kubeconfig: { type: "string" }, keep: { type: "boolean" }, help: { type: "boolean", short: "h" } },
});
if (values.help) {
  console.log(help);
  process.exit(0);
}

const namespace = "mlflow-demo";
const { say, show } = screen(process.stdout);
const ended = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => ended.abort());

let api: Kubernetes | undefined;
let operator: ChildProcess | undefined;
try {
  process.exitCode = await demo();
} finally {
  if (operator !== undefined && operator.exitCode === null) {
    operator.kill("SIGTERM");
    await new Promise((resolve) => operator?.once("exit", resolve));
  }
  if (api !== undefined && values.kubeconfig !== undefined)
    await kubectl(["delete", "namespace", namespace, "--wait=false"]);
  await api?.close();
}

async function demo(): Promise<number> {
  say("looking for a Kubernetes API");
  api = await kubernetesApi({ ...(values.kubeconfig !== undefined && { kubeconfig: values.kubeconfig }), report: say });
  say(`using ${api.description}`);
  const nodes = JSON.parse(await kubectl(["get", "nodes", "-o", "json"])).items.length;

  say("installing the CustomResourceDefinition (crds/)");
  await kubectl(["apply", "--server-side", "-f", "crds/mlflowservers.yaml"]);
  await kubectl(["wait", "--for=condition=Established", "crd/mlflowservers.mlflow-operator.dev", "--timeout=30s"]);
  const log = join(await mkdtemp(join(tmpdir(), "mlflow-operator-demo-")), "operator.log");
  say(`starting the operator; its log: ${log}`);
  operator = startOperator(api.kubeconfigPath, log);

  const files = (await readdir("examples")).filter((file) => file.endsWith(".yaml")).sort();
  say(`applying ${files.map((file) => `examples/${file}`).join(", ")} in namespace ${namespace}`);
  await kubectl(["create", "namespace", namespace]);
  for (const file of files) await kubectl(["apply", "-n", namespace, "-f", join("examples", file)]);

  const outcome = await follow(nodes);
  if (ended.signal.aborted) return 0;
  for (const line of outcome.lines) say(line);
  whatNext(api, nodes);
  if (values.keep || process.stdout.isTTY) {
    say("everything stays up until you press Ctrl-C");
    while (!ended.signal.aborted) {
      await sleep(1000, undefined, { signal: ended.signal }).catch(() => undefined);
      if (!ended.signal.aborted) await picture();
    }
  }
  return outcome.exitCode;
}

/** Shows the tree until the servers are ready or, without nodes, until they wait for nothing but a node. */
async function follow(nodes: number): Promise<{ lines: string[]; exitCode: number }> {
  const deadline = Date.now() + (nodes === 0 ? 45_000 : 300_000);
  while (Date.now() < deadline && !ended.signal.aborted) {
    const servers = await picture();
    if (operator?.exitCode !== null) return { lines: ["the operator has ended: see its log"], exitCode: 1 };
    const reasons = servers.map((server) => conditionOf(server, "Ready")?.reason);
    const ready = servers.filter((server) => conditionOf(server, "Ready")?.status === "True");
    if (servers.length > 0 && ready.length === servers.length) return { lines: ["every server is Ready"], exitCode: 0 };
    if (nodes === 0 && servers.length > 0 && reasons.every((reason) => reason === "MigrationRunning")) {
      return {
        lines: [
          "This Kubernetes API has no node to run pods on, so this is as far as it goes: all objects are there, and the",
          "servers wait for their database migrations, which are pods. With a cluster that has nodes they become Ready.",
        ],
        exitCode: 0,
      };
    }
    await sleep(300);
  }
  return {
    lines: ["not every server became Ready in time; the conditions above say why"],
    exitCode: 1,
  };
}

async function picture(): Promise<MlflowServer[]> {
  const servers: MlflowServer[] = JSON.parse(
    await kubectl(["get", "mlflowservers", "-n", namespace, "-o", "json"]),
  ).items;
  const plurals = [...kindsWith("owned"), ...kindsWith("observed")].map((kind) => kinds[kind].plural);
  const list = await kubectl(["get", plurals.join(","), "-n", namespace, "-l", managedSelector, "-o", "json"]);
  const owned: Owned[] = JSON.parse(list).items;
  show(tree(servers, owned));
  return servers;
}

function conditionOf(server: MlflowServer, type: string) {
  return server.status?.conditions?.find((condition) => condition.type === type);
}

function startOperator(kubeconfig: string, log: string): ChildProcess {
  const args = [
    "dist/mlflow-operator.js",
    "run",
    "--kubeconfig",
    kubeconfig,
    "--health-address",
    "127.0.0.1",
    "--health-port",
    "0",
  ];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  const file = createWriteStream(log);
  child.stdout?.pipe(file);
  child.stderr?.pipe(file);
  return child;
}

async function kubectl(args: readonly string[]): Promise<string> {
  if (api === undefined) throw new Error("there is no cluster yet");
  const { code, stdout, stderr } = await completed(api.kubectlProgram, ["--kubeconfig", api.kubeconfigPath, ...args]);
  if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr.trim()}`);
  return stdout;
}

function whatNext({ kubeconfigPath, kubectlProgram }: Kubernetes, nodes: number): void {
  const stays = values.keep || process.stdout.isTTY || values.kubeconfig !== undefined;
  console.log(`
What to try next${stays ? ":" : ", with npm run demo -- --keep, which leaves all this running until Ctrl-C:"}
  alias k="${kubectlProgram} --kubeconfig ${kubeconfigPath} -n ${namespace}"
  k get mlflowservers -o wide
  k describe mlflowserver mlflow-quick-start
  k delete service mlflow-quick-start            # it comes back
  k explain mlflowserver.spec.backendStore
  npm exec -- mlflow-operator render -f examples/sqlite-quick-start.yaml
${nodes === 0 ? "  npm run demo -- --kubeconfig <a cluster with nodes>\n" : ""}`);
}
