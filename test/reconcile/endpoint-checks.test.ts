import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MlflowServerSpec } from "../../src/api/spec.ts";
import type { Pod, Service } from "../../src/kube/manifests.ts";
import { label } from "../../src/kube/names.ts";
import {
  checkRequest,
  type EndpointChecks,
  portRequest,
  portVerdict,
  roundResults,
  type ServingCheck,
  selectedChecks,
  verdictOf,
} from "../../src/reconcile/endpoint-checks.ts";
import type { ProbeAnswer } from "../../src/reconcile/probe.ts";
import { serverEndpoints } from "../../src/reconcile/server-endpoints.ts";
import { server } from "../support/fixtures.ts";

type Authentication = MlflowServerSpec["authentication"];

const issuer = "https://idp.example.com";
const proxied = { issuerURL: issuer, clientID: "mlflow" };
const clientSecretRef = { name: "client", key: "secret" };
const methods: Readonly<Record<keyof Authentication, Authentication>> = {
  basic: { basic: {} },
  ldap: {
    ldap: {
      url: "ldaps://ldap.example.com/dc=test",
      userBind: "uid=%s,dc=test",
      groups: { filter: "(member=%s)", admin: "cn=a,dc=test", user: "cn=u,dc=test" },
    },
  },
  oidc: {
    oidc: {
      discoveryURL: `${issuer}/.well-known/openid-configuration`,
      clientID: "mlflow",
      clientSecretRef,
      userGroup: "users",
      adminGroup: "admins",
    },
  },
  kubernetes: { kubernetes: {} },
  oauth2Proxy: { oauth2Proxy: { ...proxied, clientSecretRef, authorization: { allAuthenticatedUsers: {} } } },
  none: { none: {} },
};

const podIP = "10.0.0.7";

function pod(containers: NonNullable<Pod["spec"]>["containers"], more: Partial<Pod["metadata"]> = {}): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: "demo-1",
      namespace: "team-a",
      labels: { [label.server]: "demo", [label.component]: "server" },
      ...more,
    },
    spec: { containers },
    status: { podIP, conditions: [{ type: "Ready", status: "True" }] },
  };
}

const mlflow = { name: "mlflow", ports: [{ name: "http", containerPort: 5000 }] };
const behindProxy = [{ name: "mlflow" }, { name: "oauth2-proxy", ports: [{ name: "http", containerPort: 4180 }] }];
const service: Service = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "demo", namespace: "team-a" },
  spec: { clusterIP: "10.96.0.1" },
};

function checksOf(authentication: Authentication, spec: Partial<MlflowServerSpec> = {}): EndpointChecks {
  const containers = authentication.oauth2Proxy === undefined ? [mlflow] : behindProxy;
  const found = serverEndpoints(server({ authentication, ...spec }), [service, pod(containers)]);
  assert.ok(found !== undefined);
  return found;
}

const all = (checks: EndpointChecks) =>
  selectedChecks(checks, { isChosen: true, isRare: true, isRepeated: () => false });

const response = (status: number, more: Partial<Extract<ProbeAnswer, { kind: "response" }>> = {}): ProbeAnswer => ({
  kind: "response",
  status,
  contentType: "application/json",
  location: "",
  text: "{}",
  ...more,
});
const html = { contentType: "text/html", text: "<html>" };
const toIssuer = `${issuer}/authorize?response_type=code&client_id=mlflow&state=x`;

/** Every kind of answer, with the verdict for a protected request of a program, and of a browser with a login. */
const answers: Readonly<Record<string, readonly [ProbeAnswer, string, string?]>> = {
  "401 in JSON": [response(401), "expected"],
  "401 in JSON with a charset": [response(401, { contentType: "Application/JSON; charset=utf-8" }), "expected"],
  "403 in JSON": [response(403), "expected"],
  "403 as a page": [response(403, html), "expected"],
  "200 in JSON": [response(200), "open"],
  "200 as a page": [response(200, html), "open"],
  "201": [response(201), "open"],
  "204": [response(204, { contentType: "", text: "" }), "open"],
  "206": [response(206), "open"],
  "400, after authentication": [response(400), "open"],
  "404, after authentication": [response(404), "open"],
  "405": [response(405), "open"],
  "415": [response(415), "open"],
  "422, after authentication": [response(422), "open"],
  "302 to content": [response(302, { location: "/content" }), "unexpected"],
  "302 to a page of the server with the name of the login": [response(302, { location: "/loginx" }), "unexpected"],
  "302 to another host": [response(302, { location: "https://evil.example.com/?client_id=other" }), "unexpected"],
  "302 without a target": [response(302), "unexpected"],
  "307 to a malformed target": [response(307, { location: "http://[" }), "unexpected"],
  "302 to the login of the issuer": [response(302, { location: toIssuer }), "unexpected", "oauth2Proxy"],
  "302 to the login of the proxy": [response(302, { location: "/oauth2/start?rd=%2F" }), "unexpected", "oauth2Proxy"],
  "302 to the login of the plugin": [response(302, { location: "./login?next=%2F" }), "unexpected", "oidc"],
  "302 to the page of the plugin": [response(302, { location: "/oidc/ui" }), "unexpected", "oidc"],
  "408": [response(408), "failed"],
  "429": [response(429), "failed"],
  "500": [response(500), "failed"],
  "502": [response(502, html), "failed"],
  "503": [response(503), "failed"],
  "http at a port for https": [
    response(400, { contentType: "text/plain", text: "Client sent an HTTP request to an HTTPS server.\n" }),
    "failed",
  ],
  "no response": [{ kind: "unanswered", why: "no response within 5 s" }, "failed"],
  "a closed connection": [{ kind: "closed" }, "failed"],
  "a closed port": [{ kind: "refused" }, "failed"],
  "something else than HTTP": [{ kind: "notHttp" }, "failed"],
};

