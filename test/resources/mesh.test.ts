import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MlflowServerSpec } from "../../src/api/spec.ts";
import type {
  AuthorizationPolicy,
  ConfigMap,
  Gateway,
  Manifest,
  NetworkPolicy,
  Service,
} from "../../src/kube/manifests.ts";
import { podSelector } from "../../src/model/metadata.ts";
import { all, deploymentOf, inputs, server } from "../support/fixtures.ts";
import { isAllowed } from "../support/istio-policy.ts";

const writers = [{ namespace: "agents", serviceAccount: "otel-collector" }];
const collector = "cluster.local/ns/agents/sa/otel-collector";
const meshed = (more: Partial<MlflowServerSpec> = {}) =>
  server({ traces: { writers }, mesh: { istio: { mode: "Ambient" } }, ...more });
const named = <T extends Manifest>(kind: T["kind"], name: string, of = meshed()): T => {
  const found = all(inputs(of)).find((object) => object.kind === kind && object.metadata.name === name);
  assert.ok(found !== undefined, `there is no ${kind} ${name}`);
  return found as T;
};
const policy = (name: string, of = meshed()) => named<AuthorizationPolicy>("AuthorizationPolicy", name, of);

describe("in the mesh", () => {
  test("without writers traces are denied for all clients, and no list of principals is empty", () => {
    const { rules = [] } = policy("demo-trace-writers", meshed({ traces: { writers: [] } })).spec;
    assert.ok(rules.every(({ from }) => from === undefined));
    assert.ok(!JSON.stringify(rules).includes("[]"));
    const ask = { principal: collector, method: "POST", path: "/v1/traces" };
    assert.equal(isAllowed(rules, ask), false);
    assert.equal(isAllowed(rules, { ...ask, path: "/api/2.0/mlflow/runs/create" }), true);
  });

  test("principals are exact, with the trust domain of the mesh", () => {
    const of = meshed({ mesh: { istio: { mode: "Ambient", trustDomain: "prod.example" } } });
    assert.deepEqual(policy("demo-trace-writers", of).spec.rules?.[0]?.from?.[0]?.source, {
      principals: ["prod.example/ns/agents/sa/otel-collector"],
    });
    assert.deepEqual(policy("demo-waypoint-only", of).spec.rules, [
      { from: [{ source: { notPrincipals: ["prod.example/ns/team-a/sa/demo-waypoint"] } }] },
    ]);
  });

  test("policies for ztunnel have no paths or methods, which it would skip and allow all clients", () => {
    for (const name of ["demo-waypoint-only", "demo-allow-waypoint"]) {
      const { selector, targetRefs, rules = [] } = policy(name).spec;
      assert.deepEqual([selector?.matchLabels, targetRefs], [podSelector(meshed()), undefined]);
      assert.ok(rules.every((rule) => rule.to === undefined && rule.from !== undefined));
    }
  });

  test("the policy for traces applies to all traffic through the waypoint", () => {
    const { selector, targetRefs } = policy("demo-trace-writers").spec;
    assert.equal(selector, undefined);
    assert.deepEqual(
      targetRefs?.map(({ kind, name }) => [kind, name]),
      [["Gateway", "demo-waypoint"]],
    );
  });

  test("the server's selectors do not match the pods of the waypoint", () => {
    const { metadata, spec } = named<Gateway>("Gateway", "demo-waypoint");
    assert.equal(metadata.labels?.["istio.io/waypoint-for"], "service");
    const labels = spec.infrastructure?.labels ?? {};
    const { podSelector: fenced } = named<NetworkPolicy>("NetworkPolicy", "demo").spec;
    for (const selector of [podSelector(meshed()), fenced?.matchLabels ?? {}])
      assert.ok(Object.entries(selector).some(([key, value]) => labels[key] !== value));
    assert.ok(Object.keys(labels).length > 0, "those of the Gateway would be copied");
  });

  test("a server with several replicas has two waypoint pods, of which one at a time can be evicted", () => {
    const dataOf = (replicas: number, more: Partial<MlflowServerSpec> = {}) => {
      const { data = {} } = named<ConfigMap>("ConfigMap", "demo-waypoint", meshed({ replicas, ...more }));
      return Object.fromEntries(Object.entries(data).map(([key, text]) => [key, JSON.parse(text).spec]));
    };
    const { deployment, podDisruptionBudget } = dataOf(3);
    assert.equal(deployment.replicas, 2);
    const [{ labelSelector }] = deployment.template.spec.topologySpreadConstraints;
    assert.deepEqual(labelSelector.matchLabels, { "gateway.networking.k8s.io/gateway-name": "demo-waypoint" });
    assert.equal(podDisruptionBudget.maxUnavailable, 1);
    assert.deepEqual(Object.keys(dataOf(1)), ["deployment"]);
    assert.equal(dataOf(1)["deployment"].replicas, undefined);
    assert.equal(dataOf(1, { autoscaling: { maxReplicas: 2 } })["deployment"].replicas, 2);
  });

  test("the NetworkPolicy always allows the waypoint", () => {
    const of = meshed({ networkPolicy: { from: [], egress: {} } });
    const { ingress = [], egress = [] } = named<NetworkPolicy>("NetworkPolicy", "demo", of).spec;
    const waypoint = named<Gateway>("Gateway", "demo-waypoint").spec.infrastructure?.labels ?? {};
    const isAllowed = ingress.some(
      ({ ports, from }) =>
        ports?.some(({ port }) => port === 15008) &&
        from?.some(({ podSelector: pods }) =>
          Object.entries(pods?.matchLabels ?? { none: "" }).every(([key, value]) => waypoint[key] === value),
        ),
    );
    assert.ok(isAllowed);
    assert.ok(
      ingress.every(({ from = [] }) => from.length > 0),
      "the listed clients only",
    );
    assert.ok(egress.some(({ ports }) => ports?.some(({ port }) => port === 15008)));
  });

  test("the Service uses the waypoint, also from an ingress gateway, and the pods are enrolled", () => {
    const { labels } = named<Service>("Service", "demo").metadata;
    assert.equal(labels?.["istio.io/use-waypoint"], "demo-waypoint");
    assert.equal(labels?.["istio.io/ingress-use-waypoint"], "true");
    const pods = deploymentOf(inputs(meshed())).spec.template.metadata?.labels ?? {};
    assert.equal(pods["istio.io/dataplane-mode"], "ambient");
    assert.ok(!JSON.stringify(all(inputs())).includes("istio"), "without a mesh nothing speaks of it");
  });
});

