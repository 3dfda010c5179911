import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { Agent, type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { loadAll } from "js-yaml";
import { annotation } from "../../src/kube/names.ts";
import { port } from "../../src/model/names.ts";
import { serverContainer } from "../../src/resources/deployment.ts";
import { auditLog } from "../support/audit-log.ts";
import type { Draft } from "../support/objects.ts";
import { condition } from "../support/operator-fixture.ts";
import { addressOf, type LiveFixture, liveFixture, timeoutSeconds } from "./live-fixture.ts";
import { loopbackStatuses } from "./loopback.ts";
import { operatorShare, startOf } from "./operator-share.ts";
import { type Route, routesIn, routesProgram } from "./routes.ts";
import { assertKept, logRun } from "./tracked-run.ts";
import { waitUntil } from "./wait-until.ts";

const name = "mlflow-quick-start";
const search = "/api/2.0/mlflow/experiments/search?max_results=1";

/** Public paths: health, version, and the files of the user interface. */
const isPublic = ({ path }: Route) =>
  path === "/health" || /^\/(ajax-)?api\/3\.0\/mlflow\/server-info$/.test(path) || path.startsWith("/static-files/");

test("the quick start example, on a real node", { timeout: 1_500_000 }, async (context) => {
  const fixture = await liveFixture(context);
  const mark = await auditLog(fixture.cluster).mark();
  await fixture.apply(await exampleOf("sqlite-quick-start.yaml"));
  await fixture.ready(name);
  const start = await startOf(fixture, mark);
  const admin = await fixture.asAdmin(name);
  const anonymous = await fixture.asAnonymous(name);

  await context.test("starts after the migration, each step immediately after its dependency", () => {
    const steps = [start.applied, start.jobCreated, start.jobEnded, start.deploymentCreated, start.deploymentReady];
    const times = [...steps, start.reported].map(({ time }) => time.getTime());
    assert.deepEqual(
      times,
      times.toSorted((a, b) => a - b),
    );
    // Not asserted: on a busy machine the result depends on the machine.
    const { parts, sum } = operatorShare(start);
    const list = Object.entries(parts).map(([part, milliseconds]) => `${part} ${milliseconds} ms`);
    context.diagnostic(`the operator's share of the start: ${sum} ms (${list.join(", ")})`);
  });

  await context.test("answers 401 without a valid credential, and accepts the administrator", async () => {
    assert.equal((await anonymous.call("GET", search)).status, 401);
    const wrong = anonymous.as({ login: { username: "admin", password: "password1234" } });
    assert.equal((await wrong.call("GET", search)).status, 401);
    assert.equal((await admin.call("GET", search)).status, 200);
    assert.equal((await anonymous.call("GET", "/health")).status, 200);
  });

  await context.test("rejects a Host header with another name, and accepts every name of the Service", async () => {
    const own = [name, `${name}.${fixture.namespace}`, `${name}.${fixture.namespace}.svc`];
    for (const host of [...own, `${name}.${fixture.namespace}.svc.cluster.local`, "localhost"])
      for (const suffix of ["", ":5000"])
        assert.equal((await anonymous.call("GET", search, { headers: { host: host + suffix } })).status, 401, host);
    for (const host of ["evil.example.com", `${name}.evil.example.com`, "10.0.0.1"]) {
      assert.equal((await anonymous.call("GET", search, { headers: { host } })).status, 401, host);
      assert.equal((await admin.call("GET", search, { headers: { host } })).status, 403, host);
    }
  });

  await context.test("listens on addresses of both IP families", async () => {
    const [pod] = await fixture.pods(name);
    assert.deepEqual(await loopbackStatuses(fixture, pod?.metadata.name, port, "/health"), [200, 200]);
  });

  await context.test("rejects a write from a page of another origin", async () => {
    const headers = { origin: "https://evil.example.com" };
    const body = { name: "of another origin" };
    const answer = await admin.call("POST", "/api/2.0/mlflow/experiments/create", { body, headers });
    assert.equal(answer.status, 403, answer.body);
  });

  await context.test(
    "reports within a minute that the server answers without authentication, and that it is secured again",
    async () => {
      const secured = await fixture.reason(name, "EndpointSecured", "Secured");
      assert.equal(condition(secured, "EndpointSecured").status, "True");
      // The operator would repair the Deployment at once.
      await pause(fixture, true);
      await fixture.reason(name, "Paused", "Paused");
      const { spec } = await fixture.objects.the("Deployment", name);
      const containers = spec.template.spec?.containers ?? [];
      const args = containers.find((each) => each.name === serverContainer)?.args ?? [];
      const [option, application, ...rest] = args;
      assert.deepEqual([option, application], ["--app-name", "basic-auth"]);
      const changed = containers.map((each) => (each.name === serverContainer ? { ...each, args: rest } : each));
      await fixture.objects.patch("Deployment", name, { spec: { template: { spec: { containers: changed } } } });
      const open = await waitUntil(async () => {
        assert.equal((await anonymous.call("GET", search)).status, 200);
        return Date.now();
      }, timeoutSeconds);
      const reported = await fixture.reason(name, "EndpointSecured", "EndpointOpen");
      const { status, message, lastTransitionTime } = condition(reported, "EndpointSecured");
      assert.equal(status, "False");
      assert.match(message, /answered GET .* without a credential with 200/);
      // Times of conditions are in whole seconds.
      const seconds = (Date.parse(lastTransitionTime) - open) / 1000;
      context.diagnostic(`reported after ${seconds.toFixed(1)} s`);
      assert.ok(seconds < 60, `${seconds}`);
      assert.equal(condition(reported, "Ready").status, "False", "the Deployment is not that of the spec");
      await pause(fixture, false);
      await fixture.reason(name, "EndpointSecured", "Secured");
      await fixture.ready(name);
      assert.equal((await anonymous.call("GET", search)).status, 401);
    },
  );

  await context.test("keeps connections longer than uvicorn's default of five seconds", async () => {
    const agent = new Agent({ keepAlive: true });
    const where = { agent, host: await addressOf(fixture.objects, name), port, path: "/health" };
    const asked = async () => {
      const outgoing = request(where).end();
      const [answer]: IncomingMessage[] = await once(outgoing, "response");
      assert.ok(answer !== undefined);
      await once(answer.resume(), "end");
      return [answer.statusCode, outgoing.reusedSocket];
    };
    assert.deepEqual(await asked(), [200, false]);
    await sleep(7_000);
    assert.deepEqual(await asked(), [200, true]);
    agent.destroy();
  });

  await context.test("stores a run and its artifact", async () => assertKept(admin, await logRun(admin)));

  await context.test("every route except public ones answers 401 without a credential", async () => {
    const [pod] = await fixture.pods(name);
    assert.ok(pod !== undefined);
    const { fastapi, routes } = routesIn(await fixture.inPod(pod.metadata.name, ["python", "-c", routesProgram]));
    assert.ok(fastapi > 20 && routes.length > 300, `only ${fastapi} and ${routes.length} routes have been found`);
    const open: string[] = [];
    await inParallel(routes, 4, async (route) => {
      const { status } = await anonymous.call(route.method, route.path);
      if (status !== 401 && !isPublic(route)) open.push(`${route.method} ${route.path}: ${status}`);
    });
    assert.deepEqual(open.sort(), []);
    context.diagnostic(`${routes.length} methods of routes, ${routes.filter(isPublic).length} of them public`);

    // The Assistant runs programs on the server, so it is closed for administrators as well.
    const base = "/ajax-api/3.0/mlflow/assistant";
    const assistant = routes.filter((route) => route.path.startsWith(`${base}/`));
    assert.ok(assistant.length > 5, `the Assistant has only ${assistant.length} routes`);
    const answers = assistant.map(async ({ method, path }) => {
      const { status } = await admin.call(method, path, { body: {} });
      return status === 404 ? [] : [`${method} ${path}: ${status}`];
    });
    assert.deepEqual((await Promise.all(answers)).flat(), []);
  });
});

/** Sets or removes the annotation with which the operator changes nothing for the server. */
function pause(fixture: LiveFixture, isPaused: boolean) {
  return fixture.objects.patch("MlflowServer", name, {
    metadata: { annotations: { [annotation.paused]: isPaused ? "true" : null } },
  });
}

async function exampleOf(file: string): Promise<Draft> {
  const documents = loadAll(await readFile(join(import.meta.dirname, "../../examples", file), "utf8"));
  const found = documents.find(isServer);
  assert.ok(found !== undefined, `${file} has no MlflowServer`);
  return found;
}

function isServer(document: unknown): document is Draft {
  return typeof document === "object" && document !== null && "kind" in document && document.kind === "MlflowServer";
}

async function inParallel<T>(items: readonly T[], lanes: number, work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const lane = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}
