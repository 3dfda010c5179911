import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { MlflowServer } from "../../src/api/server.ts";
import type { Deployment } from "../../src/kube/manifests.ts";
import { manager } from "../../src/kube/names.ts";
import type { ClusterAccess } from "../control-plane/cluster-access.ts";
import { administratorAgent, eventStream, type StreamedEvent } from "./event-stream.ts";
import { eventually } from "./eventually.ts";
import { type ObjectKind, type ObjectOf, objects, pathOf } from "./objects.ts";
import {
  assertRolledOut,
  assertStatus,
  type DeploymentState,
  deploymentState,
  isNewlyReady,
  isServer,
  type Reporting,
} from "./status-invariants.ts";

/** Checks each status in namespaces while a test runs. */
export interface StatusWatch {
  /** Adds a namespace. */
  add(namespace: string): Promise<void>;
  /** Rejects with the first status so far that violates an invariant. */
  check(): Promise<void>;
  stop(): void;
}

export interface StatusWatchOptions {
  /** Maximum age of the Deployment state on which `Ready` is based: other clients can change it concurrently. */
  readonly staleSeconds?: number;
}

interface Observed<T> {
  readonly value: T;
  /** The resource version, comparable between all kinds, since they share one etcd. */
  readonly at: number;
  readonly seen: number;
}

export async function statusWatch(
  cluster: ClusterAccess,
  namespaces: readonly string[],
  { staleSeconds = 5 }: StatusWatchOptions = {},
): Promise<StatusWatch> {
  const stopping = new AbortController();
  const agent = await administratorAgent(cluster);
  const last = new Map<string, Reporting>();
  const tampered = new Set<string>();
  const ready: Observed<MlflowServer>[] = [];
  const deployments = new Map<string, Observed<DeploymentState>[]>();
  const positions = new Map<string, number>();
  const watched: string[] = [];
  let broken: unknown;

  function reported(object: Reporting, at: number): void {
    const { uid = "" } = object.metadata;
    const previous = last.get(uid);
    last.set(uid, object);
    // Statuses that a test writes itself are not checked.
    if (object.metadata.managedFields?.some((entry) => entry.subresource === "status" && entry.manager !== manager))
      tampered.add(uid);
    if (tampered.has(uid)) return;
    const seen = Date.now();
    assertStatus(object, previous, seen);
    if (isServer(object) && isNewlyReady(object, previous !== undefined && isServer(previous) ? previous : undefined))
      ready.push({ value: object, at, seen });
  }

  function rolled(object: Deployment, at: number, isGone: boolean): void {
    const key = `${object.metadata.namespace}/${object.metadata.name}`;
    const states = deployments.get(key) ?? [];
    if (!isGone) states.push({ value: deploymentState(object), at, seen: Date.now() });
    deployments.set(key, states);
  }

  async function follow<K extends ObjectKind>(
    namespace: string,
    kind: K,
    take: (object: ObjectOf[K], at: number, isGone: boolean) => void,
  ): Promise<void> {
    const path = pathOf(kind, namespace);
    const position = `${namespace}/${kind}`;
    const list = async () => {
      const { status, body } = await cluster.request("GET", path);
      if (status !== 200) throw new Error(body);
      const { items, metadata }: { items: ObjectOf[K][]; metadata: { resourceVersion: string } } = JSON.parse(body);
      for (const item of items) safely(() => take({ ...item, kind }, Number(item.metadata.resourceVersion), false));
      positions.set(position, Number(metadata.resourceVersion));
    };
    const event = ({ type, object }: StreamedEvent<ObjectOf[K]>) => {
      if (type === "ERROR") throw new Error("The resource version has expired.");
      const at = Number(object.metadata.resourceVersion);
      positions.set(position, at);
      if (type !== "BOOKMARK") safely(() => take(object, at, type === "DELETED"));
    };
    await list();
    void (async () => {
      while (!stopping.signal.aborted) {
        const from = String(positions.get(position));
        await eventStream(cluster, agent, path, from, stopping.signal, event).catch(() => list().catch(() => {}));
        await sleep(50);
      }
    })();
  }

  function safely(act: () => void): void {
    try {
      act();
    } catch (error) {
      broken ??= error;
    }
  }

  async function add(namespace: string): Promise<void> {
    watched.push(namespace);
    await Promise.all([
      follow(namespace, "MlflowServer", (object, at, isGone) => isGone || reported(object, at)),
      follow(namespace, "MlflowWorkspaceAccess", (object, at, isGone) => isGone || reported(object, at)),
      follow(namespace, "MlflowBackup", (object, at, isGone) => isGone || reported(object, at)),
      follow(namespace, "MlflowBackupSchedule", (object, at, isGone) => isGone || reported(object, at)),
      follow(namespace, "Deployment", rolled),
    ]);
  }

  /** The operator can have seen an earlier Deployment with the name, or a version that was just replaced. */
  function assertReady({ value, at, seen }: Observed<MlflowServer>): void {
    const { namespace, name } = value.metadata;
    const states = (deployments.get(`${namespace}/${name}`) ?? []).filter((each) => each.at < at);
    const since = seen - staleSeconds * 1000;
    const candidates = states.filter((_, index) => (states[index + 1]?.seen ?? Number.POSITIVE_INFINITY) >= since);
    assert.ok(candidates.length > 0, `MlflowServer ${namespace}/${name} is Ready without a Deployment`);
    const errors = candidates.map((each) => errorOf(() => assertRolledOut(each.value, value)));
    if (errors.every((error) => error !== undefined)) throw errors.at(-1);
  }

  /** Waits until the watches have delivered all existing objects. */
  async function caughtUp(namespace: string): Promise<void> {
    const own = objects(cluster, namespace);
    for (const kind of [
      "MlflowServer",
      "MlflowWorkspaceAccess",
      "MlflowBackup",
      "MlflowBackupSchedule",
      "Deployment",
    ] as const) {
      const present = await own.list(kind);
      const newest = Math.max(0, ...present.map(({ metadata }) => Number(metadata.resourceVersion)));
      await eventually(() => assert.ok((positions.get(`${namespace}/${kind}`) ?? 0) >= newest), 10);
    }
  }

  for (const namespace of namespaces) await add(namespace);
  return {
    add,
    check: async () => {
      for (const namespace of watched) await caughtUp(namespace).catch(() => {});
      if (broken !== undefined) throw broken;
      for (const each of ready) assertReady(each);
      for (const namespace of watched) await assertNoSecret(cluster, namespace, [...last.values()]);
    },
    stop: () => {
      stopping.abort();
      agent.destroy();
    },
  };
}