/** The verdict for a check of a method, by the table above. */
function expectedVerdict(method: string, check: ServingCheck, name: string): string {
  const [answer, verdict, loginOf] = answers[name] ?? assert.fail(name);
  const status = answer.kind === "response" ? answer.status : 0;
  if (check.id === "public") return status === 200 ? "expected" : "failed";
  if (check.id === "assistant" && status === 404) return "expected";
  if (check.id === "page" && loginOf === method) return "expected";
  // Of the plugin for Kubernetes, without a workspace.
  if (check.id === "accessToken" && ["400, after authentication", "404, after authentication"].includes(name))
    return "expected";
  return verdict;
}

for (const [method, authentication] of Object.entries(methods))
  describe(`a server with the authentication method ${method}`, () => {
    const checks = checksOf(authentication);

    test("gets the checks that it must pass", () => {
      const protectedChecks = ["credential", "page", "identityHeaders", "accessToken", "traces"];
      const passwords = method === "basic" ? ["password:password", "password:password1234"] : [];
      assert.deepEqual(
        all(checks).map(({ id }) => id),
        method === "none" ? ["assistant", "public"] : [...protectedChecks, "assistant", ...passwords, "public"],
      );
      const path = all(checks).at(-1)?.path;
      assert.equal(path, method === "oauth2Proxy" ? "/ping" : "/health");
    });

    for (const check of all(checks))
      test(`has a verdict for each answer to the check ${check.id}`, () => {
        const request = checkRequest(checks, checks.pods[0]?.endpoint ?? assert.fail(), check);
        for (const [name, [answer]] of Object.entries(answers)) {
          const verdict = verdictOf(check, request, answer, checks);
          assert.equal(verdict.result, expectedVerdict(method, check, name), name);
          if (verdict.result === "expected") continue;
          assert.match(verdict.text, new RegExp(`^pod demo-1 \\(${podIP}:\\d+\\) (answered|did not answer) `));
          assert.ok(!verdict.text.includes("state=") && verdict.text.length < 250, verdict.text);
        }
        const denial = response(403, { contentType: "text/plain", text: "RBAC: access denied" });
        for (const answer of [denial, { kind: "closed" } as const]) {
          const inMesh = { ...checks, isInMesh: true };
          assert.equal(verdictOf(check, request, answer, inMesh).result, "expected", "the mesh denies it");
        }
      });

    test("counts 401 that programs cannot read only where they send requests", () => {
      const results = all(checks).map((check) => {
        const request = checkRequest(checks, checks.pods[0]?.endpoint ?? assert.fail(), check);
        return [check.id, verdictOf(check, request, response(401, html), checks).result] as const;
      });
      for (const [id, result] of results)
        assert.equal(result, id === "credential" ? "unexpected" : id === "public" ? "failed" : "expected", id);
    });

    test("is probed at its Service and pod, by the name of the Service", () => {
      assert.deepEqual(checks.services[0]?.endpoint, { what: "Service/demo", host: "10.96.0.1", port: 5000 });
      const serving = method === "oauth2Proxy" ? 4180 : 5000;
      assert.deepEqual(checks.pods, [
        {
          endpoint: { what: "pod demo-1", host: podIP, port: serving },
          otherPorts: serving === 5000 ? [] : [{ number: 5000, isOfMlflow: true }],
        },
      ]);
      for (const check of all(checks)) {
        const { headers, scheme } = checkRequest(checks, checks.pods[0]?.endpoint ?? assert.fail(), check);
        assert.deepEqual([headers?.["host"], scheme], ["demo.team-a.svc:5000", "http"]);
      }
      const tls = checksOf(authentication, { server: { tls: { certificateSecretRef: { name: "tls" } } } });
      assert.equal(tls.scheme, "https");
    });
  });

