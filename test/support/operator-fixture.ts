import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { definitions as allDefinitions } from "../../src/api/definitions.ts";
import type { MlflowServer } from "../../src/api/server.ts";
import type { OperatorOptions } from "../../src/runtime/operator.ts";
import type { ClusterAccess } from "../control-plane/cluster-access.ts";
import { sharedControlPlane } from "../control-plane/shared.ts";
import { auditLog, type Call, type Mark } from "./audit-log.ts";
import { eventually } from "./eventually.ts";
import type { FaultProxy } from "./fault-proxy.ts";
import { type Kubelet, startKubelet } from "./kubelet.ts";
import { apiVersionOf, applyPatch, type Draft, type ObjectKind, type Objects, objects, pathOf } from "./objects.ts";
import { type OperatorIdentity, operatorIdentity } from "./operator-identity.ts";
import { type OperatorInProcess, operatorInProcess } from "./operator-in-process.ts";
import { type StatusWatch, statusWatch } from "./status-watch.ts";

/** A namespace with Pod Security "restricted", a simulated node, and an operator that reconciles only this namespace. */
export interface Fixture {
  readonly cluster: ClusterAccess;
  readonly namespace: string;
  readonly objects: Objects;
  readonly kubelet: Kubelet;
  readonly identity: OperatorIdentity;
  /** The running operator. */
  readonly operator: () => OperatorInProcess;
  /** Checks each status in the namespace, and fails the test at its end if one violates an invariant. */
  readonly statuses: StatusWatch;
  /** Stops the operator gracefully; {@link Fixture.start} starts a new one without its memory. */
  readonly stop: () => Promise<void>;
  readonly start: (options?: Partial<OperatorOptions>) => Promise<void>;
  /** Applies a server as kubectl would. */
  readonly apply: (document: Draft) => Promise<MlflowServer>;
  /** Waits until the server is Ready with its current generation, and returns it. */
  readonly ready: (name?: string, seconds?: number) => Promise<MlflowServer>;
  /** Waits until Stalled of the server has this reason with its current generation, and returns the server. */
  readonly stalled: (reason: string, name?: string, seconds?: number) => Promise<MlflowServer>;
  readonly mark: () => Promise<Mark>;
  /** Like {@link Fixture.mark}, after a second without requests of the operator: Events follow the status. */
  readonly quiet: () => Promise<Mark>;
  /** Requests of the operator since then, from the audit log, without lists and watches. */
  readonly calls: (since: Mark) => Promise<readonly Call[]>;
  /** Requests that write. */
  readonly writes: (since: Mark) => Promise<readonly Call[]>;
}

export interface FixtureOptions {
  /** Default: the shared control plane. */
  readonly cluster?: ClusterAccess;
  /** Settings of the operator, or false to start none. */
  readonly operator?: Partial<OperatorOptions> | false;
  /** The operator reconciles all namespaces, with a ClusterRole; only for a cluster without other operators. */
  readonly isWide?: true;
  /** Deletes the namespace at the end of the test, as with `isWide`: another test of the file has an operator for all namespaces. */
  readonly isDeleted?: true;
  /** With `isWide`: the namespace of the operator's ServiceAccount and Lease. Default: that of the fixture. */
  readonly home?: string;
  /** A proxy in front of the API server, for the operator alone. */
  readonly proxy?: FaultProxy;
  /** The test expects rejections by the API server; its requests are not checked for 403. */
  readonly expectsForbidden?: true;
}

const users = new Set<string>();
let began: Promise<Mark> | undefined;

/** Creates a fixture that ends with the test. The log of the operator is shown if the test fails. */
export async function fixture(context: TestContext, options: FixtureOptions = {}): Promise<Fixture> {
  const cluster = options.cluster ?? (await sharedControlPlane());
  const log = auditLog(cluster);
  began ??= log.mark();
  await installed(cluster);
  const namespace = await freshNamespace(cluster);
  const identity = await operatorIdentity(cluster, options.home ?? namespace, options.isWide ? undefined : [namespace]);
  if (!options.expectsForbidden) mustNotBeForbidden(identity);
  const own = objects(cluster, namespace);
  const kubelet = startKubelet(cluster, namespace);
  const statuses = await statusWatch(cluster, [namespace]);
  let current: OperatorInProcess | undefined;
  const past: OperatorInProcess[] = [];

  const start = async (more: Partial<OperatorOptions> = {}) => {
    const credentials = identity.credentials(options.proxy?.url);
    const reach = options.isWide ? { namespaces: undefined } : {};
    current = await operatorInProcess(
      { namespace: options.home ?? namespace, credentials },
      { ...reach, ...(options.operator || {}), ...more },
    );
    past.push(current);
  };
  const stop = async () => {
    await current?.stop();
    current = undefined;
  };
  const operator = () => {
    assert.ok(current !== undefined, "the operator is not running");
    return current;
  };
  context.after(async () => {
    try {
      await stop();
      await kubelet.stop();
      await statuses.check();
    } finally {
      statuses.stop();
      if (!context.passed) {
        const lines = past.flatMap(({ log }) => log).filter(({ message }) => !message.startsWith("a watch failed"));
        for (const line of lines.slice(-40)) context.diagnostic(JSON.stringify(line));
      }
      // An operator for all namespaces would see objects of earlier tests. Otherwise a deletion is only a hundred requests.
      if (options.isWide || options.isDeleted) await cluster.request("DELETE", `/api/v1/namespaces/${namespace}`);
    }
  });
  if (options.operator !== false) await start();

  const calls = (since: Mark) =>
    log.calls({ since, user: identity.user, exclude: ({ verb }) => verb === "list" || verb === "watch" });
  return {
    cluster,
    namespace,
    objects: own,
    kubelet,
    identity,
    operator,
    statuses,
    start,
    stop,
    apply: (document) => apply(own, document),
    ready: (name = "mlflow", seconds = 60) => eventually(() => readyServer(own, name), seconds),
    stalled: (reason, name = "mlflow", seconds = 60) => eventually(() => stalledServer(own, name, reason), seconds),
    mark: () => log.mark(),
    quiet: () =>
      eventually(async () => {
        const since = await log.mark();
        await sleep(1000);
        assert.deepEqual(await calls(since), [], "the operator still makes requests");
        return log.mark();
      }),
    calls,
    writes: async (since) => (await calls(since)).filter(({ verb }) => verb !== "get"),
  };
}

