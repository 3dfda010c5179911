import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import type { V1Container } from "@kubernetes/client-node";
import type { Deployment, Job, Manifest, Secret } from "../../src/kube/manifests.ts";
import { freePort } from "../../test/control-plane/free-port.ts";
import { spanOf } from "../../test/live/span.ts";
import { all, baseSpec, inputs, secret, server as serverOf } from "../../test/support/fixtures.ts";
import type { OidcIssuer } from "../../test/support/oidc/oidc-issuer.ts";
import { logOf, type PodFiles, runContainer, startContainer } from "./container.ts";
import { type Call, httpClient } from "./http-client.ts";
import type { Route } from "./load.ts";
import { clientID, type Method, person } from "./methods.ts";
import { type Postgresql, password } from "./postgresql.ts";
import { pssMebibytes } from "./process-tree.ts";

export interface RunningServer {
  readonly port: number;
  /** Headers of the user. */
  readonly headers: Readonly<Record<string, string>>;
  readonly pids: () => readonly number[];
  readonly calls: Readonly<Record<Route, () => Call>>;
}

export interface Start {
  /** From the start of the process to the first response of /health. */
  readonly seconds: number;
  readonly mebibytes: number;
}

/** A server that can be started and stopped repeatedly; its database is migrated. */
export interface PreparedServer {
  readonly start: () => Promise<Start>;
  readonly stop: () => Promise<void>;
  /** Logs in, and creates an experiment and a run. */
  readonly use: () => Promise<RunningServer>;
}

const user = "bench";
const userPassword = "password-of-the-bench";

/** Prepares a server as the operator renders it, in a local folder. */
export async function prepareServer(
  method: Method,
  root: string,
  folder: string,
  database: Postgresql,
  issuer: OidcIssuer,
): Promise<PreparedServer> {
  await mkdir(folder, { recursive: true });
  const name = `of_${method.name.replaceAll(/\W/g, "_")}`;
  await database.createDatabase(name);
  const spec = {
    ...baseSpec,
    authentication: method.authentication,
    backendStore: {
      postgresql: {
        host: "127.0.0.1",
        port: database.port,
        database: name,
        sslMode: "disable" as const,
        credentialsSecretRef: { name: "db" },
      },
    },
  };
  const given = [
    secret("db", { username: "postgres", password }),
    secret("client", { secret: "secret-of-the-client" }),
  ];
  const wanted = all(inputs(serverOf(spec), given));
  const port = await freePort();
  const files: PodFiles = {
    root,
    folder,
    secrets: [...given, ...wanted.filter(isSecret)],
    env: { MLFLOW_PORT: String(port) },
  };
  const job = one(wanted, isJob).spec.template.spec;
  const pod = one(wanted, isDeployment).spec.template.spec;
  const [programs, mlflow, migration] = [pod?.initContainers?.[0], pod?.containers[0], job?.containers[0]];
  if (!(job && pod && programs && mlflow && migration)) throw new Error(`${method.name}: a container is missing`);
  await runContainer(files, job, migration);
  await runContainer(files, pod, programs);
  const container = method.isPlain ? plain(mlflow) : mlflow;
  let child: ChildProcess | undefined;
  const pids = () => [child?.pid ?? 0];
  const isReady = httpClient(port, {});
  return {
    start: async () => {
      const began = performance.now();
      child = await startContainer(files, pod, container);
      for (;;) {
        const status = await isReady.send({ method: "GET", path: "/health" }).then(
          (answer) => answer.status,
          () => 0,
        );
        if (status === 200) break;
        if (child.exitCode !== null || performance.now() - began > 300_000)
          throw new Error(await logOf(files, container.name));
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      return { seconds: (performance.now() - began) / 1000, mebibytes: pssMebibytes(pids()) };
    },
    stop: async () => {
      const ended = new Promise((resolve) => child?.once("exit", resolve));
      child?.kill("SIGTERM");
      await ended;
    },
    use: async () => {
      const headers = await credentialOf(method, port, issuer);
      return { port, headers, pids, calls: await callsOf(port, headers) };
    },
  };
}

/** Returns the same container without the parts of the operator. */
function plain(container: V1Container): V1Container {
  return {
    ...container,
    command: ["mlflow", "server"],
    args: [],
    env: (container.env ?? []).filter(({ name }) => name !== "PYTHONPATH"),
  };
}

async function credentialOf(method: Method, port: number, issuer: OidcIssuer): Promise<Record<string, string>> {
  if (method.user === "none") return {};
  if (method.user === "token") return { authorization: `Bearer ${await issuer.token(person, clientID)}` };
  const administrator = httpClient(port, { authorization: basic("admin", "generated-password") });
  await administrator.sent({ path: "/api/2.0/mlflow/users/create", body: { username: user, password: userPassword } });
  administrator.close();
  return { authorization: basic(user, userPassword) };
}

const basic = (name: string, secret: string) => `Basic ${Buffer.from(`${name}:${secret}`).toString("base64")}`;

async function callsOf(port: number, headers: Readonly<Record<string, string>>): Promise<RunningServer["calls"]> {
  const client = httpClient(port, headers);
  const api = "/api/2.0/mlflow";
  const experiment = JSON.parse(
    await client.sent({ path: `${api}/experiments/create`, body: { name: `bench-${randomBytes(4).toString("hex")}` } }),
  );
  const body = { experiment_id: experiment.experiment_id, start_time: Date.now() };
  const { run } = JSON.parse(await client.sent({ path: `${api}/runs/create`, body }));
  client.close();
  let step = 0;
  const metric = (key: string) => ({ key, value: Math.random(), timestamp: Date.now(), step: step++ });
  const names = Array.from({ length: 100 }, (_, index) => `metric-${index}`);
  return {
    "log-metric": () => ({ path: `${api}/runs/log-metric`, body: { run_id: run.info.run_id, ...metric("loss") } }),
    "log-batch": () => ({
      path: `${api}/runs/log-batch`,
      body: { run_id: run.info.run_id, metrics: names.map(metric) },
    }),
    search: () => ({ path: `${api}/experiments/search`, body: { max_results: 10 } }),
    OTLP: () => ({
      path: "/v1/traces",
      body: spanOf("bench"),
      headers: { "x-mlflow-experiment-id": experiment.experiment_id },
    }),
  };
}

const isSecret = (manifest: Manifest): manifest is Secret => manifest.kind === "Secret";
const isJob = (manifest: Manifest): manifest is Job => manifest.kind === "Job";
const isDeployment = (manifest: Manifest): manifest is Deployment => manifest.kind === "Deployment";

function one<T extends Manifest>(manifests: readonly Manifest[], is: (manifest: Manifest) => manifest is T): T {
  const found = manifests.find(is);
  if (found === undefined) throw new Error("The server does not have an object that the bench needs.");
  return found;
}
