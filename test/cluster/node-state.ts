import { join } from "node:path";
import { inUrl } from "../../src/kube/client/api-access.ts";
import { type ClusterAccess, clusterAccess } from "../control-plane/cluster-access.ts";
import { clusterPaths } from "./cluster-paths.ts";
import { findMachine } from "./machine.ts";
import { network } from "./network.ts";
import { nodeName } from "./node-agents.ts";
import type { ProgramName, Programs } from "./programs.ts";

/** The path is the same for all processes. */
export const adminKubeconfig = join(clusterPaths.state, "admin.kubeconfig");

/** The daemons of the node. */
const daemons = [
  "etcd",
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "containerd",
  "kubelet",
  "kube-proxy",
  "kube-router",
] as const satisfies readonly ProgramName[];

/** Returns the problem of an unhealthy cluster, or undefined. */
export async function healthProblem(programs: Programs): Promise<string | undefined> {
  const machine = await findMachine();
  if (!machine) return "it is not running";
  for (const name of daemons) if ((await machine.pidsOf(programs(name))).length === 0) return `${name} does not run`;
  const { code, stdout, stderr } = await machine.run(programs("kubectl"), [
    `--kubeconfig=${adminKubeconfig}`,
    "get",
    "node",
    nodeName,
    "--output=jsonpath={.status.conditions[?(@.type=='Ready')].status}",
    "--request-timeout=5s",
  ]);
  if (code !== 0) return `its API server does not answer: ${stderr.trim()}`;
  return stdout === "True" ? undefined : "its node is not ready";
}

/** Returns access to the running cluster. */
export async function accessTo(programs: Programs): Promise<ClusterAccess> {
  const issuingCa = join(clusterPaths.state, "ca");
  return clusterAccess({
    url: `https://${inUrl(network().nodeAddress)}:${network().apiPort}`,
    directory: clusterPaths.state,
    kubectlProgram: programs("kubectl"),
    clusterCas: { clients: issuingCa, serving: issuingCa, frontProxies: issuingCa },
    auditLogPath: join(clusterPaths.logs, "audit.log"),
  });
}
