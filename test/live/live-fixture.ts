import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { MlflowServer } from "../../src/api/server.ts";
import type { Pod } from "../../src/kube/manifests.ts";
import type { UserIDs } from "../../src/model/inputs.ts";
import { port } from "../../src/model/names.ts";
import { oauth2ProxyImage } from "../cluster/oauth2-proxy.ts";
import type { Cluster } from "../cluster/start-cluster.ts";
import { succeeded } from "../control-plane/completed.ts";
import { applyPatch, type Draft, type Objects, objects, pathOf } from "../support/objects.ts";
import { condition, freshNamespace, installed } from "../support/operator-fixture.ts";
import { type OperatorIdentity, operatorIdentity } from "../support/operator-identity.ts";
import { operatorInProcess } from "../support/operator-in-process.ts";
import { statusWatch } from "../support/status-watch.ts";
import { connectionTo } from "./connection.ts";
import { imageReference, liveCluster, testedVersion } from "./live-cluster.ts";
import { type Mlflow, mlflowAt, type Secured } from "./mlflow.ts";
import { narrowedApi } from "./narrowed-api.ts";
import { waitUntil } from "./wait-until.ts";

/** One namespace of the real cluster, with Pod Security "restricted", and an operator for this namespace only. */
export interface LiveFixture {
  readonly cluster: Cluster;
  readonly namespace: string;
  readonly objects: Objects;
  /** Applies a server as kubectl does. */
  readonly apply: (document: Draft) => Promise<MlflowServer>;
  /** Waits until the server is Ready at its generation and its Service accepts connections, and returns the server. */
  readonly ready: (name: string, seconds?: number) => Promise<MlflowServer>;
  /** Waits until this condition of the server has this reason, and returns the server. */
  readonly reason: (name: string, type: string, reason: string, seconds?: number) => Promise<MlflowServer>;
  /** Returns the server's pods, without terminating ones. */
  readonly pods: (name: string) => Promise<readonly Pod[]>;
  /** Runs a program in a pod and returns its output. */
  readonly inPod: (pod: string, command: readonly string[], stdin?: string) => Promise<string>;
  /** A client for the address of MLflow's Service, as the first administrator. */
  readonly asAdmin: (name: string, secured?: Secured) => Promise<Mlflow>;
  /** A client for the address of MLflow's Service, without a credential. */
  readonly asAnonymous: (name: string, secured?: Secured) => Promise<Mlflow>;
  /** The operator's ServiceAccount. */
  readonly operatorIdentity: OperatorIdentity;
  /** The operator's setting: the image of MLflow without its tag. */
  readonly imageRepository: string;
  /** Returns the operator's metrics, in the format of Prometheus. */
  readonly metrics: () => Promise<string>;
  readonly stopOperator: () => Promise<void>;
  /** Starts a new operator without the state of the previous one. */
  readonly startOperator: () => Promise<void>;
}

/** The deadline of waits in seconds: many times what an idle machine needs. */
export const timeoutSeconds = 600;

export interface LiveFixtureOptions {
  /** With oauth2-proxy's image. */
  readonly withProxy?: boolean;
  /** With the permissions of an operator for all namespaces; it sees only the servers of this namespace. */
  readonly isWide?: boolean;
  /** The operator's setting. */
  readonly userIDs?: UserIDs;
}

