import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MlflowServerSpec } from "../../src/api/spec.ts";
import { resolve } from "../../src/features/resolve.ts";
import { networkPolicy } from "../../src/resources/network-policy.ts";
import { all, inputs, postgresql, server } from "../support/fixtures.ts";

const proxy = {
  issuerURL: "https://dex.example.com:5554/dex",
  clientID: "mlflow",
  authorization: { allAuthenticatedUsers: {} },
};

function policyOf(spec: Partial<MlflowServerSpec>) {
  const found = all(inputs(server(spec))).find((manifest) => manifest.kind === "NetworkPolicy");
  return found?.kind === "NetworkPolicy" ? found.spec : undefined;
}

/** The defaults of HOST_PROBE_SNAT_IP and HOST_PROBE_SNAT_IPV6 of Istio's CNI agent. */
const ambientProbes = ["169.254.7.127/32", "fd16:9254:7127:1337:ffff:ffff:ffff:ffff/128"].map((cidr) => ({
  ipBlock: { cidr },
}));

describe("ingress", () => {
  test("allows all clients on the serving port by default, and no other port", () => {
    assert.deepEqual(policyOf({})?.ingress, [
      {
        ports: [
          { port: 5000, protocol: "TCP" },
          { port: 15008, protocol: "TCP" },
        ],
      },
    ]);
    assert.equal(policyOf({ authentication: { oauth2Proxy: proxy } })?.ingress?.[0]?.ports?.[0]?.port, 4180);
  });

  test("an empty list denies all clients, although an empty list in a Kubernetes rule allows all", () => {
    const open = policyOf({ networkPolicy: { from: [] } })?.ingress?.filter(
      ({ from = [] }) =>
        from.length === 0 ||
        from.some(({ ipBlock }) => !ambientProbes.some(({ ipBlock: { cidr } }) => cidr === ipBlock?.cidr)),
    );
    assert.deepEqual(open, []);
  });

  test("allows listed clients, and kubelet probes in a mesh", () => {
    const from = [{ namespaceSelector: { matchLabels: { team: "b" } } }];
    const given = inputs(server({ networkPolicy: { from } }));
    const probed = resolve({ ...given, installation: { ...given.installation, operatorNamespace: "mlflow-operator" } });
    assert.deepEqual(
      networkPolicy(probed)?.spec?.ingress?.map(({ from: clients }) => clients),
      [
        from,
        [
          {
            namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "mlflow-operator" } },
            podSelector: { matchLabels: { "mlflow-operator.dev/operator": "true" } },
          },
        ],
        ambientProbes,
      ],
      "the operator probes the server",
    );
    const [named, probes] = policyOf({ networkPolicy: { from } })?.ingress ?? [];
    assert.deepEqual(named?.from, from);
    assert.deepEqual(probes?.from, ambientProbes);
  });

  test("the policy selects all pods of the server, and is absent if disabled", () => {
    assert.deepEqual(policyOf({})?.podSelector, { matchLabels: { "mlflow-operator.dev/server": "demo" } });
    assert.equal(policyOf({ networkPolicy: { enabled: false } }), undefined);
  });
});

