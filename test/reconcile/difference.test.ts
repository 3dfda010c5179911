import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { difference } from "../../src/reconcile/difference.ts";

describe("the difference", () => {
  const container = {
    name: "mlflow",
    image: "a:1",
    env: [
      { name: "A", value: "1" },
      { name: "B", value: "" },
    ],
  };
  const wanted = { spec: { replicas: 0, containers: [container], args: ["x", "y"] } };
  const live = (change: object = {}) => ({ spec: { ...wanted.spec, ...change }, status: { observed: 1 } });

  test("is undefined if the cluster has all wanted fields and more", () => {
    const defaulted = {
      ...container,
      terminationMessagePath: "/dev/termination-log",
      env: [{ name: "B" }, { name: "C", value: "3" }, { name: "A", value: "1" }],
    };
    assert.equal(difference(wanted, live({ containers: [{ name: "istio-proxy" }, defaulted] })), undefined);
  });

  test("ignores a second IP family that the API server adds, but not another first one", () => {
    const families = (...ipFamilies: string[]) => ({ spec: { ipFamilies } });
    assert.equal(difference(families("IPv6"), families("IPv6", "IPv4")), undefined);
    assert.equal(difference(families("IPv6"), families("IPv4", "IPv6")), ".spec.ipFamilies[0]");
    assert.equal(difference(families("IPv6", "IPv4"), families("IPv6")), ".spec.ipFamilies[1]");
  });

  test("is the path of a changed value", () => {
    assert.equal(
      difference(wanted, live({ containers: [{ ...container, image: "a:2" }] })),
      ".spec.containers[0].image",
    );
  });

  test("is a removed item or a removed field", () => {
    assert.ok(difference(wanted, live({ containers: [{ ...container, env: [] }] })));
    assert.ok(
      difference(wanted, { spec: { containers: [container], args: ["x", "y"] } }),
      "replicas: 0 is not the same as none",
    );
  });

  test("is a list without keys in another order or with more items", () => {
    assert.ok(difference(wanted, live({ args: ["y", "x"] })));
    assert.ok(difference(wanted, live({ args: ["x", "y", "--allow-all"] })));
  });

  test("is a port added to a rule of a policy, but not one added to a container", () => {
    const rule = (...ports: number[]) => ({ ingress: [{ ports: ports.map((port) => ({ port, protocol: "TCP" })) }] });
    assert.ok(difference(rule(5000), rule(5000, 22)));
    const operation = (...ports: string[]) => ({ rules: [{ to: [{ operation: { ports } }] }] });
    assert.equal(difference(operation("5000"), operation("5000")), undefined);
    assert.ok(difference(operation("5000"), operation("5000", "22")));
    const pod = (...ports: number[]) => ({
      containers: [{ name: "a", ports: ports.map((port) => ({ containerPort: port })) }],
    });
    assert.equal(difference(pod(5000), pod(5000, 22)), undefined);
  });

  test("is false changed to true or removed", () => {
    assert.ok(difference({ automountServiceAccountToken: false }, { automountServiceAccountToken: true }));
    assert.ok(difference({ automountServiceAccountToken: false }, {}));
  });

  test("compares the amounts of quantities, not their text", () => {
    const resources = (cpu: string) => ({ resources: { requests: { cpu } } });
    assert.equal(difference(resources("0.5"), resources("500m")), undefined);
    assert.ok(difference(resources("0.5"), resources("501m")));
    assert.equal(difference({ sizeLimit: "1024Mi" }, { sizeLimit: "1Gi" }, ".emptyDir"), undefined);
    assert.ok(difference({ annotations: { x: "0.5" } }, { annotations: { x: "500m" } }));
  });
});
