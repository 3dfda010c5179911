import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { before, describe, test } from "node:test";
import { quantityOf } from "../../../src/api/quantity.ts";
import { label, manager } from "../../../src/kube/names.ts";
import type { ClusterAccess } from "../../control-plane/cluster-access.ts";
import { onK3s, sharedControlPlane } from "../../control-plane/shared.ts";
import { startKubelet } from "../../support/kubelet.ts";
import { objects } from "../../support/objects.ts";
import { fixture, freshNamespace, nothingWasForbidden } from "../../support/operator-fixture.ts";
import { operatorIdentity } from "../../support/operator-identity.ts";
import { operatorProcess } from "../../support/operator-process.ts";
import { server } from "../../support/servers.ts";

const megabyte = 1_000_000;

/** The memory limit of the chart, and Node's heap with such a limit: half of it. */
async function chartLimit(): Promise<{ bytes: number; heapMegabytes: number }> {
  const values = await readFile(new URL("../../../charts/mlflow-operator/values.yaml", import.meta.url), "utf8");
  const bytes = quantityOf(/limits:\s+memory: (\S+)/.exec(values)?.[1] ?? "") ?? Number.NaN;
  return { bytes, heapMegabytes: Math.floor(bytes / 2 / 2 ** 20) };
}

async function create(
  cluster: ClusterAccess,
  path: string,
  count: number,
  draft: (n: number) => object,
): Promise<void> {
  const numbers = Array(count).keys();
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      for (const n of numbers) {
        const answer = await cluster.request("POST", path, { body: draft(n) });
        assert.ok(
          answer.status < 300 || answer.status === 409,
          `${path}: ${answer.status} ${answer.body.slice(0, 300)}`,
        );
      }
    }),
  );
}

async function peakBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

describe("content of one namespace", { skip: onK3s() }, () => {
  before(async () => void (await sharedControlPlane()));

  test("with the operator's label does not exceed its memory limit from the chart or delay a server in another namespace", async (context) => {
    const stage = await fixture(context, { operator: false });
    const { cluster } = stage;
    const other = await freshNamespace(cluster);
    const own = objects(cluster, other);
    const kubelet = startKubelet(cluster, other);
    context.after(async () => {
      await kubelet.stop();
      // Other files use the same API server.
      await cluster.request("DELETE", `/api/v1/namespaces/${other}`);
    });
    const labels = { [label.managedBy]: manager, [label.server]: "mlflow" };
    const blob = "x".repeat(megabyte);
    const core = `/api/v1/namespaces/${other}`;
    const annotations = { "example.com/long": "y".repeat(250_000) };

    // A server, and objects with its labels.
    await own.create("MlflowServer", server());
    await create(cluster, `${core}/configmaps`, 300, (n) => ({
      metadata: { name: `mlflow-${n}`, labels },
      data: { blob },
    }));
    await create(cluster, `${core}/secrets`, 30, (n) => ({
      metadata: { name: `mlflow-${n}`, labels },
      data: { blob: Buffer.from(blob.slice(0, 700_000)).toString("base64") },
    }));
    // Some of them have the names of the server's objects.
    await create(cluster, `${core}/secrets`, 2, (n) => ({
      metadata: { name: ["mlflow-store", "mlflow-auth-config"][n], labels },
      stringData: { blob: blob.slice(0, 700_000) },
    }));
    await create(cluster, `${core}/serviceaccounts`, 200, (n) => ({
      metadata: { name: `a${n}`, labels, annotations },
    }));
    await create(cluster, `/apis/networking.k8s.io/v1/namespaces/${other}/ingresses`, 100, (n) => ({
      metadata: { name: `i${n}`, labels, annotations },
      spec: { defaultBackend: { service: { name: "none", port: { number: 80 } } } },
    }));

    const namespaces = [stage.namespace, other];
    const identity = await operatorIdentity(cluster, stage.namespace, namespaces, "bounded");
    const { bytes, heapMegabytes } = await chartLimit();
    const running = operatorProcess(
      context,
      await identity.kubeconfig(),
      identity,
      [`--watch-namespaces=${namespaces.join(",")}`],
      { NODE_OPTIONS: `--max-old-space-size=${heapMegabytes} --max-semi-space-size=1` },
    );
    await running.logged(/^all watches are synced$/);
    await stage.apply(server());
    await stage.ready("mlflow", 60);
    // Changes come one by one.
    await create(cluster, `${core}/configmaps`, 50, (n) => ({
      metadata: { name: `more-${n}`, labels },
      data: { blob },
    }));
    await stage.apply(server("second"));
    await stage.ready("second", 60);
    const peak = await peakBytes(running.pid);
    context.diagnostic(`at most ${Math.round(peak / 2 ** 20)} MiB of ${bytes / 2 ** 20} MiB`);
    assert.ok(peak < bytes, `${peak / 2 ** 20} MiB`);
    assert.equal((await running.get("/healthz")).status, 200);
  });

  test("that a server refers to is read up to a limit, which the status reports", async (context) => {
    const stage = await fixture(context);
    const names = Array.from({ length: 6 }, (_, n) => `large-${n}`);
    for (const name of names)
      await stage.objects.create("ConfigMap", { metadata: { name }, data: { BLOB: "x".repeat(900_000) } });
    const envFrom = names.map((name) => ({ configMapRef: { name } }));
    await stage.apply(server("mlflow", { "spec.server.envFrom": envFrom }));
    const stalled = await stage.stalled("ReferencesTooLarge");
    const message = stalled.status?.conditions?.find(({ type }) => type === "Ready")?.message ?? "";
    assert.match(message, /ConfigMap large-\d \(\d+ KiB\)/);
    await stage.apply(server("mlflow", { "spec.server.envFrom": envFrom.slice(0, 2) }));
    await stage.ready();
  });

  test("nothing was forbidden", nothingWasForbidden);
});
