import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { port } from "../../src/model/names.ts";
import type { Cluster } from "../cluster/start-cluster.ts";
import { clientPod } from "../live/client-pod.ts";
import { imageReference, testedVersion } from "../live/live-cluster.ts";
import { waitUntil } from "../live/wait-until.ts";
import { objects } from "../support/objects.ts";

export interface MeshRequest {
  readonly method: string;
  readonly path: string;
  /** Default: the server's Service. */
  readonly host?: string;
  readonly port?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** A pod that sends requests. */
export interface Caller {
  /** The result of each: a status, `refused` by the mesh, or `none` without an answer. */
  readonly ask: (requests: readonly MeshRequest[]) => Promise<readonly string[]>;
}

export interface CallerOptions {
  readonly namespace: string;
  /** The name of the pod and of its ServiceAccount, which is created. */
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** The default host of requests, at the port of servers. */
  readonly host: string;
}

/** In ambient mode, by the label of the pod. */
export const inAmbient = { "istio.io/dataplane-mode": "ambient" };

/** With a sidecar. */
export const withSidecar = { "sidecar.istio.io/inject": "true" };

/** Starts the pod; ready when it can send. */
export async function startCaller(cluster: Cluster, options: CallerOptions): Promise<Caller> {
  const { namespace, name, labels = {}, host } = options;
  const own = objects(cluster, namespace);
  const image = await imageReference(cluster, `mlflow-server:${testedVersion}`);
  await own.create("ServiceAccount", { metadata: { name } });
  // A node with two CPUs must run the pods of two test files and their servers.
  const pod = clientPod({ name, image, trackingUri: `http://${host}`, serviceAccount: name, cpu: "50m" });
  await own.create("Pod", { ...pod, metadata: { name, labels } });
  await waitUntil(async () => {
    const { status } = await own.the("Pod", name);
    assert.ok(status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True"));
  }, 300);
  const script = await readFile(join(import.meta.dirname, "requests.py"), "utf8");
  return {
    ask: async (requests) => {
      const filled = requests.map((request) => ({ host, port, ...request }));
      const exec = ["exec", "--stdin", "--namespace", namespace, name, "--container=client", "--"];
      const { code, stdout, stderr } = await cluster.kubectl([...exec, "python", "-c", script], JSON.stringify(filled));
      assert.equal(code, 0, stderr);
      return JSON.parse(stdout);
    },
  };
}