describe("in a mesh with sidecars", () => {
  const inSidecars = (more: Partial<MlflowServerSpec> = {}) =>
    meshed({ mesh: { istio: { mode: "Sidecar" } }, ...more });

  test("each pod has the rules of the waypoint for the serving port, and no object of ambient mode exists", () => {
    const { selector, targetRefs, action, rules = [] } = policy("demo-sidecar", inSidecars()).spec;
    assert.deepEqual([selector?.matchLabels, targetRefs, action], [podSelector(meshed()), undefined, "ALLOW"]);
    const bare = rules.map(({ to = [], ...rule }) => ({
      ...rule,
      to: to.map(({ operation: { ports, ...operation } }) => {
        assert.deepEqual(ports, ["5000"]);
        return { operation };
      }),
    }));
    assert.deepEqual(bare, policy("demo-trace-writers").spec.rules);
    const kinds = all(inputs(inSidecars())).map(({ kind, metadata }) => `${kind}/${metadata.name}`);
    assert.ok(!kinds.includes("Gateway/demo-waypoint") && !kinds.includes("AuthorizationPolicy/demo-waypoint-only"));
    assert.equal(named<Service>("Service", "demo", inSidecars()).metadata.labels?.["istio.io/use-waypoint"], undefined);
    const pods = deploymentOf(inputs(inSidecars())).spec.template.metadata?.labels ?? {};
    assert.equal(pods["sidecar.istio.io/inject"], "true");
    assert.equal(pods["istio.io/dataplane-mode"], "none", "a namespace in ambient mode does not have them, too");
  });

  test("the NetworkPolicy allows requests to the serving port, and connections of the pods to istiod", () => {
    const of = inSidecars({ networkPolicy: { egress: {} } });
    const { ingress, egress = [] } = named<NetworkPolicy>("NetworkPolicy", "demo", of).spec;
    // 15008: pods in ambient mode connect to pods with a sidecar through HBONE.
    assert.deepEqual(ingress, [{ ports: [5000, 15008].map((port) => ({ port, protocol: "TCP" })) }]);
    assert.ok(egress.some(({ ports }) => ports?.some(({ port }) => port === 15012)));
    const denied = inSidecars({ networkPolicy: { from: [] } });
    assert.deepEqual(named<NetworkPolicy>("NetworkPolicy", "demo", denied).spec.ingress, []);
  });
});

