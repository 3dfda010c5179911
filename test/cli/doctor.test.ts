import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { describe, type TestContext, test } from "node:test";
import type { MlflowServer } from "../../src/api/server.ts";
import { checks, diagnose } from "../../src/cli/doctor/checks.ts";
import type { DoctorFacts, IssuerFacts, ReferenceFacts } from "../../src/cli/doctor/facts.ts";
import { doctorText } from "../../src/cli/doctor/finding.ts";
import { selects } from "../../src/cli/doctor/namespace.ts";
import { probeEndpoint, probeIssuer } from "../../src/cli/doctor/probe.ts";
import type { Condition } from "../../src/kube/conditions.ts";
import type { Deployment, NetworkPolicy, Pod, Service } from "../../src/kube/manifests.ts";
import { localhostCertificate } from "../support/localhost-certificate.ts";

const now = new Date("2026-06-01T12:00:00Z");
const ago = (seconds: number) => new Date(now.getTime() - seconds * 1000).toISOString();
const inDays = (days: number) => new Date(now.getTime() + days * 86_400_000).toISOString();

function condition(type: string, status: Condition["status"], reason: string): Condition {
  return { type, status, reason, message: "Text.", observedGeneration: 2, lastTransitionTime: ago(600) };
}

const server = {
  apiVersion: "mlflow-operator.dev/v1alpha1",
  kind: "MlflowServer",
  metadata: { name: "mlflow", namespace: "ml", generation: 2 },
  spec: {
    version: "3.17.2",
    replicas: 1,
    authentication: { basic: {} },
    backendStore: { sqlite: {} },
    artifactStore: { persistentVolume: { size: "1Gi" } },
    networkPolicy: { from: [] },
  },
  status: {
    observedGeneration: 2,
    conditions: [condition("Ready", "True", "Ready"), condition("Stalled", "False", "NotStalled")],
    operator: "operators/mlflow-operator",
  },
} as unknown as MlflowServer;

const changed = (changes: object, status: object = {}): MlflowServer => ({
  ...server,
  spec: { ...server.spec, ...changes },
  status: { ...server.status, ...status },
});

const restricted = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ["ALL"] },
  runAsNonRoot: true,
  seccompProfile: { type: "RuntimeDefault" },
};

const deployment = (securityContext: object): Deployment => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "mlflow" },
  spec: { replicas: 1, selector: {}, template: { spec: { containers: [{ name: "mlflow", securityContext }] } } },
});

const pod = (containerStatus: object = {}): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "mlflow-1", namespace: "ml", labels: { "app.kubernetes.io/component": "server" } },
  status: {
    phase: "Running",
    containerStatuses: [
      {
        name: "mlflow",
        image: "",
        imageID: "",
        ready: true,
        restartCount: 0,
        state: { running: {} },
        ...containerStatus,
      },
    ],
  },
});

const service: Service = { apiVersion: "v1", kind: "Service", metadata: { name: "mlflow" }, spec: {} };

const slice = (ready: boolean | undefined) => ({
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: { name: "mlflow-1" },
  endpoints: [{ addresses: ["10.0.0.1"], conditions: ready === undefined ? {} : { ready } }],
});

const reference = (content: ReferenceFacts["content"], more: Partial<ReferenceFacts> = {}): ReferenceFacts => ({
  kind: "Secret",
  name: "database",
  keys: ["password"],
  path: "spec.backendStore.postgresql.credentialsSecretRef",
  optional: false,
  content,
  ...more,
});

const certificate = (validFrom: string, validTo: string) =>
  reference({ value: { keys: ["password"], certificates: [{ key: "tls.crt", subject: "CN=x", validFrom, validTo }] } });

const policy = (name: string, spec: object, labels = {}): NetworkPolicy => ({
  apiVersion: "networking.k8s.io/v1",
  kind: "NetworkPolicy",
  metadata: { name, labels },
  spec: { podSelector: {}, ...spec },
});

const quota = (hard: object, used: object) => ({
  apiVersion: "v1",
  kind: "ResourceQuota",
  metadata: { name: "quota" },
  status: { hard, used } as Record<string, Record<string, string>>,
});

const operatorLabels = { "app.kubernetes.io/name": "mlflow-operator", "app.kubernetes.io/version": "0.1.0" };

