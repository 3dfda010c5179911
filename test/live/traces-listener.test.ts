import assert from "node:assert/strict";
import { test } from "node:test";
import type { Manifest } from "../../src/kube/manifests.ts";
import { listenerUrl } from "../../src/model/names.ts";
import { meshStepOf } from "../../src/resources/mesh/index.ts";
import { all, inputs } from "../support/fixtures.ts";
import { installAuthorizationPolicies } from "../support/istio-definitions.ts";
import { objects } from "../support/objects.ts";
import { condition, freshNamespace } from "../support/operator-fixture.ts";
import { clientPod } from "./client-pod.ts";
import { imageReference, testedVersion } from "./live-cluster.ts";
import { liveFixture } from "./live-fixture.ts";
import { loopbackStatuses } from "./loopback.ts";
import { startPostgresql } from "./postgresql-server.ts";
import { spanOf, traceIdOf } from "./span.ts";
import { waitUntil } from "./wait-until.ts";

const name = "mlflow";
const injected = { "sidecar.istio.io/status": "{}" };

/** Sends standard input, as an OpenTelemetry exporter does, and prints the status. */
const exporter = `
import sys, urllib.error, urllib.request
request = urllib.request.Request(sys.argv[1], sys.stdin.buffer.read(), {"content-type": "application/json", "x-mlflow-experiment-id": "0"})
try:
    print(urllib.request.urlopen(request, timeout=10).status)
except urllib.error.HTTPError as error:
    print(error.code)
`;

/**
 * On a cluster without Istio the test writes Istio's annotations. The operator detects that no policy is enforced, and does not start
 * the listener; the test starts it from the rendered manifests.
 */
test("the rendered listener for traces", { timeout: 900_000 }, async (context) => {
  const fixture = await liveFixture(context);
  await installAuthorizationPolicies(fixture.cluster);
  const image = await imageReference(fixture.cluster, `mlflow-server:${testedVersion}`);
  const postgresql = await startPostgresql(fixture);
  const agents = await freshNamespace(fixture.cluster);
  const otherNamespace = await freshNamespace(fixture.cluster);
  context.after(async () => {
    for (const namespace of [agents, otherNamespace])
      await fixture.cluster.request("DELETE", `/api/v1/namespaces/${namespace}`);
  });
  const trackingUri = "http://localhost";
  for (const namespace of [agents, otherNamespace])
    await objects(fixture.cluster, namespace).create("Pod", clientPod({ name: "collector", image, trackingUri }));
  await fixture.apply({
    metadata: { name },
    spec: {
      version: testedVersion,
      backendStore: { postgresql: postgresql.database("mlflow") },
      artifactStore: { persistentVolume: {} },
      authentication: { basic: {} },
      traces: { identity: "Mesh", writers: [{ namespace: agents, serviceAccount: "default" }] },
      mesh: { istio: { mode: "Sidecar" } },
    },
  });
  const server = await fixture.ready(name);
  const url = listenerUrl(server);

  const write = async (namespace: string, span: object): Promise<string> => {
    const args = ["exec", "--stdin", "--namespace", namespace, "collector", "--", "python", "-c", exporter, url];
    const { code, stdout } = await fixture.cluster.kubectl(args, JSON.stringify(span));
    return code === 0 ? stdout.trim() : "no answer";
  };
  const early = spanOf("too early");
  const listeners = async () =>
    (await fixture.objects.list("Pod")).filter(
      ({ metadata }) => metadata.labels?.["app.kubernetes.io/component"] === "traces",
    );
  const annotate = async (annotations: Readonly<Record<string, string | null>>) => {
    for (const { metadata } of await listeners())
      await fixture.objects.patch("Pod", metadata.name, { metadata: { annotations } });
  };

  await context.test(
    "the operator does not start the listener while its probe is answered, regardless of annotations",
    async () => {
      for (const { metadata } of await fixture.pods(name))
        await fixture.objects.patch("Pod", metadata.name, { metadata: { annotations: injected } });
      await waitUntil(async () => {
        const found = condition(await fixture.reason(name, "MeshReady", "MeshNotEnforced"), "MeshReady");
        assert.match(found.message, /pod mlflow-\S+ .* answered POST \/v1\/traces with 401/);
      }, 180);
      assert.ok((await fixture.objects.list("Deployment")).every(({ metadata }) => metadata.name === name));
      assert.ok((await fixture.objects.list("AuthorizationPolicy")).length >= 3, "what keeps others out is there");
    },
  );

  await fixture.stopOperator();
  const wanted = inputs(server);
  const installation = { ...wanted.installation, imageRepository: image.slice(0, image.lastIndexOf(":")) };
  const ofListener = ({ kind, metadata }: Manifest) => meshStepOf(kind, metadata.name, name) === "listener";
  const [deployment] = all({ ...wanted, installation }).filter(ofListener);
  assert.ok(deployment?.kind === "Deployment");
  const { name: listener, labels, ownerReferences } = deployment.metadata;
  await fixture.objects.create("Deployment", { ...deployment, metadata: { name: listener, labels, ownerReferences } });
  await waitUntil(async () => {
    const [pod] = await listeners();
    assert.equal(pod?.status?.containerStatuses?.[0]?.started, true, "it lives");
  }, 180);

  await context.test("a pod outside the mesh answers no client, and is not an endpoint of the Service", async () => {
    const [pod] = await listeners();
    assert.equal(pod?.status?.containerStatuses?.[0]?.ready, false);
    assert.deepEqual(await loopbackStatuses(fixture, pod?.metadata.name, 4318, "/v1/traces", "POST"), [503, 503]);
    assert.equal(await write(agents, early), "no answer");
  });

  await context.test(
    "a pod in the mesh accepts traces of writers without a credential, and MLflow shows them",
    async () => {
      await annotate(injected);
      const written = spanOf("by identity");
      await waitUntil(async () => assert.equal(await write(agents, written), "200"), 300);
      const admin = await fixture.asAdmin(name);
      await waitUntil(async () => {
        const body = { locations: [{ type: "MLFLOW_EXPERIMENT", mlflow_experiment: { experiment_id: "0" } }] };
        const { traces } = await admin.json("POST", "/api/3.0/mlflow/traces/search", body);
        const shown = JSON.stringify(traces);
        assert.deepEqual([shown.includes(traceIdOf(written)), shown.includes(traceIdOf(early))], [true, false], shown);
      }, 60);
    },
  );

  await context.test("the NetworkPolicy denies clients of other namespaces", async () => {
    await waitUntil(async () => assert.equal(await write(agents, spanOf("still open")), "200"), 120);
    assert.equal(await write(otherNamespace, spanOf("from elsewhere")), "no answer");
  });

  await context.test("stops answering when the annotation is removed", async () => {
    await annotate({ "sidecar.istio.io/status": null });
    await waitUntil(async () => assert.notEqual(await write(agents, spanOf("too late")), "200"), 300);
  });
});