/** Returns the paths as the waypoint sees them: normalised by Envoy, with escaped slashes (Istio's BASE). */
const disguises = (root: string) =>
  ["/v1%2ftraces", "/v1%2Ftraces", "//v1/traces", "/v1//traces", "/%2fv1/traces", "/%2Fv1%2Ftraces", "/v1%5ctraces"]
    .concat(["/v1/traces%2f", "/v1/traces%2Fx", "/v1/traces%23", "/v1/traces%20", "/v1/traces;x=1", "/v1;x/traces"])
    .concat(["/v1/TRACES", "/v1/tracesX", "/v1/traces.json", "/v1/metrics", "/v1"])
    .map((path) => root + path);
const direct = (root: string) => ["/v1/traces", "/v1/traces/", "/v1/traces/x"].map((path) => root + path);
const others = (root: string) =>
  ["/", "/api/2.0/mlflow/runs/create", "/health", "/ajax-api/3.0/x", "/static-files/a.js"].map((path) => root + path);

describe("access to paths", () => {
  const prefixes = ["", "/mlflow", "/clusters/c1/mlflow", "/ap", "/v10/mlflow"];
  for (const prefix of prefixes) {
    const externalURL = `https://platform.example.com${prefix}`;
    const { rules = [] } = policy(
      "demo-trace-writers",
      meshed(prefix === "" ? {} : { exposure: { externalURL } }),
    ).spec;
    const roots = prefix === "" ? [""] : ["", prefix];
    const ask = (path: string, method = "POST", principal: string | undefined = undefined) =>
      isAllowed(rules, { path, method, ...(principal !== undefined && { principal }) });
    const strangers = [
      undefined,
      "cluster.local/ns/agents/sa/otel-collector-2",
      "cluster.local/ns/evil/sa/otel-collector",
      "evil.local/ns/agents/sa/otel-collector",
    ];

    test(`with the prefix ${JSON.stringify(prefix)}, only writers can POST traces`, () => {
      for (const path of roots.flatMap(direct)) {
        assert.equal(ask(path, "POST", collector), true, path);
        for (const method of ["GET", "HEAD", "PUT", "OPTIONS"]) assert.equal(ask(path, method, collector), false, path);
        for (const stranger of strangers) assert.equal(ask(path, "POST", stranger), false, `${path} ${stranger}`);
      }
    });

    test(`with the prefix ${JSON.stringify(prefix)}, other spellings of the path are denied for all clients`, () => {
      const [, first = ""] = prefix.split("/");
      const hidden = [
        `/${prefix.slice(1).replaceAll("/", "%2f")}/v1/traces`,
        `/${prefix.replaceAll("/", "%2f")}/v1/traces`,
        `/${first}%2fv1/traces`,
        `/${first}//v1/traces`,
      ]
        .concat([
          `${prefix.replace(/^\/([^/]+)\//, "/$1%2f")}/v1/traces`,
          `${prefix}//v1/traces`,
          `${prefix}%2fv1%2ftraces`,
        ])
        .filter(() => prefix !== "");
      for (const path of [...roots.flatMap(disguises), ...hidden]) {
        if (direct(prefix).includes(path)) continue;
        for (const who of [collector, ...strangers]) assert.equal(ask(path, "POST", who), false, `${path} ${who}`);
      }
    });

    test(`with the prefix ${JSON.stringify(prefix)}, other paths are allowed for all clients`, () => {
      for (const path of roots.flatMap(others))
        for (const who of strangers) assert.equal(ask(path, "GET", who), true, path);
    });
  }
});