const answered = (status: number, skewSeconds = 0) => ({ value: { status, skewSeconds } });
const tls = { error: undefined, subject: "CN=x", names: "DNS:x", validFrom: ago(60), validTo: inDays(60) };

/** A server without a problem. */
const healthy: DoctorFacts = {
  server,
  namespace: "ml",
  now,
  events: { value: [] },
  pods: { value: [pod()] },
  deployment: { value: deployment(restricted) },
  service: { value: service },
  slices: { value: [slice(undefined)] },
  references: { value: [certificate(ago(60), inDays(60))] },
  quotas: { value: [quota({ pods: "10" }, { pods: "2" })] },
  namespaceObject: {
    value: {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: "ml", labels: { "pod-security.kubernetes.io/enforce": "restricted" } },
    },
  },
  policies: { value: [policy("own", { ingress: [{}] }, { "app.kubernetes.io/managed-by": "mlflow-operator" })] },
  lease: {
    value: {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { name: "mlflow-operator" },
      spec: { holderIdentity: "operator-1", renewTime: ago(2), leaseDurationSeconds: 15 },
    },
  },
  operators: { value: [{ ...deployment({}), metadata: { name: "operator", labels: operatorLabels } }] },
  endpoint: {
    url: "https://mlflow.example.com",
    addresses: { value: ["192.0.2.1"] },
    tls: { value: tls },
    health: answered(200),
    api: answered(401),
  },
  issuers: {
    value: [
      {
        issuer: "https://issuer.example.com",
        url: "https://issuer.example.com/.well-known/openid-configuration",
        path: "spec.authentication.oidc.issuer",
        document: { value: { status: 200, issuer: "https://issuer.example.com" } },
      },
    ],
  },
};

/** The checks that find a problem, with the messages. */
function problems(changes: Partial<DoctorFacts>): Record<string, string[]> {
  const found = diagnose({ ...healthy, ...changes }).map(({ check, findings }) => [
    check,
    findings.flatMap((finding) => (finding.result === "problem" ? [`${finding.object}: ${finding.message}`] : [])),
  ]);
  return Object.fromEntries(found.filter(([, messages]) => (messages?.length ?? 0) > 0));
}

const knownIssuers = healthy.issuers as { readonly value: readonly IssuerFacts[] };

const endpoint = (changes: Partial<NonNullable<DoctorFacts["endpoint"]>>) => ({
  endpoint: { ...(healthy.endpoint as NonNullable<DoctorFacts["endpoint"]>), ...changes },
});

const warning = (lastSeen: string) => ({
  apiVersion: "events.k8s.io/v1",
  kind: "Event",
  metadata: { name: "e" },
  type: "Warning",
  reason: "BackOff",
  note: "Back-off restarting",
  deprecatedLastTimestamp: lastSeen,
  regarding: { kind: "MlflowServer", name: "mlflow" },
});