test("one pod of a round gets all checks, the others the most important one, and each one that was not as expected", () => {
  const checks = checksOf(methods.basic);
  const ids = (selection: Partial<Parameters<typeof selectedChecks>[1]>) =>
    selectedChecks(checks, { isChosen: false, isRare: false, isRepeated: () => false, ...selection }).map(
      ({ id }) => id,
    );
  assert.deepEqual(ids({}), ["credential"]);
  assert.deepEqual(ids({ isRepeated: (id) => id === "traces" }), ["credential", "traces"]);
  for (const costly of ["accessToken", "password:password"]) {
    assert.ok(!ids({ isChosen: true }).includes(costly));
    assert.ok(ids({ isChosen: true, isRare: true }).includes(costly));
  }
});

describe("the port of a pod that must not serve MLflow", () => {
  const checks = checksOf(methods.oauth2Proxy);
  const request = portRequest(checks, { what: "pod demo-1", host: podIP, port: 4180 }, 5000);
  const verdict = (answer: ProbeAnswer, of: { isOfMlflow?: boolean; isInMesh?: boolean; isReached?: boolean } = {}) =>
    portVerdict({ number: 5000, isOfMlflow: of.isOfMlflow ?? true }, request, answer, {
      isInMesh: of.isInMesh ?? false,
      isReached: of.isReached ?? true,
    }).result;

  test("is closed if nothing listens, or a network policy drops packets of a pod that answers at its own port", () => {
    assert.equal(verdict({ kind: "refused" }), "expected");
    assert.equal(verdict({ kind: "unanswered", why: "no response" }), "expected");
    assert.equal(verdict({ kind: "unanswered", why: "no response" }, { isReached: false }), "failed");
  });

  test("is open if MLflow answers, whatever it answers", () => {
    for (const status of [200, 401, 403, 404, 500]) assert.equal(verdict(response(status)), "open");
    const denial = response(403, { text: "RBAC: access denied" });
    assert.equal(verdict(denial), "open", "no mesh");
    assert.equal(verdict(denial, { isInMesh: true }), "expected");
  });

  test("of another container is open only if MLflow's API answers there without a credential", () => {
    const isOfMlflow = false;
    assert.equal(verdict(response(200, { text: '{"experiment": {"name": "Default"' }), { isOfMlflow }), "open");
    assert.equal(verdict(response(404, { text: '{"error_code": "RESOURCE_DOES_NOT_EXIST"' }), { isOfMlflow }), "open");
    assert.equal(verdict(response(401, { text: '{"error_code": "UNAUTHENTICATED"' }), { isOfMlflow }), "expected");
    assert.equal(verdict(response(200, { ...html, text: "metrics" }), { isOfMlflow }), "expected");
    assert.equal(verdict(response(404), { isOfMlflow }), "expected");
  });
});

describe("the endpoints of a server", () => {
  const owned = (...pods: readonly Pod[]) => serverEndpoints(server(), [service, ...pods]);

  test("are ready pods only, and none without them", () => {
    assert.equal(owned(), undefined);
    assert.equal(owned({ ...pod([mlflow]), status: { podIP } }), undefined);
    assert.equal(owned(pod([mlflow], { deletionTimestamp: "2026-01-01T00:00:00Z" })), undefined);
    const { podIP: _, ...rest } = pod([mlflow]).status ?? {};
    assert.equal(owned({ ...pod([mlflow]), status: rest }), undefined);
  });

  test("are at most four pods", () => {
    const many = Array.from({ length: 9 }, (_, index) => pod([mlflow], { name: `demo-${index}` }));
    assert.deepEqual(
      owned(...many)?.pods.map(({ endpoint }) => endpoint.what),
      ["pod demo-0", "pod demo-1", "pod demo-2", "pod demo-3"],
    );
  });

  test("follow the pod, which can be of an earlier spec or have further ports", () => {
    const [ofProxy] = owned(pod(behindProxy))?.pods ?? [];
    assert.deepEqual([ofProxy?.endpoint.port, ofProxy?.otherPorts], [4180, [{ number: 5000, isOfMlflow: true }]]);
    const ports = [7, 8000, 8000, 8001, 8002, 8003, 8004].map((containerPort) => ({
      containerPort,
      protocol: containerPort === 7 ? "UDP" : "TCP",
    }));
    const [more] = owned(pod([mlflow, { name: "injected", ports }]))?.pods ?? [];
    assert.deepEqual(
      more?.otherPorts.map(({ number }) => number),
      [8000, 8001, 8002, 8003],
    );
  });
});

test("a round keeps the verdicts of requests that it did not send, unless their pod is gone or the spec has changed", () => {
  const checks = checksOf(methods.basic);
  const expected = { result: "expected" } as const;
  const id = `pod demo-1 ${podIP} 5000 `;
  const before = { generation: 1, verdicts: { [`${id}traces`]: expected, "pod gone 10.0.0.8 5000 traces": expected } };
  const found = { [`${id}credential`]: expected };
  assert.deepEqual(Object.keys(roundResults(checks, found, before).verdicts), [`${id}credential`, `${id}traces`]);
  assert.deepEqual(roundResults({ ...checks, generation: 2 }, found, before), { generation: 2, verdicts: found });
});
