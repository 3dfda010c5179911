import assert from "node:assert/strict";
import { after, before, describe, type TestContext, test } from "node:test";
import type { ServiceSettings } from "../../../src/api/fields/service.ts";
import { type ControlPlane, startControlPlane } from "../../control-plane/control-plane.ts";
import { onK3s } from "../../control-plane/shared.ts";
import { eventually, steadily } from "../../support/eventually.ts";
import { condition, type Fixture, fixture, installed, quotaInForce } from "../../support/operator-fixture.ts";
import { type Modification, server, withoutAuthentication } from "../../support/servers.ts";

const external = "mlflow-external";
const externalURL = "https://mlflow.example.com";
const byKubernetes: Modification = { "spec.authentication": { kubernetes: {} } };
const serving = (service: ServiceSettings): Modification => ({
  ...byKubernetes,
  "spec.service": { ...service },
  ...(service.type && { "spec.exposure": { externalURL } }),
});

const says = (stage: Fixture, reason: string) =>
  eventually(async () => {
    const found = condition(await stage.objects.the("MlflowServer", "mlflow"), "Exposed");
    assert.equal(found.reason, reason, found.message);
    return found;
  });

const isGone = (stage: Fixture) =>
  eventually(async () => assert.equal(await stage.objects.get("Service", external), undefined));

/** The operator has nothing to write for a second. */
async function isSteady(stage: Fixture): Promise<void> {
  const quiet = await stage.quiet();
  await steadily(() => {}, 1);
  assert.deepEqual(await stage.calls(quiet), []);
}