function errorOf(act: () => void): unknown {
  try {
    act();
    return undefined;
  } catch (error) {
    return error;
  }
}

/** Keys of Secrets whose values must not be in a status or an Event. */
const confidential = /password|passphrase|secret|token|webhook-key|session-key|uri$/i;

/** Asserts that no status or Event of the operator contains a value of a Secret in the namespace. */
async function assertNoSecret(
  cluster: ClusterAccess,
  namespace: string,
  reporting: readonly Reporting[],
): Promise<void> {
  const own = objects(cluster, namespace);
  const secrets = await own.list("Secret").catch(() => []);
  const { body } = await cluster.request("GET", `/apis/events.k8s.io/v1/namespaces/${namespace}/events`).catch(() => ({
    body: "{}",
  }));
  const { items = [] }: { items?: { note?: string; reportingController?: string }[] } = JSON.parse(body);
  const texts = [
    ...reporting.filter(({ metadata }) => metadata.namespace === namespace).map(({ status }) => JSON.stringify(status)),
    ...items.filter(({ reportingController }) => reportingController === manager).map(({ note = "" }) => note),
  ];
  for (const { metadata, data = {} } of secrets) {
    for (const [key, value] of Object.entries(data)) {
      const secret = Buffer.from(value, "base64").toString("utf8").trim();
      if (!confidential.test(key) || secret.length < 8) continue;
      const quoting = texts.find((text) => text?.includes(secret));
      assert.equal(quoting, undefined, `the key ${key} of Secret ${metadata.name} is quoted`);
    }
  }
}