/** Starts a fixture that ends with the test, and prints the operator's log if the test fails. */
export async function liveFixture(
  context: TestContext,
  { withProxy = false, isWide = false, userIDs }: LiveFixtureOptions = {},
): Promise<LiveFixture> {
  const cluster = await liveCluster();
  await installed(cluster);
  const namespace = await freshNamespace(cluster);
  const identity = await operatorIdentity(cluster, namespace, isWide ? undefined : [namespace]);
  const api = isWide ? await narrowedApi(cluster, namespace) : undefined;
  const image = await imageReference(cluster, `mlflow-server:${testedVersion}`);
  const imageRepository = image.slice(0, image.lastIndexOf(":"));
  const proxyImage = withProxy ? await cluster.image(await oauth2ProxyImage()) : undefined;
  const startOperator = () =>
    operatorInProcess(
      { namespace, credentials: identity.credentials(api?.url) },
      {
        imageRepository,
        ...(proxyImage !== undefined && { proxyImage }),
        ...(isWide && { namespaces: undefined }),
        userIDs,
      },
    );
  const statuses = await statusWatch(cluster, [namespace]);
  let operator = await startOperator();
  const own = objects(cluster, namespace);
  context.after(async () => {
    if (!context.passed) {
      for (const line of operator.log.slice(-30)) context.diagnostic(JSON.stringify(line));
      const { stdout } = await cluster.kubectl(["get", "pods", "--namespace", namespace, "--output=wide"]);
      context.diagnostic(stdout);
    }
    // Only a running operator deletes cluster-scoped objects.
    if (isWide) await deleteServers(own);
    await operator.stop();
    const broken = await statuses.check().then(
      () => undefined,
      (error: unknown) => ({ error }),
    );
    statuses.stop();
    api?.close();
    await cluster.request("DELETE", `/api/v1/namespaces/${namespace}`);
    if (isWide) await removeRights(cluster, namespace);
    if (broken !== undefined) throw broken.error;
  });
  const at = async (name: string, secured: Secured | undefined, login?: Login) =>
    mlflowAt({ address: await addressOf(own, name), host: name, ...(secured && { secured }), ...(login && { login }) });
  return {
    cluster,
    namespace,
    objects: own,
    apply: (document) => apply(own, document),
    ready: async (name, seconds = timeoutSeconds) => {
      const server = await waitUntil(() => ofReadiness(own, name), seconds);
      await waitUntil(async () => connectionTo(await addressOf(own, name), port), timeoutSeconds);
      return server;
    },
    reason: (name, type, reason, seconds = timeoutSeconds) =>
      waitUntil(() => ofReason(own, name, type, reason), seconds),
    pods: (name) => podsOf(own, name),
    inPod: (pod, command, stdin) => {
      const exec = ["exec", ...(stdin === undefined ? [] : ["--stdin"]), "--namespace", namespace, pod, "--"];
      const args = ["--kubeconfig", cluster.kubeconfigPath, ...exec, ...command];
      return succeeded(cluster.kubectlProgram, args, { ...(stdin !== undefined && { stdin }) });
    },
    asAdmin: async (name, secured) => at(name, secured, await adminOf(own, name)),
    asAnonymous: (name, secured) => at(name, secured),
    operatorIdentity: identity,
    imageRepository,
    metrics: async () => (await fetch(`http://127.0.0.1:${operator.healthPort}/metrics`)).text(),
    stopOperator: () => operator.stop(),
    startOperator: async () => {
      operator = await startOperator();
    },
  };
}

/** Deletes the servers and waits until they no longer exist. */
async function deleteServers(own: Objects): Promise<void> {
  for (const { metadata } of await own.list("MlflowServer")) await own.remove("MlflowServer", metadata.name);
  await waitUntil(async () => assert.deepEqual(await own.list("MlflowServer"), []), 180);
}

async function removeRights({ request }: Cluster, namespace: string): Promise<void> {
  const rbac = "/apis/rbac.authorization.k8s.io/v1";
  const role = `all-for-operator-in-${namespace}`;
  await request("DELETE", `${rbac}/clusterrolebindings/${role}-of-operator-in-${namespace}`);
  await request("DELETE", `${rbac}/clusterroles/${role}`);
}

export type Login = { readonly username: string; readonly password: string };

async function apply(own: Objects, document: Draft): Promise<MlflowServer> {
  const path = pathOf("MlflowServer", own.namespace, document.metadata.name);
  const query = "fieldManager=kubectl&force=true&fieldValidation=Strict";
  const body = { apiVersion: "mlflow-operator.dev/v1alpha1", kind: "MlflowServer", ...document };
  const answer = await own.attempt("PATCH", `${path}?${query}`, body, applyPatch);
  assert.ok(answer.status < 300, `${path}: ${answer.status} ${answer.body}`);
  return JSON.parse(answer.body);
}

async function ofReadiness(own: Objects, name: string): Promise<MlflowServer> {
  const server = await own.the("MlflowServer", name);
  const ready = condition(server, "Ready");
  assert.equal(ready.status, "True", `Ready is ${ready.status}: ${ready.reason}: ${ready.message}`);
  assert.equal(ready.observedGeneration, server.metadata.generation);
  return server;
}

async function ofReason(own: Objects, name: string, type: string, reason: string): Promise<MlflowServer> {
  const server = await own.the("MlflowServer", name);
  const found = condition(server, type);
  assert.equal(found.reason, reason, found.message);
  assert.equal(found.observedGeneration, server.metadata.generation);
  return server;
}

/** Returns the server's pods, without terminating ones. */
export async function podsOf(own: Objects, name: string): Promise<readonly Pod[]> {
  const { status } = await own.the("MlflowServer", name);
  const wanted = new URLSearchParams(status?.selector?.replaceAll(",", "&") ?? "");
  const pods = await own.list("Pod");
  return pods.filter(
    ({ metadata }) =>
      metadata.deletionTimestamp === undefined && [...wanted].every(([key, value]) => metadata.labels?.[key] === value),
  );
}

/** Returns the address of the server's Service. */
export async function addressOf(own: Objects, name: string): Promise<string> {
  const { spec } = await own.the("Service", name);
  assert.ok(spec.clusterIP !== undefined, `Service/${name} has no address`);
  return spec.clusterIP;
}

/** Returns the login of the first administrator of a server. */
export async function adminOf(own: Objects, name: string): Promise<Login> {
  const { status } = await own.the("MlflowServer", name);
  const { data } = await own.the("Secret", status?.adminCredentialsSecretRef?.name ?? "");
  const text = (key: string) => Buffer.from(data?.[key] ?? "", "base64").toString("utf8");
  return { username: text("username"), password: text("password") };
}
