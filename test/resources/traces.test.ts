import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MlflowServerSpec } from "../../src/api/spec.ts";
import type { AuthorizationPolicy, Deployment, Manifest, NetworkPolicy, Service } from "../../src/kube/manifests.ts";
import { all, inputs, postgresql, server } from "../support/fixtures.ts";
import { isAllowed } from "../support/istio-policy.ts";

const writers = [
  { namespace: "agents", serviceAccount: "otel-collector" },
  { namespace: "agents", serviceAccount: "trainer" },
];
const listening = (more: Partial<MlflowServerSpec> = {}) =>
  server({
    backendStore: { postgresql },
    traces: { writers, identity: "Mesh" },
    mesh: { istio: { mode: "Ambient" } },
    ...more,
  });
const named = <T extends Manifest>(kind: T["kind"], name: string, of = listening()): T => {
  const found = all(inputs(of)).find((object) => object.kind === kind && object.metadata.name === name);
  assert.ok(found !== undefined, `there is no ${kind} ${name}`);
  return found as T;
};
const deployment = (of = listening()) => named<Deployment>("Deployment", "demo-traces", of);
const selects = (selector: Readonly<Record<string, string>> = {}, labels: Readonly<Record<string, string>> = {}) =>
  Object.entries(selector).every(([key, value]) => labels[key] === value);

describe("the listener for traces", () => {
  test("authorizes writers by identity only, without paths", () => {
    const { spec: only } = named<AuthorizationPolicy>("AuthorizationPolicy", "demo-traces-writers-only");
    const principals = writers.map(({ serviceAccount }) => `cluster.local/ns/agents/sa/${serviceAccount}`);
    assert.deepEqual([only.action, only.rules], ["DENY", [{ from: [{ source: { notPrincipals: principals } }] }]]);
    const { spec: letIn } = named<AuthorizationPolicy>("AuthorizationPolicy", "demo-traces-allow-writers");
    for (const principal of principals)
      assert.ok(isAllowed(letIn.rules ?? [], { principal, method: "POST", path: "/v1/traces" }));
    assert.ok(!isAllowed(letIn.rules ?? [], { method: "POST", path: "/v1/traces" }));
  });

  test("its policies, NetworkPolicy and Service select only its pods", () => {
    const pods = deployment().spec.template.metadata?.labels ?? {};
    for (const name of ["demo-traces-writers-only", "demo-traces-allow-writers"])
      assert.ok(selects(named<AuthorizationPolicy>("AuthorizationPolicy", name).spec.selector?.matchLabels, pods));
    assert.ok(selects(named<Service>("Service", "demo-traces").spec.selector, pods));
    assert.ok(selects(named<NetworkPolicy>("NetworkPolicy", "demo-traces").spec.podSelector?.matchLabels, pods));
    assert.ok(!selects(named<Service>("Service", "demo").spec.selector, pods));
    assert.ok(
      !selects(
        named<AuthorizationPolicy>("AuthorizationPolicy", "demo-waypoint-only").spec.selector?.matchLabels,
        pods,
      ),
    );
    const own = named<Deployment>("Deployment", "demo").spec.template.metadata?.labels;
    assert.ok(!selects(named<Service>("Service", "demo-traces").spec.selector, own));
    assert.equal(named<Service>("Service", "demo-traces").metadata.labels?.["istio.io/use-waypoint"], undefined);
  });

  test("the NetworkPolicy allows the writers' namespaces, and only kubelet probes without mTLS", () => {
    const from = [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "agents" } } }];
    assert.deepEqual(named<NetworkPolicy>("NetworkPolicy", "demo-traces").spec.ingress, [
      { ports: [{ port: 15008, protocol: "TCP" }], from },
      {
        ports: [{ port: 4318, protocol: "TCP" }],
        from: [
          { ipBlock: { cidr: "169.254.7.127/32" } },
          { ipBlock: { cidr: "fd16:9254:7127:1337:ffff:ffff:ffff:ffff/128" } },
        ],
      },
    ]);
    const sidecar = listening({ mesh: { istio: { mode: "Sidecar" } } });
    assert.deepEqual(named<NetworkPolicy>("NetworkPolicy", "demo-traces", sidecar).spec.ingress, [
      { ports: [4318, 15008].map((port) => ({ port, protocol: "TCP" })), from },
    ]);
    const none = all(inputs(listening({ networkPolicy: { enabled: false } })));
    assert.ok(none.every(({ kind }) => kind !== "NetworkPolicy"));
  });

  test("a pod reads its mesh annotation, and has only the database credentials", () => {
    const podOf = (of = listening()) => {
      const { spec } = deployment(of).spec.template;
      assert.ok(spec);
      return spec;
    };
    const annotationOf = (of = listening()) =>
      podOf(of).volumes?.find(({ name }) => name === "mesh")?.downwardAPI?.items?.[0]?.fieldRef?.fieldPath;
    assert.equal(annotationOf(), "metadata.annotations['ambient.istio.io/redirection']");
    const sidecar = listening({ mesh: { istio: { mode: "Sidecar" } } });
    assert.equal(annotationOf(sidecar), "metadata.annotations['sidecar.istio.io/status']");
    const variable = (name: string, of = listening()) =>
      podOf(of).containers[0]?.env?.find((each) => each.name === name)?.value;
    assert.deepEqual([variable("MESH_ENROLMENT"), variable("MESH_ENROLMENT", sidecar)], ["enabled", ""]);
    const secrets = JSON.stringify(podOf()).match(/"secretKeyRef":\{[^}]*\}|"secretName":"[^"]*"/g);
    assert.deepEqual(secrets, ['"secretKeyRef":{"name":"demo-store","key":"backend-store-uri"}']);
    assert.equal(podOf().serviceAccountName, "demo-traces");
    assert.equal(podOf().automountServiceAccountToken, false);
  });

  test("is absent without the identity Mesh, or without writers", () => {
    for (const of of [
      listening({ traces: { writers } }),
      listening({ traces: { writers, identity: "Application" } }),
      listening({ traces: { writers: [], identity: "Mesh" } }),
    ])
      assert.ok(all(inputs(of)).every(({ metadata, kind }) => kind !== "Deployment" || metadata.name === "demo"));
  });
});
