import assert from "node:assert/strict";
import { test } from "node:test";
import { installGateway } from "../cluster/gateway/install-gateway.ts";
import { raw } from "../oauth2-proxy/raw.ts";
import { condition } from "../support/operator-fixture.ts";
import { testedVersion } from "./live-cluster.ts";
import { adminOf, liveFixture } from "./live-fixture.ts";
import { waitUntil } from "./wait-until.ts";

const name = "exposed";
const prefix = "/clusters/c1/exposed";
const [byIngress, byRoute] = ["ingress.example.com", "route.example.com"];
const search = "/api/2.0/mlflow/experiments/search?max_results=1";

test("a server exposed with an Ingress and an HTTPRoute", {
  timeout: 1_200_000,
}, async (context) => {
  const fixture = await liveFixture(context);
  const gateway = await installGateway(fixture.cluster, () => {});
  const httpRoute = { parentRefs: [{ name: gateway.name, namespace: gateway.namespace }], hostnames: [byRoute] };
  const spec = {
    version: testedVersion,
    backendStore: { sqlite: {} },
    artifactStore: { persistentVolume: {} },
    authentication: { basic: {} },
    exposure: { externalURL: `http://${byIngress}${prefix}`, ingress: { className: "contour" }, httpRoute },
  };
  const apply = async (exposure: object | undefined) => {
    const { exposure: _, ...rest } = spec;
    await fixture.apply({ metadata: { name }, spec: { ...rest, ...(exposure && { exposure }) } });
    await fixture.ready(name);
  };
  const call = (host: string, path: string, lines: readonly string[] = [], method = "GET", body?: string) =>
    raw(80, method, path, lines, { host: gateway.address, name: host, ...(body !== undefined && { body }) });
  const answers = (host: string, path: string, status: number, lines: readonly string[] = []) =>
    waitUntil(async () => assert.equal((await call(host, path, lines)).status, status, `${host}${path}`), 60);
  await apply(spec.exposure);
  const { username, password } = await adminOf(fixture.objects, name);
  const login = [`Authorization: Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`];

  await context.test("is reachable at both hosts below the prefix only, with a credential", async () => {
    for (const host of [byIngress, byRoute]) {
      await answers(host, `${prefix}${search}`, 401);
      await answers(host, `${prefix}${search}`, 200, login);
      assert.equal((await call(host, search, login)).status, 404);
      assert.equal((await call(host, `${prefix}x${search}`, login)).status, 404);
    }
    assert.equal((await call("other.example.com", `${prefix}${search}`, login)).status, 404);
  });

  await context.test("allows writes from the pages of both hosts, and denies other origins", async () => {
    for (const host of [byIngress, byRoute])
      for (const [origin, status] of [
        [`http://${byIngress}`, 200],
        [`http://${byRoute}`, 200],
        ["http://evil.example.com", 403],
      ] as const) {
        const body = JSON.stringify({ name: `${host} ${origin}` });
        const path = `${prefix}/ajax-api/2.0/mlflow/experiments/create`;
        const answer = await call(host, path, [...login, `Origin: ${origin}`], "POST", body);
        assert.equal(answer.status, status, `${host} from ${origin}: ${answer.body}`);
      }
  });

  await context.test(
    "the real controller accepts the HTTPRoute; the status reports that the Ingress has no address",
    async () => {
      const server = await fixture.reason(name, "Exposed", "IngressWithoutAddress");
      assert.equal(condition(server, "Exposed").status, "Unknown");
      await apply({ externalURL: `http://${byRoute}${prefix}`, httpRoute });
      await fixture.reason(name, "Exposed", "Exposed");
      await answers(byIngress, `${prefix}${search}`, 404, login);
      await answers(byRoute, `${prefix}${search}`, 200, login);
    },
  );

  await context.test("reports a Gateway without the listener", async () => {
    const [parent] = httpRoute.parentRefs;
    const parentRefs = [{ ...parent, sectionName: "https" }];
    await apply({ externalURL: `http://${byRoute}${prefix}`, httpRoute: { ...httpRoute, parentRefs } });
    // Before the controller has checked the changed route, the reason is the same.
    await waitUntil(async () => {
      const { message } = condition(await fixture.reason(name, "Exposed", "RouteNotAccepted"), "Exposed");
      assert.match(
        message,
        /Gateway gateway in namespace projectcontour does not accept HTTPRoute\/exposed \(NoMatchingParent/,
      );
    }, 60);
  });

  await context.test("an Ingress exposes only its paths", async () => {
    // One path only: without an https listener of its Gateway, Contour uses only the first path of a host.
    const hosts = [{ host: byIngress, paths: ["/health"] }];
    await apply({ externalURL: `http://${byIngress}${prefix}`, ingress: { className: "contour", hosts } });
    await answers(byIngress, `${prefix}/health`, 200);
    await answers(byIngress, `${prefix}${search}`, 404, login);
    await answers(byRoute, `${prefix}${search}`, 404, login);
  });

  await context.test("nothing is exposed without exposure", async () => {
    await apply(undefined);
    // Without any route Contour configures Envoy to accept no connection.
    for (const host of [byIngress, byRoute])
      await waitUntil(async () => {
        const answer = await call(host, `${prefix}/health`).catch(() => undefined);
        assert.ok(answer === undefined || answer.status === 404, host);
      }, 60);
    await waitUntil(async () => {
      assert.deepEqual(await fixture.objects.list("Ingress"), []);
      assert.deepEqual(await fixture.objects.list("HTTPRoute"), []);
    }, 60);
  });
});
