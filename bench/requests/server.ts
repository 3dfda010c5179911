import type { ChildProcess } from "node:child_process";
import { copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { V1Container, V1PodSpec } from "@kubernetes/client-node";
import type { MlflowServerSpec } from "../../src/api/spec.ts";
import type { Deployment, Job, Manifest, Secret } from "../../src/kube/manifests.ts";
import { port as mlflowPort, proxyPort } from "../../src/model/names.ts";
import { freePort } from "../../test/control-plane/free-port.ts";
import { all, baseSpec, inputs, server as serverOf } from "../../test/support/fixtures.ts";
import { connected } from "./connected.ts";
import { logOf, type PodFiles, runContainer, startContainer, stopProcess } from "./container.ts";
import { type Environment, version } from "./environment.ts";
import { httpClient } from "./http-client.ts";
import type { Method } from "./methods.ts";
import { pssMebibytes } from "./process-tree.ts";

export interface Start {
  /** From the start of the process to the first response of /health. */
  readonly seconds: number;
  readonly mebibytes: number;
}

/** A server that can be started and stopped repeatedly; its database is migrated. */
export interface PreparedServer {
  readonly method: Method;
  /** The port for clients. */
  readonly port: number;
  /** Its processes: MLflow, and oauth2-proxy if it has one. */
  readonly pids: () => readonly number[];
  readonly start: () => Promise<Start>;
  readonly stop: () => Promise<void>;
}

/** Prepares a server as the operator renders it, in a local folder. `settings` replace fields of its spec, and `env` variables. */
export async function prepareServer(
  method: Method,
  environment: Environment,
  settings: Partial<MlflowServerSpec> = {},
  env: Readonly<Record<string, string>> = {},
): Promise<PreparedServer> {
  const { root, database, references, proxyProgram } = environment;
  const folder = join(environment.folder, method.name);
  await mkdir(folder, { recursive: true });
  const name = `of_${method.name.replaceAll(/\W/g, "_")}`;
  await database.createDatabase(name);
  const port = environment.ports.get(method.name) ?? (await freePort());
  const given = method.spec({
    issuerUrl: environment.issuer.url,
    port,
    directoryPort: environment.directory?.port ?? 0,
  });
  const isProxied = given.authentication.oauth2Proxy !== undefined;
  const ownPort = isProxied ? await freePort() : port;
  const spec = {
    ...baseSpec,
    version,
    backendStore: {
      postgresql: {
        host: "127.0.0.1",
        port: database.port,
        database: name,
        sslMode: "disable" as const,
        credentialsSecretRef: { name: "db" },
      },
    },
    ...given,
    ...settings,
  };
  const wanted = all(inputs(serverOf(spec), references));
  const caBundles = { "ca-issuer": environment.issuer.ca, "ca-oidc": environment.issuer.ca };
  const files: PodFiles = {
    root,
    folder,
    secrets: [...references.filter(isSecret), ...wanted.filter(isSecret)],
    files: {
      ...Object.fromEntries(Object.entries(caBundles).map(([volume, ca]) => [volume, { "ca.crt": ca }])),
      "ca-ldap": { "ca.crt": environment.directory?.ca ?? "" },
      "api-server": environment.kubernetes?.files ?? {},
    },
    env: { ...environment.kubernetes?.env, MLFLOW_HOST: "127.0.0.1", MLFLOW_PORT: String(ownPort), ...env },
  };
  const job = one(wanted, isJob).spec.template.spec;
  const pod = one(wanted, isDeployment).spec.template.spec;
  const [programs, mlflow, migration] = [
    named(pod?.initContainers, "programs"),
    named(pod?.containers, "mlflow"),
    job?.containers[0],
  ];
  if (!(job && pod && programs && mlflow && migration)) throw new Error(`${method.name}: a container is missing`);
  await runContainer(files, job, migration);
  await runContainer(files, pod, programs);
  const container = method.isPlain ? withoutOperator(mlflow) : mlflow;
  const proxy = named(pod.containers, "oauth2-proxy");
  const children: ChildProcess[] = [];
  const start = async () => {
    const began = performance.now();
    const child = await startContainer(files, pod, container);
    children.push(child);
    await healthy(ownPort, child, files, container.name);
    const seconds = (performance.now() - began) / 1000;
    if (proxy !== undefined) {
      const proxied = await startProxy(files, pod, proxy, proxyProgram, { [proxyPort]: port, [mlflowPort]: ownPort });
      children.push(proxied);
      await connected(port, proxied, join(folder, "oauth2-proxy.log"));
    }
    return { seconds, mebibytes: pssMebibytes([child.pid ?? 0]) };
  };
  return {
    method,
    port,
    pids: () => children.map(({ pid }) => pid ?? 0),
    start,
    stop: async () => {
      await Promise.all(children.splice(0).map((child) => stopProcess(child)));
    },
  };
}

/** Resolves at the first response of /health. Rejects with the log if the process ends. */
async function healthy(port: number, child: ChildProcess, files: PodFiles, name: string): Promise<void> {
  const client = httpClient(port, {});
  for (const began = performance.now(); ; ) {
    const status = await client.send({ method: "GET", path: "/health" }).then(
      (answer) => answer.status,
      () => 0,
    );
    if (status === 200) break;
    if (child.exitCode !== null || performance.now() - began > 300_000) throw new Error(await logOf(files, name));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  client.close();
}

/** Starts oauth2-proxy with the arguments of the pod, on other ports of loopback, and in MLflow's root file system. */
async function startProxy(
  files: PodFiles,
  pod: V1PodSpec,
  container: V1Container,
  program: string,
  ports: Readonly<Record<number, number>>,
): Promise<ChildProcess> {
  const volume = "oauth2-proxy";
  const folder = join(files.folder, "volumes", volume);
  await mkdir(folder, { recursive: true });
  await copyFile(program, join(folder, volume));
  const args = (container.args ?? []).map((argument) =>
    argument.replace(/(?<==|\/\/)(?:127\.0\.0\.1)?:(\d+)$/, (address: string, port: string) => {
      const own = ports[Number(port)];
      return own === undefined ? address : `127.0.0.1:${own}`;
    }),
  );
  const mountPath = "/opt/oauth2-proxy";
  return startContainer(files, pod, {
    ...container,
    command: [`${mountPath}/${volume}`],
    args: args.map((argument) => argument.replaceAll("$$", "$")),
    volumeMounts: [...(container.volumeMounts ?? []), { name: volume, mountPath }],
  });
}

/** Returns the same container without the parts of the operator. */
function withoutOperator(container: V1Container): V1Container {
  return {
    ...container,
    command: ["mlflow", "server"],
    args: [],
    env: (container.env ?? []).filter(({ name }) => name !== "PYTHONPATH"),
  };
}

const isSecret = (manifest: Manifest): manifest is Secret => manifest.kind === "Secret";
const isJob = (manifest: Manifest): manifest is Job => manifest.kind === "Job";
const isDeployment = (manifest: Manifest): manifest is Deployment => manifest.kind === "Deployment";
const named = (containers: readonly V1Container[] | undefined, name: string) =>
  containers?.find((each) => each.name === name);

function one<T extends Manifest>(manifests: readonly Manifest[], is: (manifest: Manifest) => manifest is T): T {
  const found = manifests.find(is);
  if (found === undefined) throw new Error("The server does not have an object that the bench needs.");
  return found;
}
