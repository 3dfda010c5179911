import { generateKeyPairSync } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { apiServerArgs } from "./api-server.ts";
import { type Binaries, controlPlaneBinaries, type Report, reportOnStderr } from "./binaries.ts";
import { issueCertificate, issueClusterCas } from "./certificates.ts";
import { type Child, endingText, startChild } from "./child.ts";
import { type ClusterAccess, clusterAccess } from "./cluster-access.ts";
import { controllerManagerArgs } from "./controller-manager.ts";
import { etcdArgs } from "./etcd.ts";
import { freePort } from "./free-port.ts";
import { createTemporaryDirectory } from "./temporary-directory.ts";

export interface ControlPlaneOptions {
  /** Garbage collection, Jobs, Deployments, ServiceAccounts and the other controllers. Default true. */
  readonly controllerManager?: boolean;
  /**
   * Called before the controllers start, for example to install definitions: the garbage collector discovers later kinds
   * only within 30 s, and until then does not delete the dependents of such objects.
   */
  readonly beforeControllers?: (access: ClusterAccess) => Promise<void>;
  /** Default true. */
  readonly auditLog?: boolean;
  readonly featureGates?: Readonly<Record<string, boolean>>;
  /** Further arguments of kube-apiserver; the last of duplicates is used. */
  readonly extraArgs?: readonly string[];
  /** Receives the progress of slow steps. Default: stderr. */
  readonly report?: Report;
}

export interface ControlPlane extends ClusterAccess {
  readonly apiserver: {
    readonly pid: () => number;
    /** Freezes it (SIGSTOP): connections stay open without responses. */
    readonly stop: () => void;
    /** Continues it (SIGCONT). */
    readonly cont: () => void;
    /**
     * Ends it, starts it again with the same port and data, and waits until it is ready. SIGKILL (the default) simulates a
     * crash; with SIGTERM it completes its requests first, which takes a minute with open watches.
     */
    readonly restart: (signal?: "SIGKILL" | "SIGTERM") => Promise<void>;
  };
  /** Process IDs of the running programs, by name. */
  readonly pids: () => Readonly<Record<string, number>>;
  /** Ends the processes that were started here and removes their files. */
  readonly close: () => Promise<void>;
}

/** Timeout until a program is ready, in milliseconds. A busy machine needs ten times the usual 4 s. */
const readyTimeout = 90_000;

/**
 * Starts a kube-apiserver with etcd, and by default kube-controller-manager, on free loopback ports with a
 * temporary directory: a Kubernetes API without nodes. It is ready when /readyz succeeds and the namespace
 * `default` and, with controllers, its ServiceAccount exist. All processes end with this process.
 */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const binaries = await controlPlaneBinaries(options.report ?? reportOnStderr);
  const workspace = await createTemporaryDirectory();
  const children: Child[] = [];
  const close = async () => {
    await Promise.all(children.map((child) => child.end("SIGKILL")));
    await workspace.dispose();
  };
  try {
    return await start(binaries, workspace.directory, children, close, options);
  } catch (error) {
    await close();
    throw error;
  }
}

async function start(
  binaries: Binaries,
  directory: string,
  children: Child[],
  close: () => Promise<void>,
  options: ControlPlaneOptions,
): Promise<ControlPlane> {
  const [port, etcdPort, peerPort] = [await freePort(), await freePort(), await freePort()];
  const url = `https://127.0.0.1:${port}`;
  const etcdUrl = `http://127.0.0.1:${etcdPort}`;
  const clusterCas = await issueClusterCas(directory);
  const serving = join(directory, "api-server");
  const auditLogPath = options.auditLog === false ? "" : join(directory, "audit.log");
  const [etcd] = await Promise.all([
    startChild(directory, "etcd", binaries.etcd, etcdArgs(directory, etcdUrl, peerPort)),
    issueCertificate(clusterCas.serving, serving, { name: "kube-apiserver", alternativeNames: servingNames }),
    issueServiceAccountKeys(directory),
  ]);
  children.push(etcd);
  const args = await apiServerArgs({
    directory,
    port,
    etcdUrl,
    clusterCas,
    serving,
    auditLogPath,
    featureGates: options.featureGates ?? {},
    extraArgs: options.extraArgs ?? [],
  });
  const startApiServer = async () => {
    const child = await startChild(directory, "kube-apiserver", binaries.kubeApiserver, args);
    children.push(child);
    return child;
  };
  let apiServer = await startApiServer();
  const access = await clusterAccess({
    url,
    directory,
    kubectlProgram: binaries.kubectl,
    clusterCas,
    ...(auditLogPath && { auditLogPath }),
  });
  const ready = () => until(access, [etcd, apiServer], ["/readyz", "/api/v1/namespaces/default"]);
  await ready();
  await options.beforeControllers?.(access);
  if (options.controllerManager !== false) {
    const controllerManager = await startControllerManager(binaries, directory, access);
    children.push(controllerManager);
    await until(access, [controllerManager, apiServer], ["/api/v1/namespaces/default/serviceaccounts/default"]);
  }
  return {
    ...access,
    apiserver: {
      pid: () => apiServer.pid,
      stop: () => apiServer.signal("SIGSTOP"),
      cont: () => apiServer.signal("SIGCONT"),
      restart: async (signal = "SIGKILL") => {
        await apiServer.end(signal, 60_000);
        children.splice(children.indexOf(apiServer), 1);
        apiServer = await startApiServer();
        await ready();
      },
    },
    pids: () => Object.fromEntries(children.map(({ name, pid }) => [name, pid])),
    close,
  };
}

const servingNames = ["IP:127.0.0.1", "IP:10.96.0.1", "DNS:localhost", "DNS:kubernetes.default.svc"];

async function issueServiceAccountKeys(directory: string): Promise<void> {
  const { privateKey, publicKey } = generateKeyPairSync("ec", {
    namedCurve: "P-256",
    privateKeyEncoding: { type: "sec1", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
  await writeFile(join(directory, "service-accounts.key"), privateKey, { mode: 0o600 });
  await writeFile(join(directory, "service-accounts.pub"), publicKey);
}

async function startControllerManager(binaries: Binaries, directory: string, access: ClusterAccess): Promise<Child> {
  if (!binaries.kubeControllerManager)
    throw new Error(
      "KUBEBUILDER_ASSETS has no kube-controller-manager, which this test needs: add it, or unset KUBEBUILDER_ASSETS.",
    );
  const { clusterCas } = access.address;
  const kubeconfig = await access.kubeconfigFor({ name: "system:kube-controller-manager" });
  const args = controllerManagerArgs({ directory, kubeconfig, clusterCas });
  return startChild(directory, "kube-controller-manager", binaries.kubeControllerManager, args);
}

/** Resolves when each path returns 200; rejects if a program has ended, or after the timeout. */
async function until(access: ClusterAccess, children: readonly Child[], paths: readonly string[]): Promise<void> {
  const deadline = Date.now() + readyTimeout;
  for (const path of paths) {
    for (;;) {
      const dead = children.find((child) => child.ending() !== undefined);
      if (dead) throw new Error(`The control plane did not start: ${await endingText(dead)}`);
      const answer = await access.request("GET", path, { timeoutMilliseconds: 2000 }).catch(() => undefined);
      if (answer?.status === 200) break;
      if (Date.now() > deadline) {
        const said = await Promise.all(children.map(endingText));
        throw new Error(
          `The control plane did not respond to GET ${path} within ${readyTimeout / 1000} s. ${said.join("\n")}`,
        );
      }
      await sleep(50);
    }
  }
}
