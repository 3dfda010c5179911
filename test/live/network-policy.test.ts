import assert from "node:assert/strict";
import { test } from "node:test";
import { imageReference, testedVersion } from "./live-cluster.ts";
import { addressOf, liveFixture } from "./live-fixture.ts";
import { startPostgresql } from "./postgresql-server.ts";
import { logRun } from "./tracked-run.ts";
import { waitUntil } from "./wait-until.ts";
import { webPod } from "./web-pod.ts";

const name = "fenced";

test("ingress and egress of a server", { timeout: 900_000 }, async (context) => {
  const fixture = await liveFixture(context);
  await imageReference(fixture.cluster, "busybox");
  const postgresql = await startPostgresql(fixture);
  for (const pod of ["listed", "unlisted"]) await fixture.objects.create("Pod", webPod(pod));
  await fixture.apply({
    metadata: { name },
    spec: {
      version: testedVersion,
      backendStore: { postgresql: postgresql.database("mlflow") },
      artifactStore: { persistentVolume: {} },
      authentication: { basic: {} },
      networkPolicy: { egress: {} },
    },
  });
  await fixture.ready(name);
  const service = await addressOf(fixture.objects, name);
  const [server] = await fixture.pods(name);
  assert.ok(server?.status?.podIP !== undefined);
  /** Whether a pod gets an HTTP answer from the address. */
  const reaches = async (pod: string, address: string, port: number) => {
    const ask = `printf 'GET /health HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 3 ${address} ${port}`;
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