describe("the checks of mlflow-operator doctor", () => {
  test("find no problem in a healthy server, and leave nothing unchecked", () => {
    const results = diagnose(healthy).flatMap(({ findings }) => findings);
    assert.deepEqual(
      results.filter(({ result }) => result !== "ok"),
      [],
    );
    assert.equal(new Set(checks.map(({ name }) => name)).size, checks.length);
  });

  const cases: readonly (readonly [what: string, changes: Partial<DoctorFacts>, check: string, message: RegExp])[] = [
    [
      "a condition",
      { server: changed({}, { conditions: [condition("Ready", "False", "SecretNotFound")] }) },
      "Conditions",
      /Ready is False \(SecretNotFound\): Text\./,
    ],
    ["an outdated status", { server: changed({}, { observedGeneration: 1 }) }, "Generation", /generation 1 .* now 2/],
    ["a warning since it is ready", { events: { value: [warning(ago(60))] } }, "Events", /BackOff: Back-off/],
    ["no Service", { service: { value: undefined } }, "Endpoints", /^Service\/mlflow: .* does not exist/],
    ["no ready endpoint", { slices: { value: [slice(false)] } }, "Endpoints", /None of 1 endpoints/],
    ["no pods", { pods: { value: [] } }, "Pods", /^Deployment\/mlflow: There are no pods; the spec requires 1/],
    [
      "no pods for artifacts",
      { server: changed({ artifactServer: { replicas: 2 } }) },
      "Pods",
      /^Deployment\/mlflow-artifacts: There are no pods; the spec requires 2/,
    ],
    [
      "a crashing container",
      {
        pods: {
          value: [
            pod({
              ready: false,
              restartCount: 4,
              state: { waiting: { reason: "CrashLoopBackOff" } },
              lastState: { terminated: { exitCode: 3 } },
            }),
          ],
        },
      },
      "Pods",
      /^Pod\/mlflow-1: CrashLooping: .* exit code 3/,
    ],
    [
      "a restart within a day",
      {
        pods: {
          value: [
            pod({
              restartCount: 1,
              lastState: { terminated: { exitCode: 137, reason: "Error", finishedAt: ago(3600) } },
            }),
          ],
        },
      },
      "Pods",
      /restarted 1 times, .* Error, exit code 137/,
    ],
    [
      "a missing Secret",
      { references: { value: [reference({ value: undefined })] } },
      "References",
      /^Secret\/database: It does not exist/,
    ],
    [
      "a missing key",
      { references: { value: [reference({ value: { keys: ["username"], certificates: [] } })] } },
      "References",
      /no key password, which spec\.backendStore/,
    ],
    [
      "an expired certificate",
      { references: { value: [certificate(ago(60), inDays(-1))] } },
      "Certificates",
      /has expired at 2026-05-31/,
    ],
    [
      "a certificate that expires soon",
      { references: { value: [certificate(ago(60), inDays(3.5))] } },
      "Certificates",
      /expires in 3 days/,
    ],
    [
      "a future certificate",
      { references: { value: [certificate(inDays(1), inDays(60))] } },
      "Certificates",
      /valid only from 2026-06-02/,
    ],
    [
      "a quota that is used up",
      { quotas: { value: [quota({ "requests.cpu": "2" }, { "requests.cpu": "2000m" })] } },
      "Quotas",
      /requests\.cpu is used up: 2000m of 2/,
    ],
    [
      "pods that violate restricted",
      { deployment: { value: deployment({ ...restricted, allowPrivilegeEscalation: true }) } },
      "Pod Security",
      /container mlflow: allowPrivilegeEscalation is not false/,
    ],
    [
      "a policy for further clients",
      { policies: { value: [policy("open", { ingress: [{}] })] } },
      "Network policies",
      /^NetworkPolicy\/open: .* in addition/,
    ],
    [
      "a policy for egress, and no ready server",
      {
        server: changed({}, { conditions: [condition("Ready", "False", "DatabaseUnreachable")] }),
        policies: { value: [policy("deny", { policyTypes: ["Egress"] })] },
      },
      "Network policies",
      /restricts their egress/,
    ],
    ["no Lease", { lease: { value: undefined } }, "Operator", /does not exist/],
    [
      "an old Lease",
      {
        lease: {
          value: {
            ...(healthy.lease as { value: object }).value,
            spec: { holderIdentity: "x", renewTime: ago(600) },
          } as never,
        },
      },
      "Operator",
      /last renewed its Lease 10m ago/,
    ],
    [
      "a pending operator upgrade",
      {
        server: changed(
          {},
          { conditions: [condition("Ready", "True", "Ready"), condition("UpgradePending", "True", "UpgradeWaiting")] },
        ),
      },
      "Operator upgrade",
      /has not changed the pods/,
    ],
    [
      "a host that does not resolve",
      endpoint({ addresses: { notRead: "x cannot be resolved: ENOTFOUND" } }),
      "Resolution",
      /cannot be resolved/,
    ],
    ["http", endpoint({ tls: undefined }), "TLS", /has no TLS/],
    [
      "a failed handshake",
      endpoint({ tls: { notRead: "The TLS handshake with x failed: reset" } }),
      "TLS",
      /handshake/,
    ],
    [
      "an untrusted certificate",
      endpoint({ tls: { value: { ...tls, error: "SELF_SIGNED_CERT_IN_CHAIN" } } }),
      "TLS",
      /SELF_SIGNED.* for DNS:x/,
    ],
    [
      "an expired certificate of the URL",
      endpoint({ tls: { value: { ...tls, validTo: inDays(-1), error: "CERT_HAS_EXPIRED" } } }),
      "TLS",
      /has expired/,
    ],
    ["an unhealthy URL", endpoint({ health: answered(503) }), "Health", /503 instead of 200/],
    ["an open API", endpoint({ api: answered(200) }), "Authentication", /200 to a client without credentials/],
    ["an API that redirects", endpoint({ api: answered(302) }), "Authentication", /302 instead of 401/],
    ["a wrong clock", endpoint({ health: answered(200, -120) }), "Clock", /120 s behind/],
    [
      "an issuer with another name",
      {
        issuers: {
          value: knownIssuers.value.map((each) => ({
            ...each,
            document: { value: { status: 200, issuer: `${each.issuer}/` } },
          })),
        },
      },
      "Issuers",
      /names the issuer https:\/\/issuer\.example\.com\/\./,
    ],
    [
      "an issuer without a document",
      {
        issuers: {
          value: knownIssuers.value.map((each) => ({
            ...each,
            document: { value: { status: 404, issuer: undefined } },
          })),
        },
      },
      "Issuers",
      /404 instead of 200/,
    ],
  ];
  for (const [what, changes, check, message] of cases)
    test(`report ${what}`, () => {
      const found = problems(changes);
      assert.match(found[check]?.join("\n") ?? JSON.stringify(found), message);
    });

  test("every check can find a problem, with object, effect and fix", () => {
    const found = new Set(cases.flatMap(([, changes]) => Object.keys(problems(changes))));
    assert.deepEqual([...found].sort(), checks.map(({ name }) => name).sort());
    for (const [, changes] of cases)
      for (const { findings } of diagnose({ ...healthy, ...changes }))
        for (const finding of findings)
          if (finding.result === "problem")
            for (const text of [finding.object, finding.message, finding.effect, finding.fix])
              assert.notEqual(text.trim(), "");
  });

  test("say for each request that was denied that it was not checked, and find no problem in it", () => {
    const denied = { notRead: "You are not allowed to" };
    const unread: Partial<DoctorFacts> = {
      events: denied,
      pods: denied,
      deployment: denied,
      service: denied,
      slices: denied,
      quotas: denied,
      namespaceObject: denied,
      policies: denied,
      lease: denied,
      operators: denied,
      references: denied,
      endpoint: undefined,
      issuers: denied,
    };
    assert.deepEqual(problems(unread), {});
    const unchecked = diagnose({ ...healthy, ...unread }).filter(({ findings }) =>
      findings.every(({ result }) => result === "notChecked"),
    );
    assert.equal(unchecked.length, checks.length - 2, "all but conditions and generation");
  });

  test("say which of the referenced objects could not be read", () => {
    const denied = { notRead: "You are not allowed to get Secret/database in namespace ml" };
    const found = diagnose({ ...healthy, references: { value: [reference(denied)] } });
    for (const check of ["References", "Certificates"])
      assert.deepEqual(found.find((each) => each.check === check)?.findings, [
        { result: "notChecked", reason: denied.notRead },
      ]);
  });

  test("report nothing that the spec or Kubernetes intends", () => {
    const intended: readonly Partial<DoctorFacts>[] = [
      { server: changed({ hibernate: true, artifactServer: {} }), pods: { value: [] }, slices: { value: [] } },
      { server: changed({ authentication: { none: {} } }), ...endpoint({ api: answered(200) }) },
      { references: { value: [reference({ value: undefined }, { optional: true })] } },
      { events: { value: [warning(ago(900))] } },
      {
        policies: {
          value: [policy("deny", { policyTypes: ["Ingress"] }), policy("egress", { policyTypes: ["Egress"] })],
        },
      },
      { quotas: { value: [quota({ "services.loadbalancers": "0" }, { "services.loadbalancers": "0" })] } },
    ];
    for (const changes of intended) assert.deepEqual(problems(changes), {});
  });

  test("print each problem with effect and fix, and count", () => {
    const text = doctorText(diagnose({ ...healthy, service: { value: undefined }, endpoint: undefined }));
    assert.match(
      text,
      /^PROBLEM {6}Endpoints +Service\/mlflow: The Service does not exist\.\n +Effect: .*\n +Fix: .*$/m,
    );
    assert.match(text, /^not checked {2}TLS +The server has no external URL/m);
    assert.match(text, /\n1 problem, 12 ok, 5 not checked\n$/);
  });

  test("match label selectors as Kubernetes does", () => {
    const labels = { app: "mlflow" };
    assert.ok(selects({}, labels));
    assert.ok(!selects({ matchLabels: { app: "other" } }, labels));
    for (const [operator, values, isMatch] of [
      ["In", ["mlflow"], true],
      ["NotIn", ["mlflow"], false],
      ["Exists", [], true],
      ["DoesNotExist", [], false],
    ] as const)
      assert.equal(selects({ matchExpressions: [{ key: "app", operator, values: [...values] }] }, labels), isMatch);
    assert.ok(selects({ matchExpressions: [{ key: "absent", operator: "NotIn", values: ["x"] }] }, labels));
  });
});

