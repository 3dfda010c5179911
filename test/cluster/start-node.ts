import { Resolver } from "node:dns/promises";
import { copyFile, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Report } from "../control-plane/binaries.ts";
import type { ClusterAccess } from "../control-plane/cluster-access.ts";
import { clusterPaths } from "./cluster-paths.ts";
import { makeControlGroups } from "./control-groups.ts";
import { controlPlaneArgs } from "./control-plane-args.ts";
import { issueCredentials } from "./credentials.ts";
import { knownArchives, startContainerdWithImages } from "./images.ts";
import { lastLines, logPathOf, type Machine, startMachine } from "./machine.ts";
import { systemManifests } from "./manifests.ts";
import { connect, ipFamily, network } from "./network.ts";
import { kubeletArgs, networkPolicyArgs, nodeName, proxyArgs, schedulerArgs } from "./node-agents.ts";
import { accessTo, adminKubeconfig, healthProblem } from "./node-state.ts";
import type { ProgramName, Programs } from "./programs.ts";

/** The deadline of a step in seconds; a busy machine needs several times as long as an idle one. */
const stepSeconds = 120;

/** Starts the node with empty state. No process of an earlier node may run. */
export async function startNode(programs: Programs, report: Report): Promise<void> {
  const archives = await knownArchives(programs, report);
  const began = Date.now();
  const logStep = (step: string) =>
    report(`cluster: ${((Date.now() - began) / 1000).toFixed(1).padStart(5)} s  ${step}`);
  for (const path of [clusterPaths.state, clusterPaths.logs]) await rm(path, { recursive: true, force: true });
  for (const folder of ["cni", "cni-bin", "volume-plugins", "volumes"])
    await mkdir(join(clusterPaths.state, folder), { recursive: true });
  await mkdir(clusterPaths.logs, { recursive: true });
  await makeControlGroups();
  const machine = await startMachine(programs("pause"), clusterPaths.state);
  await connect(machine.pid, machine.succeed);
  const forwarding = ipFamily() === "IPv4" ? "ipv4/ip_forward" : "ipv6/conf/all/forwarding";
  await machine.succeed("sh", ["-c", `echo 1 >/proc/sys/net/${forwarding}`]);
  logStep("the node's namespaces and network are ready");
  await Promise.all([
    startControlPlane(machine, programs).then(() => logStep("the control plane is ready")),
    startContainerdWithImages(machine, programs, archives, report).then(() => logStep("containerd has its images")),
  ]);
  const access = await accessTo(programs);
  await copyFile(access.kubeconfigPath, adminKubeconfig);
  await startAgents(machine, programs, access);
  const applied = await access.kubectl(["apply", "--server-side", "--filename=-"], await systemManifests());
  if (applied.code !== 0) throw new Error(`The API server rejected the cluster's manifests: ${applied.stderr.trim()}`);
  await until(machine, programs, {
    what: "the node is ready",
    by: ["kubelet", "containerd"],
    reached: async () => (await healthProblem(programs)) ?? true,
  });
  logStep("the node is ready");
  const resolver = new Resolver({ timeout: 500, tries: 1 });
  resolver.setServers([network().dnsService]);
  const resolve = (name: string) => (ipFamily() === "IPv4" ? resolver.resolve4(name) : resolver.resolve6(name));
  await until(machine, programs, {
    what: "names of Services are resolved",
    by: ["kubelet", "kube-proxy"],
    reached: async () => (await resolve("kubernetes.default.svc.cluster.local")).includes(network().apiService),
  });
  await writeFile(clusterPaths.complete, ipFamily());
  logStep("names of Services are resolved: the cluster is up");
}

async function startControlPlane(machine: Machine, programs: Programs): Promise<void> {
  const credentials = await issueCredentials();
  const args = await controlPlaneArgs(credentials);
  const run = (name: ProgramName, list: readonly string[]) => machine.start(programs(name), list, logPathOf(name));
  await run("etcd", args.etcd);
  await run("kube-apiserver", args.apiServer);
  const access = await accessTo(programs);
  await until(machine, programs, {
    what: "the API server is ready",
    by: ["kube-apiserver", "etcd"],
    reached: async () => (await access.request("GET", "/readyz", { timeoutMilliseconds: 2000 })).status === 200,
  });
  const kubeconfigFor = (name: string) => access.kubeconfigFor({ name: `system:${name}` });
  await run("kube-controller-manager", args.controllerManager(await kubeconfigFor("kube-controller-manager")));
  await run("kube-scheduler", schedulerArgs(await kubeconfigFor("kube-scheduler")));
}

async function startAgents(machine: Machine, programs: Programs, access: ClusterAccess): Promise<void> {
  const node = { name: `system:node:${nodeName}`, groups: ["system:nodes"] };
  const kubelet = await kubeletArgs({
    kubeconfig: await access.kubeconfigFor(node),
    clientCa: access.caFile,
    serving: join(clusterPaths.state, "kubelet-server"),
  });
  await machine.start(programs("kubelet"), kubelet, logPathOf("kubelet"));
  // kube-router ends if it does not find its node.
  await until(machine, programs, {
    what: "the node is registered",
    by: ["kubelet"],
    reached: async () => (await access.request("GET", `/api/v1/nodes/${nodeName}`)).status === 200,
  });
  const proxy = await proxyArgs(await access.kubeconfigFor({ name: "system:kube-proxy" }));
  await machine.start(programs("kube-proxy"), proxy, logPathOf("kube-proxy"));
  const policies = networkPolicyArgs(await access.kubeconfigFor({ name: "system:kube-router" }));
  await machine.start(programs("kube-router"), policies, logPathOf("kube-router"));
}

/** A condition of a step, and the programs that it depends on. */
interface Step {
  readonly what: string;
  readonly by: readonly ProgramName[];
  /** True, false, or what is still missing. */
  readonly reached: () => Promise<boolean | string>;
}

/** Resolves when the step is reached; rejects with the last log lines of its programs if one ends, and at the deadline. */
async function until(machine: Machine, programs: Programs, { what, by, reached }: Step): Promise<void> {
  const deadline = Date.now() + stepSeconds * 1000;
  for (let found = await attempt(reached); found !== true; found = await attempt(reached)) {
    const running = await Promise.all(by.map(async (name) => (await machine.pidsOf(programs(name))).length > 0));
    const ended = by.filter((_, index) => !running[index]);
    if (ended.length > 0 || Date.now() > deadline) {
      const reason = ended.length > 0 ? `${ended.join(", ")} ended` : `timeout after ${stepSeconds} s`;
      const logs = await Promise.all(by.map(async (name) => `last log lines of ${name}:\n${await lastLines(name)}`));
      const missing = found === false ? "" : ` (${found})`;
      throw new Error(`Not reached: ${what}${missing}: ${reason}. ${logs.join("\n")}`);
    }
    await sleep(100);
  }
}

/** Returns false for an error. */
async function attempt(reached: Step["reached"]): Promise<boolean | string> {
  return reached().catch(() => false);
}
