import assert from "node:assert/strict";
import { test } from "node:test";
import { renderedObjects } from "../chart/rendering.ts";
import { imageReference, testedVersion } from "./live-cluster.ts";
import { addressOf, liveFixture } from "./live-fixture.ts";
import { startPostgresql } from "./postgresql-server.ts";
import { prometheusNamespace, startPrometheus } from "./prometheus-server.ts";
import { logRun } from "./tracked-run.ts";
import { waitUntil } from "./wait-until.ts";
import { webPod } from "./web-pod.ts";

const name = "fenced";

interface PodMonitor {
  readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
  readonly podMetricsEndpoints: readonly { readonly port: string }[];
}

test("ingress and egress of a server", { timeout: 900_000 }, async (context) => {
  const fixture = await liveFixture(context);
  await imageReference(fixture.cluster, "busybox");
  const postgresql = await startPostgresql(fixture);
  const monitoring = await prometheusNamespace(context, fixture.cluster);
  for (const pod of ["listed", "unlisted"]) await fixture.objects.create("Pod", webPod(pod));
  await fixture.apply({
    metadata: { name },
    spec: {
      version: testedVersion,
      backendStore: { postgresql: postgresql.database("mlflow") },
      artifactStore: { persistentVolume: {} },
      authentication: { basic: {} },
      networkPolicy: { egress: {} },
      monitoring: { namespace: monitoring },
    },
  });
  await fixture.ready(name);
  const service = await addressOf(fixture.objects, name);
  const [server] = await fixture.pods(name);
  assert.ok(server?.status?.podIP !== undefined);
  /** Whether a pod gets an HTTP answer from the address. */
  const reaches = async (pod: string, address: string, port: number) => {
    // uvicorn does not answer a client that ends its side of the connection within a millisecond after its request.
    const sent = "(printf 'GET /health HTTP/1.0\\r\\n\\r\\n'; busybox sleep 1)";
    const ask = `${sent} | busybox nc -w 3 ${address} ${port}`;
    return (await fixture.inPod(pod, ["busybox", "sh", "-c", ask]).catch(() => "")).startsWith("HTTP/1");
  };
  /** Whether the server opens a connection. */
  const connects = async (host: string, port: number) => {
    const program = `import socket; socket.create_connection(("${host}", ${port}), 3)`;
    return fixture.inPod(server.metadata.name, ["python", "-c", program]).then(
      () => true,
      () => false,
    );
  };

  await context.test("MLflow works with its database and the policy", async () => {
    await logRun(await fixture.asAdmin(name));
  });

  await context.test(
    "Prometheus in its namespace scrapes the server as the chart's PodMonitor does, and no other pod can",
    async () => {
      const chart = await renderedObjects("everything");
      const specOf = (wanted: string) => chart.find(({ kind }) => kind === wanted)?.["spec"];
      const { selector, podMetricsEndpoints } = specOf("PodMonitor") as PodMonitor;
      const labels = server.metadata.labels ?? {};
      for (const [key, value] of Object.entries(selector.matchLabels)) assert.equal(labels[key], value);
      const [metrics] = (server.spec?.containers ?? []).flatMap(({ ports = [] }) =>
        ports.filter(({ name }) => name === podMetricsEndpoints[0]?.port),
      );
      assert.equal(metrics?.containerPort, 9090);
      const target = `${server.status?.podIP}:${metrics.containerPort}`;
      const identity = {
        namespace: fixture.namespace,
        server: labels["mlflow-operator.dev/server"],
        container: "mlflow",
      };
      const scrape = { job_name: "servers", static_configs: [{ targets: [target], labels: identity }] };
      const { groups } = specOf("PrometheusRule") as { groups: unknown };
      const prometheus = await startPrometheus(fixture.cluster, monitoring, [scrape], groups);
      const sampleOf = async (expression: string) => (await prometheus.query(expression))[0]?.value ?? 0;
      await waitUntil(async () => assert.equal(await sampleOf("up"), 1), 120);
      await waitUntil(async () => {
        assert.ok((await sampleOf('mlflow_server_http_requests_total{route="runs",method="POST",status="200"}')) > 0);
        assert.ok((await sampleOf('mlflow_server_http_request_duration_seconds_count{route="runs"}')) > 0);
      }, 60);
      const [info] = await prometheus.query("mlflow_server_info");
      assert.deepEqual([info?.metric["version"], info?.metric["server"]], [testedVersion, name]);
      const loaded = await waitUntil(async () => {
        const rules = await prometheus.rules();
        assert.ok(rules.length > 0 && rules.every(({ health }) => health === "ok"), JSON.stringify(rules));
        return rules;
      }, 60);
      assert.ok(loaded.some(({ name: alert }) => alert === "MlflowServerDown"));
      for (const pod of ["listed", "unlisted"])
        assert.ok(!(await reaches(pod, server.status?.podIP ?? "", 9090)), `${pod} reaches the metrics`);
      const hasPort = (await fixture.objects.the("Service", name)).spec.ports?.map(({ port }) => port);
      assert.deepEqual(hasPort, [5000]);
    },
  );

  const from = [{ podSelector: { matchLabels: { app: "listed" } } }];
  await waitUntil(
    async () => assert.ok(await reaches("unlisted", service, 5000), "the serving port is not reachable"),
    60,
  );
  await fixture.objects.patch("MlflowServer", name, { spec: { networkPolicy: { from } } });
  await waitUntil(async () => {
    assert.ok(!(await reaches("unlisted", service, 5000)), "an unlisted pod reaches the server");
    assert.ok(await reaches("listed", service, 5000), "an allowed pod cannot reach the server");
  }, 60);

  await context.test(
    "only listed clients reach the serving port, by the Service and by the pod's address",
    async () => {
      for (const address of [service, server.status?.podIP ?? ""]) {
        // Whenever pods start or end the network plugin rewrites its rules, and briefly drops allowed traffic.
        await waitUntil(async () => assert.ok(await reaches("listed", address, 5000), `no access at ${address}`), 60);
        assert.ok(!(await reaches("unlisted", address, 5000)), `an unlisted pod reaches ${address}`);
      }
    },
  );

  await context.test("no other port of the pod is reachable, even with a listener", async () => {
    const listen =
      "import http.server, os, sys\nif os.fork(): sys.exit()\nos.setsid()\n[os.close(fd) for fd in (0, 1, 2)]\n" +
      'http.server.HTTPServer(("0.0.0.0", 8000), type("H", (http.server.BaseHTTPRequestHandler,), {"do_GET": lambda h: (h.send_response(200), h.end_headers()), "log_message": lambda *a: None})).serve_forever()';
    await fixture.inPod(server.metadata.name, ["python", "-c", listen]);
    const own = 'import urllib.request as r; r.urlopen("http://127.0.0.1:8000", timeout=3)';
    await waitUntil(() => fixture.inPod(server.metadata.name, ["python", "-c", own]), 120);
    assert.ok(!(await reaches("listed", server.status?.podIP ?? "", 8000)));
  });

  await context.test("reaches DNS and its database, and no port that is not in the spec", async () => {
    const listed = (await fixture.objects.the("Pod", "listed")).status?.podIP ?? "";
    await waitUntil(async () => assert.ok(await reaches("unlisted", listed, 8080), "no server listens there"), 60);
    assert.ok(!(await connects(listed, 8080)));
    await waitUntil(async () => assert.ok(await connects(`postgresql.${fixture.namespace}`, 5432)), 60);
  });

  await context.test("an empty list denies all clients, and no policy allows all", async () => {
    await fixture.objects.patch("MlflowServer", name, { spec: { networkPolicy: { from: [], egress: null } } });
    await waitUntil(
      async () => assert.ok(!(await reaches("listed", service, 5000)), "an allowed pod still reaches the server"),
      60,
    );
    await waitUntil(
      async () => assert.ok(await connects((await fixture.objects.the("Pod", "listed")).status?.podIP ?? "", 8080)),
      60,
    );
    await fixture.objects.patch("MlflowServer", name, { spec: { networkPolicy: null } });
    await waitUntil(
      async () => assert.ok(await reaches("unlisted", service, 5000), "the server is still not reachable"),
      60,
    );
    await fixture.ready(name);
  });
});