describe("egress", () => {
  test("allows any address except metadata services of cloud providers by default", () => {
    const { egress, policyTypes } = policyOf({}) ?? {};
    assert.deepEqual(policyTypes, ["Ingress", "Egress"]);
    const [dns, all, ...others] = egress ?? [];
    assert.deepEqual(others, []);
    assert.deepEqual(
      dns?.ports?.map(({ port }) => port),
      [53, 53],
    );
    assert.equal(all?.ports, undefined);
    const [pods, ...blocks] = all?.to ?? [];
    assert.deepEqual(pods, { namespaceSelector: {} });
    assert.deepEqual(
      blocks.map(({ ipBlock }) => ipBlock?.cidr),
      ["0.0.0.0/0", "::/0"],
    );
    const excepted = blocks.flatMap(({ ipBlock }) => ipBlock?.except ?? []);
    for (const block of ["169.254.0.0/16", "fd00:ec2::/32", "100.100.100.200/32"]) assert.ok(excepted.includes(block));
  });

  test("allows ports of the spec to every address, except port 80 to metadata services", () => {
    const [, named] = policyOf({ backendStore: { postgresql } })?.egress ?? [];
    assert.deepEqual(named, { ports: [{ port: 5432, protocol: "TCP" }] });
    const { egress } = policyOf({ networkPolicy: { egress: { ports: [80, 443] } } }) ?? {};
    assert.deepEqual(
      egress?.map(({ ports, to }) => [ports?.map(({ port }) => port), to !== undefined]),
      [
        [[53, 53], false],
        [[443], false],
        [[80], true],
      ],
    );
  });

  test("allows metadata services only if the pods can get credentials there, or the spec allows it", () => {
    const s3 = { bucket: "models" };
    const annotations = { "eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/x" };
    assert.deepEqual(policyOf({ artifactStore: { s3 } })?.policyTypes, ["Ingress"]);
    assert.deepEqual(policyOf({ serviceAccount: { annotations } })?.policyTypes, ["Ingress"]);
    const credentialsSecretRef = { name: "s3" };
    assert.deepEqual(policyOf({ artifactStore: { s3: { ...s3, credentialsSecretRef } } })?.policyTypes, [
      "Ingress",
      "Egress",
    ]);
    const denied = policyOf({ artifactStore: { s3 }, networkPolicy: { metadataService: "Denied" } });
    assert.deepEqual(denied?.policyTypes, ["Ingress", "Egress"]);
    assert.deepEqual(policyOf({ networkPolicy: { metadataService: "Allowed" } })?.policyTypes, ["Ingress"]);
  });

  test("allows DNS, and the ports of the spec, each once", () => {
    const { egress, policyTypes } =
      policyOf({ networkPolicy: { egress: { ports: [5432, 3128] } }, backendStore: { postgresql } }) ?? {};
    assert.deepEqual(policyTypes, ["Ingress", "Egress"]);
    assert.deepEqual(
      egress?.map(({ ports }) => ports?.map(({ port, protocol }) => `${protocol}/${port}`)),
      [
        ["UDP/53", "TCP/53"],
        ["TCP/3128", "TCP/5432"],
      ],
    );
    assert.equal(policyOf({ networkPolicy: { egress: {} } })?.egress?.length, 1, "an entry without ports is any port");
  });

  const portsOf = (spec: Partial<MlflowServerSpec>) => resolve(inputs(server(spec))).egressPorts;
  const groups = { filter: "(member=%s)", admin: "cn=a", user: "cn=u" };

  test("allows the ports of databases, artifact stores, directories, issuers, Redis and the API server", () => {
    assert.deepEqual(portsOf({}), []);
    assert.deepEqual(portsOf({ backendStore: { postgresql: { ...postgresql, port: 6432 } } }), [6432]);
    assert.deepEqual(portsOf({ authentication: { basic: { database: { postgresql } } } }), [5432]);
    assert.deepEqual(portsOf({ artifactStore: { s3: { bucket: "models" } } }), [443]);
    assert.deepEqual(
      portsOf({ artifactStore: { s3: { bucket: "models", endpointURL: "http://minio:9000" } } }),
      [9000],
    );
    const userBind = "uid=%s,dc=test";
    assert.deepEqual(portsOf({ authentication: { ldap: { url: "ldaps://ldap", userBind, groups } } }), [636]);
    assert.deepEqual(portsOf({ authentication: { oauth2Proxy: proxy } }), [5554]);
    const session = { redis: { url: "rediss://redis" } };
    assert.deepEqual(portsOf({ authentication: { oauth2Proxy: { ...proxy, session } } }), [5554, 6379]);
    assert.deepEqual(portsOf({ authentication: { kubernetes: {} } }), [443, 6443]);
  });
});