describe("the Services of a server, on a cluster with two IP families", { skip: onK3s() }, () => {
  let cluster: ControlPlane;
  before(async () => {
    const extraArgs = ["--service-cluster-ip-range=10.96.0.0/16,fd00:96::/112"];
    cluster = await startControlPlane({ beforeControllers: installed, extraArgs });
  });
  after(() => cluster?.close());

  const set = (context: TestContext) => fixture(context, { cluster });

  test("one for clients outside is created after the rollout, replaced and deleted; the other one keeps its address", async (context) => {
    const stage = await set(context);
    const annotations = { "example.com/scheme": "internal" };
    const balanced: ServiceSettings = { type: "LoadBalancer", annotations, loadBalancerClass: "example.com/a" };
    await stage.apply(server("mlflow", serving(balanced)));
    const { status } = await stage.ready("mlflow", 60);
    assert.deepEqual([status?.url, status?.serviceURL], [externalURL, `http://mlflow.${stage.namespace}:5000`]);
    const waiting = await says(stage, "LoadBalancerWithoutAddress");
    assert.equal(waiting.status, "Unknown");
    const address = (await stage.objects.the("Service", "mlflow")).spec.clusterIP;
    const first = await stage.objects.the("Service", external);
    assert.equal(first.metadata.annotations?.["example.com/scheme"], "internal");
    assert.deepEqual(
      first.spec.ports?.map(({ port, targetPort }) => [port, targetPort]),
      [[443, "http"]],
    );
    const ingress = [{ hostname: "lb.example.com" }];
    await stage.objects.patch("Service", external, { status: { loadBalancer: { ingress } } }, "/status");
    assert.equal((await says(stage, "Exposed")).status, "True");
    await isSteady(stage);

    await stage.objects.patch("Service", external, { spec: { loadBalancerSourceRanges: null, type: "NodePort" } });
    await eventually(async () =>
      assert.equal((await stage.objects.the("Service", external)).spec.type, "LoadBalancer"),
    );

    await stage.apply(server("mlflow", serving({ type: "LoadBalancer", loadBalancerClass: "example.com/b" })));
    await eventually(async () => {
      const { metadata, spec } = await stage.objects.the("Service", external);
      assert.notEqual(metadata.uid, first.metadata.uid, "the class is immutable");
      assert.equal(spec.loadBalancerClass, "example.com/b");
      assert.equal(metadata.annotations?.["example.com/scheme"], undefined);
    });

    await stage.apply(server("mlflow", serving({ type: "NodePort", port: 30_555 })));
    await eventually(async () => {
      const { spec } = await stage.objects.the("Service", external);
      assert.deepEqual([spec.type, spec.ports?.[0]?.nodePort, spec.ports?.length], ["NodePort", 30_555, 1]);
    });
    assert.equal((await says(stage, "Exposed")).status, "True");
    await isSteady(stage);

    await stage.apply(server("mlflow", byKubernetes));
    await isGone(stage);
    await stage.ready("mlflow", 60);
    assert.equal((await stage.objects.the("Service", "mlflow")).spec.clusterIP, address);
  });

  test("pods without authentication wait until a load balancer is deleted", async (context) => {
    const stage = await set(context);
    await stage.apply(server("mlflow", serving({ type: "LoadBalancer" })));
    await stage.ready("mlflow", 60);
    await says(stage, "LoadBalancerWithoutAddress");
    const finalizers = ["service.kubernetes.io/load-balancer-cleanup"];
    await stage.objects.patch("Service", external, { metadata: { finalizers } });
    const { generation } = (await stage.objects.the("Deployment", "mlflow")).metadata;
    await stage.apply(server("mlflow", withoutAuthentication));
    await eventually(async () => {
      const { message, status } = condition(await stage.objects.the("MlflowServer", "mlflow"), "Ready");
      assert.equal(status, "False");
      assert.match(message, /Service\/mlflow-external is being deleted\. Pods without authentication start when/);
    });
    await steadily(async () => {
      assert.equal((await stage.objects.the("Deployment", "mlflow")).metadata.generation, generation);
    }, 2);
    await stage.objects.patch("Service", external, { metadata: { finalizers: null } });
    await isGone(stage);
    await stage.ready("mlflow", 60);
  });

  test("have the IP families of the spec, without a write in a steady state", async (context) => {
    const stage = await set(context);
    const families = async () => (await stage.objects.the("Service", "mlflow")).spec.ipFamilies;
    await stage.apply(server("mlflow", byKubernetes));
    await stage.ready("mlflow", 60);
    assert.deepEqual(await families(), ["IPv4"]);
    for (const [service, expected] of [
      [{ ipFamilyPolicy: "PreferDualStack" }, ["IPv4", "IPv6"]],
      [{ ipFamilyPolicy: "SingleStack" }, ["IPv4"]],
      [{ ipFamilies: ["IPv6"] }, ["IPv6"]],
      // The API server adds the second family.
      [{ ipFamilyPolicy: "RequireDualStack", ipFamilies: ["IPv6"] }, ["IPv6", "IPv4"]],
      [{ ipFamilyPolicy: "RequireDualStack", ipFamilies: ["IPv4", "IPv6"] }, ["IPv4", "IPv6"]],
    ] as const) {
      await stage.apply(
        server("mlflow", { ...byKubernetes, "spec.service": structuredClone(service) as ServiceSettings }),
      );
      await eventually(async () => assert.deepEqual(await families(), expected, JSON.stringify(service)));
      await stage.ready("mlflow", 60);
      await isSteady(stage);
    }
  });

  test("a quota for load balancers is reported", async (context) => {
    const stage = await fixture(context, { cluster, expectsForbidden: true });
    const trial = { type: "LoadBalancer", ports: [{ port: 1 }] };
    await quotaInForce(stage.objects, "balancers", { "services.loadbalancers": 0 }, "Service", trial);
    await stage.apply(server("mlflow", serving({ type: "LoadBalancer" })));
    const { status } = await stage.stalled("ApplyRejected", "mlflow", 60);
    const message = status?.conditions?.find(({ type }) => type === "Ready")?.message ?? "";
    assert.match(message, /Service mlflow-external.*exceeded quota: balancers|exceeded quota: balancers/);
  });
});

describe("a Service with IP families that the cluster does not have", { skip: onK3s() }, () => {
  test("is reported with the message of the API server", async (context) => {
    const stage = await fixture(context);
    await stage.apply(server("mlflow", { "spec.service": { ipFamilyPolicy: "RequireDualStack" } }));
    const { status } = await stage.stalled("ApplyRejected", "mlflow", 60);
    assert.match(
      condition({ ...(await stage.objects.the("MlflowServer", "mlflow")), status }, "Ready").message,
      /dual-stack/,
    );
  });
});
