import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MlflowServerSpec } from "../../src/api/spec.ts";
import type { AuthorizationPolicy } from "../../src/kube/manifests.ts";
import { all, deploymentOf, inputs, programsOf, server } from "../support/fixtures.ts";
import { isAllowed } from "../support/istio-policy.ts";

const monitoring = { namespace: "observability" };
const oauth2Proxy = {
  issuerURL: "https://dex.example.com/dex",
  clientID: "mlflow",
  authorization: { allAuthenticatedUsers: {} },
};
const of = (spec: Partial<MlflowServerSpec> = {}) => inputs(server({ monitoring, ...spec }));
const proxied: Partial<MlflowServerSpec> = { authentication: { oauth2Proxy } };

function portsOf(spec: Partial<MlflowServerSpec>) {
  const { containers = [] } = deploymentOf(of(spec)).spec.template.spec ?? {};
  return containers.map(({ ports = [] }) => ports.map(({ name, containerPort }) => `${name}:${containerPort}`));
}

function ingressOf(spec: Partial<MlflowServerSpec>) {
  const found = all(of(spec)).find(({ kind }) => kind === "NetworkPolicy");
  return found?.kind === "NetworkPolicy" ? found.spec.ingress : undefined;
}

describe("without monitoring", () => {
  test("no port, no argument and no counter exists", () => {
    const objects = JSON.stringify(all(inputs(server(proxied))));
    assert.doesNotMatch(objects, /9090|44180|metrics-address/);
    assert.match(programsOf(inputs(server()))["mlflow_operator/settings.json"] ?? "", /"metricsPort":null/);
  });
});

describe("with monitoring", () => {
  test("MLflow and oauth2-proxy have a port each for metrics", () => {
    assert.deepEqual(portsOf({}), [["http:5000", "metrics:9090"]]);
    assert.deepEqual(portsOf(proxied), [["metrics:9090"], ["http:4180", "proxy-metrics:44180"]]);
    assert.match(programsOf(of())["mlflow_operator/settings.json"] ?? "", /"metricsPort":9090/);
    const [, proxy] = deploymentOf(of(proxied)).spec.template.spec?.containers ?? [];
    assert.ok(proxy?.args?.includes("--metrics-address=:44180"));
  });

  test("the Service has no port for metrics", () => {
    for (const spec of [{}, proxied]) {
      const services = all(of(spec)).flatMap((object) => (object.kind === "Service" ? (object.spec.ports ?? []) : []));
      assert.deepEqual(
        services.map(({ name, targetPort }) => [name, targetPort]),
        [["http", "http"]],
      );
    }
  });

  test("the NetworkPolicy allows the ports to the namespace of Prometheus alone, and that namespace no other port", () => {
    const cases: [Partial<MlflowServerSpec>, number[]][] = [
      [{}, [9090]],
      [proxied, [9090, 44_180]],
      [{ networkPolicy: { from: [] } }, [9090]],
    ];
    for (const [spec, ports] of cases) {
      const rules = (ingressOf(spec) ?? []).filter((rule) =>
        rule.ports?.some(({ port }) => ports.some((each) => each === port)),
      );
      assert.deepEqual(rules, [
        {
          ports: ports.map((port) => ({ port, protocol: "TCP" })),
          from: [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "observability" } } }],
        },
      ]);
    }
  });
});

describe("in a mesh", () => {
  const meshed = (mode: "Ambient" | "Sidecar", more: Partial<MlflowServerSpec> = {}): Partial<MlflowServerSpec> => ({
    traces: { writers: [{ namespace: "agents", serviceAccount: "otel-collector" }] },
    mesh: { istio: { mode } },
    ...more,
  });
  const policiesOf = (spec: Partial<MlflowServerSpec>) =>
    all(of(spec)).filter((object): object is AuthorizationPolicy => object.kind === "AuthorizationPolicy");

  /** Whether ztunnel or a sidecar allows a connection to a pod: no policy denies it, and one allows it. */
  function isAdmitted(spec: Partial<MlflowServerSpec>, port: number, principal: string | undefined) {
    const policies = policiesOf(spec).filter((policy) => policy.spec.selector !== undefined);
    const request = { path: "/metrics", method: "GET", port: String(port), ...(principal && { principal }) };
    const matching = (action: string) =>
      policies.filter((policy) => policy.spec.action === action && isAllowed(policy.spec.rules ?? [], request));
    return matching("DENY").length === 0 && matching("ALLOW").length > 0;
  }

  const prometheus = "cluster.local/ns/observability/sa/prometheus";
  const others = ["cluster.local/ns/team-a/sa/default", "cluster.local/ns/observability-2/sa/prometheus"];
  const waypoint = "cluster.local/ns/team-a/sa/demo-waypoint";

  for (const mode of ["Ambient", "Sidecar"] as const) {
    test(`${mode}: only Prometheus's namespace gets the metrics, and workloads in no mesh, which the NetworkPolicy restricts`, () => {
      for (const [spec, ports] of [
        [meshed(mode), [9090]],
        [meshed(mode, proxied), [9090, 44_180]],
      ] as const) {
        for (const port of ports) {
          for (const principal of [prometheus, undefined]) assert.equal(isAdmitted(spec, port, principal), true);
          for (const principal of [...others, waypoint]) assert.equal(isAdmitted(spec, port, principal), false);
        }
      }
    });

    test(`${mode}: the other ports are as without monitoring`, () => {
      for (const port of [5000, 4180, 1234]) {
        for (const principal of [prometheus, waypoint, ...others, undefined]) {
          const expected = mode === "Ambient" ? principal === waypoint : port === 5000;
          assert.equal(isAdmitted(meshed(mode), port, principal), expected, `${port} ${principal}`);
        }
      }
    });

    test(`${mode}: the NetworkPolicy allows HBONE to Prometheus's namespace`, () => {
      const from = [{ namespaceSelector: { matchLabels: { team: "b" } } }];
      const rules = ingressOf(meshed(mode, { networkPolicy: { from } })) ?? [];
      const ofPrometheus = rules.find((rule) => JSON.stringify(rule.from).includes("observability"));
      assert.deepEqual(
        ofPrometheus?.ports?.map(({ port }) => port),
        [9090, 15_008],
      );
    });
  }
});
