/** Measures 1,000 creates of ConfigMaps, 16 concurrently, by each client in a separate process. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { ClusterAccess } from "../../test/control-plane/cluster-access.ts";
import { startControlPlane } from "../../test/control-plane/control-plane.ts";
import { adminRequest } from "../admin-request.ts";
import { installPackage } from "../event-loop/package.ts";
import { mebibytes, processUsage } from "../process-usage.ts";
import { countingRelay } from "../relay.ts";
import { podEnvironment } from "../service-account.ts";
import { table } from "../table.ts";
import { concurrency, type LoadRequest } from "./load.ts";

const clients = {
  "bare node:https": "bare.ts",
  own: "own.ts",
  "client-node 2.0.1": "client-node.ts",
  "client-node 0.20 (k8s-operator)": "../event-loop/k8s-operator/client.ts",
} as const;

const calls = 1000;
/** The fastest round is reported, since other work on the machine only slows it down. */
const rounds = 4;

interface Figures {
  readonly callsPerSecond: number;
  readonly cpuMillisecondsPerCall: number;
  readonly socketsPer1000Calls: number;
  /** MiB. */
  readonly rssIdle: number;
  readonly rssAfter: number;
}

export async function clientBench(say: (line: string) => void): Promise<{ text: string; figures: object }> {
  await installPackage(say);
  const controlPlane = await startControlPlane({ controllerManager: false, auditLog: false });
  const relay = await countingRelay(controlPlane.url);
  try {
    const namespace = "bench-client";
    await adminRequest(controlPlane, "POST", "/api/v1/namespaces", { metadata: { name: namespace } });
    const environment = await clientEnvironment(controlPlane, namespace, relay.url);
    const figures: Record<string, Figures> = {};
    for (const [index, [name, script]] of Object.entries(clients).entries()) {
      say(`${calls} creates: ${name}`);
      const env = { PATH: process.env["PATH"], HOME: "/nonexistent", ...environment };
      const child = fork(new URL(script, import.meta.url), [namespace], { env });
      figures[name] = await measured(child, `client-${index}`, relay.accepted);
      child.kill("SIGKILL");
    }
    return { text: report(figures), figures };
  } finally {
    relay.close();
    await controlPlane.close();
  }
}

/** Environment variables of a pod and a kubeconfig for a service account with all permissions. */
async function clientEnvironment(cluster: ClusterAccess, namespace: string, server: string) {
  const serviceAccount = "client";
  await adminRequest(cluster, "POST", `/api/v1/namespaces/${namespace}/serviceaccounts`, {
    metadata: { name: serviceAccount },
  });
  await adminRequest(cluster, "POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
    metadata: { name: "bench" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
    subjects: [{ kind: "ServiceAccount", name: serviceAccount, namespace }],
  });
  const KUBECONFIG = await cluster.kubeconfigFor({ serviceAccount, namespace }, server);
  return { KUBECONFIG, ...(await podEnvironment(cluster, namespace, serviceAccount, server)) };
}

async function measured(child: ChildProcess, prefix: string, sockets: () => number): Promise<Figures> {
  const pid = child.pid ?? 0;
  const made = async (load: LoadRequest) => {
    child.send(load);
    await once(child, "message");
  };
  await once(child, "message");
  await sleep(1000);
  const idle = processUsage(pid);
  await made({ prefix: `${prefix}-warm`, calls: 100 });
  const before = processUsage(pid);
  const socketsBefore = sockets();
  const seconds: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const began = performance.now();
    await made({ prefix: `${prefix}-${round}`, calls: calls / rounds });
    seconds.push((performance.now() - began) / 1000);
  }
  const after = processUsage(pid);
  return {
    callsPerSecond: calls / rounds / Math.min(...seconds),
    cpuMillisecondsPerCall: (after.cpuMilliseconds - before.cpuMilliseconds) / calls,
    socketsPer1000Calls: ((sockets() - socketsBefore) / calls) * 1000,
    rssIdle: mebibytes(idle.rssBytes),
    rssAfter: mebibytes(after.rssBytes),
  };
}

function report(figures: Readonly<Record<string, Figures>>): string {
  const head = [
    `${calls} creates, ${concurrency} concurrently`,
    "calls/s",
    "CPU ms per call",
    "sockets per 1,000",
    "RSS idle",
    "after",
  ];
  const rows = Object.entries(figures).map(([name, of]) => [
    name,
    of.callsPerSecond.toFixed(0),
    of.cpuMillisecondsPerCall.toFixed(2),
    of.socketsPer1000Calls.toFixed(0),
    `${of.rssIdle.toFixed(0)} MiB`,
    `${of.rssAfter.toFixed(0)} MiB`,
  ]);
  return table(head, rows);
}
