import assert from "node:assert/strict";
import { runCommand } from "../support/command-line.ts";
import { objects } from "../support/objects.ts";
import { collectorImage } from "./collector-image.ts";
import { addressOf, type LiveFixture, timeoutSeconds } from "./live-fixture.ts";
import type { Mlflow, MlflowAnswer } from "./mlflow.ts";
import { spanOf, traceIdOf } from "./span.ts";
import { waitUntil } from "./wait-until.ts";

/** Options of the command, in addition to server and experiment. */
export interface CollectorOptions {
  readonly experiment?: string;
  /** Its namespace, and a pod there with Python that sends spans. Default: the fixture's namespace, and a pod of the server. */
  readonly place?: { readonly namespace: string; readonly sender: string };
  /** Additional options of `mlflow-operator otel-config`. */
  readonly args?: readonly string[];
  /** The content of the Secret with its credential, if the method requires one. */
  readonly credential?: Readonly<Record<string, string>>;
  /** The server's manifest; default: read from the cluster. */
  readonly manifest?: string;
}

/** An OpenTelemetry Collector in a pod. */
export interface RunningCollector {
  readonly address: string;
  /** Sends a span, with OTLP/HTTP, from a pod of its namespace; returns MLflow's trace id. */
  readonly send: () => Promise<string>;
  /** Waits until its log shows that the server rejected its traces with this status. */
  readonly rejected: (status: number) => Promise<void>;
}

const post = `
import sys, urllib.request
headers = {"content-type": "application/json"}
print(urllib.request.urlopen(urllib.request.Request(sys.argv[1], sys.stdin.buffer.read(), headers), timeout=20).status)
`;

/** Applies the output of `mlflow-operator otel-config --manifests` for a server, and the Secret; waits until the collector is ready. */
export async function startCollector(
  fixture: LiveFixture,
  server: string,
  options: CollectorOptions = {},
): Promise<RunningCollector> {
  const { cluster } = fixture;
  const { experiment = "0", args = [], credential, manifest } = options;
  const { namespace, sender } = options.place ?? (await podOfServer(fixture, server));
  const name = `collector-${++made}`;
  const own = objects(cluster, namespace);
  if (credential !== undefined)
    await own.create("Secret", { metadata: { name: `${name}-mlflow` }, stringData: credential });
  const image = ["--image", await collectorImage(cluster)];
  const source = manifest === undefined ? ["--kubeconfig", cluster.kubeconfigPath] : ["-f", "-"];
  const target = [server, "-n", fixture.namespace, ...source, "--experiment", experiment];
  const collector = ["--manifests", "--collector", `${namespace}/${name}`, ...image];
  const printed = await output([...target, ...collector, ...args], manifest);
  const applied = await cluster.kubectl(["apply", "-f", "-"], printed);
  assert.equal(applied.code, 0, applied.stderr);
  await waitUntil(
    async () => assert.equal((await own.the("Deployment", name)).status?.readyReplicas, 1),
    timeoutSeconds,
  );
  const address = await addressOf(own, name);
  const logs = async () => (await cluster.kubectl(["logs", "--namespace", namespace, `deployment/${name}`])).stdout;
  return {
    address,
    send: () => sendSpan(fixture, address, { namespace, sender }),
    rejected: (status) =>
      waitUntil(async () => {
        const log = await logs();
        assert.match(log, new RegExp(`Dropping data.*HTTP Status Code ${status}`), log);
      }, 120),
  };
}

let made = 0;

/** Sends a collector a span with OTLP/HTTP, from a pod with Python; returns MLflow's trace id. */
export async function sendSpan(
  { cluster }: LiveFixture,
  address: string,
  { namespace, sender }: { readonly namespace: string; readonly sender: string },
): Promise<string> {
  const span = spanOf("through a collector");
  const command = ["python", "-c", post, `http://${address}:4318/v1/traces`];
  await waitUntil(async () => {
    const { stdout, stderr } = await cluster.kubectl(
      ["exec", "-i", "-n", namespace, sender, "--", ...command],
      JSON.stringify(span),
    );
    assert.equal(stdout, "200\n", stderr);
  }, 120);
  return `tr-${traceIdOf(span)}`;
}

async function podOfServer(fixture: LiveFixture, server: string): Promise<{ namespace: string; sender: string }> {
  const [pod] = await fixture.pods(server);
  assert.ok(pod !== undefined);
  return { namespace: fixture.namespace, sender: pod.metadata.name };
}

async function output(args: readonly string[], stdin = ""): Promise<string> {
  const { code, stdout, stderr } = await runCommand(["otel-config", ...args], { stdin });
  assert.equal(code, 0, stderr);
  return stdout;
}

/** Waits until `reader` can read the trace in MLflow. */
export async function assertStored(
  reader: Mlflow,
  trace: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  await waitUntil(async () => {
    const { status, body } = await traceIn(reader, trace, headers);
    assert.equal(status, 200, body);
    assert.match(body, new RegExp(`"trace_id": ?"${trace}"`));
  }, 120);
}

/** Returns MLflow's answer for a trace. */
export function traceIn(
  reader: Mlflow,
  trace: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<MlflowAnswer> {
  return reader.call("GET", `/api/3.0/mlflow/traces/${trace}`, { headers });
}
