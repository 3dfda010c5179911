import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ServiceSettings } from "../../src/api/fields/service.ts";
import type { MlflowServerSpec } from "../../src/api/spec.ts";
import type { Service } from "../../src/kube/manifests.ts";
import { all, inputs, server } from "../support/fixtures.ts";

const externalURL = "https://mlflow.example.com";
const issued = { issuerURL: "https://dex.example.com/dex", clientID: "mlflow" };
const oauth2Proxy = { ...issued, authorization: { allAuthenticatedUsers: {} } };

/** The Services of a server with these settings, by name. */
function servicesOf(service: ServiceSettings, more: Partial<MlflowServerSpec> = {}): Record<string, Service> {
  const spec = { service, exposure: { externalURL }, authentication: { basic: {} }, ...more };
  const found = all(inputs(server(spec))).filter((each): each is Service => each.kind === "Service");
  return Object.fromEntries(found.map((each) => [each.metadata.name, each]));
}

const portsOf = (service: Service | undefined) =>
  service?.spec.ports?.map(({ port, targetPort, nodePort }) => [port, targetPort, nodePort]);

describe("the Services of a server", () => {
  test("are one of type ClusterIP by default, with annotations and IP families", () => {
    const found = servicesOf({ annotations: { "example.com/a": "1" }, ipFamilyPolicy: "PreferDualStack" });
    assert.deepEqual(Object.keys(found), ["demo"]);
    assert.equal(found["demo"]?.spec.type, "ClusterIP");
    assert.equal(found["demo"]?.spec.ipFamilyPolicy, "PreferDualStack");
    assert.equal(found["demo"]?.metadata.annotations?.["example.com/a"], "1");
  });

  test("are a second one for clients outside the cluster, which has the annotations", () => {
    const { demo, "demo-external": external } = servicesOf({
      type: "LoadBalancer",
      annotations: { "example.com/a": "1" },
      loadBalancerClass: "example.com/lb",
      loadBalancerSourceRanges: ["10.0.0.0/8"],
      externalTrafficPolicy: "Local",
      ipFamilies: ["IPv6"],
    });
    assert.equal(demo?.spec.type, "ClusterIP");
    assert.equal(demo?.metadata.annotations?.["example.com/a"], undefined);
    assert.deepEqual(demo?.spec.ipFamilies, ["IPv6"]);
    const { selector, ports, ...spec } = external?.spec ?? {};
    assert.deepEqual(spec, {
      type: "LoadBalancer",
      loadBalancerClass: "example.com/lb",
      loadBalancerSourceRanges: ["10.0.0.0/8"],
      externalTrafficPolicy: "Local",
      ipFamilies: ["IPv6"],
    });
    assert.deepEqual(selector, demo?.spec.selector);
    assert.equal(external?.metadata.annotations?.["example.com/a"], "1");
    assert.deepEqual(
      ports?.map(({ appProtocol }) => appProtocol),
      ["http"],
    );
  });

  test("have the port of the external URL, or the one of the spec", () => {
    const port = (url: string, service: ServiceSettings) =>
      portsOf(servicesOf(service, { exposure: { externalURL: url } })["demo-external"]);
    assert.deepEqual(port(externalURL, { type: "LoadBalancer" }), [[443, "http", undefined]]);
    assert.deepEqual(port("http://mlflow.example.com/a", { type: "LoadBalancer" }), [[80, "http", undefined]]);
    assert.deepEqual(port(`${externalURL}:8443`, { type: "LoadBalancer" }), [[8443, "http", undefined]]);
    assert.deepEqual(port(externalURL, { type: "LoadBalancer", port: 5001 }), [[5001, "http", undefined]]);
    assert.deepEqual(port(externalURL, { type: "NodePort" }), [[5000, "http", undefined]]);
    assert.deepEqual(port(externalURL, { type: "NodePort", port: 30_500 }), [[5000, "http", 30_500]]);
  });

  test("send clients to the secured port of the pods only, also with oauth2-proxy and metrics", () => {
    const spec = { authentication: { oauth2Proxy }, monitoring: { namespace: "monitoring" } };
    const manifests = all(inputs(server({ ...spec, service: { type: "LoadBalancer" }, exposure: { externalURL } })));
    const external = manifests.find(({ metadata }) => metadata.name === "demo-external") as Service;
    const deployment = manifests.find((each) => each.kind === "Deployment");
    assert.deepEqual(portsOf(external), [[443, "http", undefined]]);
    const named = deployment?.spec.template.spec?.containers.flatMap(({ name, ports = [] }) =>
      ports.filter((each) => each.name === "http").map(({ containerPort }) => [name, containerPort]),
    );
    assert.deepEqual(named, [["oauth2-proxy", 4180]]);
  });

  test("serve https with a certificate of the server", () => {
    const tls = { certificateSecretRef: { name: "mlflow-tls" } };
    const { "demo-external": external } = servicesOf({ type: "LoadBalancer" }, { server: { tls } });
    assert.equal(external?.spec.ports?.[0]?.appProtocol, "https");
  });
});