async function listening(context: TestContext, isTls: boolean, answer: RequestListener): Promise<number> {
  const listener = isTls ? createTlsServer(localhostCertificate, answer) : createServer(answer);
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  context.after(() => {
    listener.close();
    listener.closeAllConnections();
  });
  return (listener.address() as AddressInfo).port;
}

describe("the requests of mlflow-operator doctor", () => {
  const options = { ca: [localhostCertificate.cert], seconds: 20, now: () => new Date() };

  test("check certificate, health and API below the prefix, and send no credentials", async (context) => {
    const requests: { readonly url: string | undefined; readonly headers: string[] }[] = [];
    const port = await listening(context, true, ({ url, headers }, response) => {
      requests.push({ url, headers: Object.keys(headers) });
      response
        .writeHead(url === "/team/health" ? 200 : 401, { date: new Date(Date.now() - 600_000).toUTCString() })
        .end();
    });
    const found = await probeEndpoint(`https://localhost:${port}/team`, options);
    assert.ok(found.tls !== undefined && "value" in found.tls, JSON.stringify(found));
    assert.deepEqual([found.tls.value.error, found.tls.value.names], [undefined, "DNS:localhost"]);
    assert.ok("value" in found.health && "value" in found.api);
    assert.deepEqual([found.health.value.status, found.api.value.status], [200, 401]);
    assert.ok(Math.abs((found.health.value.skewSeconds ?? 0) + 600) < 60, JSON.stringify(found.health));
    for (const { headers } of requests)
      assert.ok(!headers.includes("authorization") && !headers.includes("cookie"), headers.join());
    const untrusted = await probeEndpoint(`https://localhost:${port}/team`, { ...options, ca: [] });
    assert.ok(untrusted.tls !== undefined && "value" in untrusted.tls);
    assert.match(untrusted.tls.value.error ?? "", /SELF_SIGNED/);
    const otherName = await probeEndpoint(`https://127.0.0.1:${port}/team`, options);
    assert.ok(otherName.tls !== undefined && "value" in otherName.tls);
    assert.match(otherName.tls.value.error ?? "", /ALTNAME|altnames/);
  });

  test("end at their time limit, and name an address that refuses connections", async (context) => {
    const silent = await listening(context, false, () => {});
    const { health } = await probeEndpoint(`http://127.0.0.1:${silent}`, { ...options, seconds: 0.2 });
    assert.ok("notRead" in health);
    assert.match(health.notRead, /no answer within 0\.2 seconds|aborted/);
    const closed = await probeEndpoint("http://127.0.0.1:1", options);
    assert.ok("notRead" in closed.health && /ECONNREFUSED/.test(closed.health.notRead), JSON.stringify(closed));
  });

  test("read the issuer of a discovery document, and verify its certificate", async (context) => {
    const port = await listening(context, true, (_request, response) =>
      response.end(JSON.stringify({ issuer: "https://issuer.example.com" })),
    );
    const issuer = { issuer: "https://issuer.example.com", url: `https://localhost:${port}/`, path: "spec" };
    const { document } = await probeIssuer(issuer, options);
    assert.deepEqual(document, { value: { status: 200, issuer: "https://issuer.example.com" } });
    const untrusted = await probeIssuer(issuer, { ...options, ca: [] });
    assert.ok("notRead" in untrusted.document && /self-signed/.test(untrusted.document.notRead));
  });
});