/** Includes the requests of this operator in {@link nothingWasForbidden}. */
export function mustNotBeForbidden({ user }: OperatorIdentity): void {
  users.add(user);
}

/** Returns the requests of all operators of this file that were denied for missing permissions. */
export async function forbidden(cluster?: ClusterAccess): Promise<readonly string[]> {
  const calls = await auditLog(cluster ?? (await sharedControlPlane())).calls({ since: (await began) ?? 0 });
  return calls.filter(({ user, code }) => code === 403 && users.has(user)).map(({ verb, uri }) => `${verb} ${uri}`);
}

/** Asserts that no request of the operators of a file was denied for missing permissions. Used as the last test of each file. */
export async function nothingWasForbidden(): Promise<void> {
  assert.ok(users.size > 0, "no operator has run");
  assert.deepEqual(await forbidden(), []);
}

/**
 * Creates a namespace with Pod Security "restricted", and waits for the objects that controllers create in each namespace,
 * so that they do not appear while a test compares states.
 */
export async function freshNamespace(
  cluster: ClusterAccess,
  labels: Readonly<Record<string, string>> = {},
): Promise<string> {
  const name = `op-${randomUUID().slice(0, 8)}`;
  const answer = await cluster.request("POST", "/api/v1/namespaces", {
    body: { metadata: { name, labels: { "pod-security.kubernetes.io/enforce": "restricted", ...labels } } },
  });
  assert.equal(answer.status, 201, answer.body);
  const own = objects(cluster, name);
  await eventually(async () => {
    await own.the("ServiceAccount", "default");
    await own.the("ConfigMap", "kube-root-ca.crt");
  });
  return name;
}

const definitions = new WeakMap<ClusterAccess, Promise<void>>();

/** Installs the CRDs of the source once. */
export function installed(cluster: ClusterAccess): Promise<void> {
  const known = definitions.get(cluster) ?? install(cluster);
  definitions.set(cluster, known);
  return known;
}

async function install(cluster: ClusterAccess): Promise<void> {
  for (const definition of allDefinitions()) {
    const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${definition.metadata.name}`;
    const answer = await cluster.request("PATCH", `${path}?fieldManager=test&force=true`, {
      body: definition,
      headers: { "content-type": applyPatch },
    });
    assert.ok(answer.status < 300, answer.body);
  }
  for (const kind of ["MlflowServer", "MlflowWorkspaceAccess", "MlflowBackup", "MlflowBackupSchedule"] as const)
    while ((await cluster.request("GET", pathOf(kind, "default"))).status !== 200) await sleep(50);
}

async function apply(own: Objects, document: Draft): Promise<MlflowServer> {
  const path = pathOf("MlflowServer", own.namespace, document.metadata.name);
  const query = "fieldManager=kubectl&force=true&fieldValidation=Strict";
  const body = { apiVersion: "mlflow-operator.dev/v1alpha1", kind: "MlflowServer", ...document };
  const answer = await own.attempt("PATCH", `${path}?${query}`, body, applyPatch);
  assert.ok(answer.status < 300, `${path}: ${answer.status} ${answer.body}`);
  return JSON.parse(answer.body);
}

/** Creates a ResourceQuota, and waits until the API server enforces it for this kind, which takes a moment. */
export async function quotaInForce(
  own: Objects,
  name: string,
  hard: object,
  kind: ObjectKind,
  spec: object,
): Promise<void> {
  await own.create("ResourceQuota", { metadata: { name }, spec: { hard } });
  const trial = { apiVersion: apiVersionOf(kind), kind, metadata: { name: "trial" }, spec };
  await eventually(async () => {
    const answer = await own.attempt("POST", `${pathOf(kind, own.namespace)}?dryRun=All`, trial);
    assert.match(answer.body, new RegExp(`exceeded quota: ${name}`));
  });
}

/** Returns the condition of this type; the server must have it. */
export function condition(server: MlflowServer, type: string) {
  const found = server.status?.conditions?.find((candidate) => candidate.type === type);
  assert.ok(found !== undefined, `MlflowServer/${server.metadata.name} has no condition ${type}`);
  return found;
}

async function readyServer(own: Objects, name: string): Promise<MlflowServer> {
  const server = await own.the("MlflowServer", name);
  const ready = condition(server, "Ready");
  assert.equal(ready.status, "True", `Ready is ${ready.status}: ${ready.reason}: ${ready.message}`);
  assert.equal(ready.observedGeneration, server.metadata.generation);
  return server;
}

async function stalledServer(own: Objects, name: string, reason: string): Promise<MlflowServer> {
  const server = await own.the("MlflowServer", name);
  const { status, message, observedGeneration, ...stalled } = condition(server, "Stalled");
  assert.deepEqual([status, stalled.reason], ["True", reason], message);
  assert.equal(observedGeneration, server.metadata.generation);
  return server;
}
