import assert from "node:assert/strict";
import { test } from "node:test";
import { listenerUrl, port, tracesPort } from "../../src/model/names.ts";
import { plain } from "../envoy/trace-paths.ts";
import { waitUntil } from "../live/wait-until.ts";
import { condition } from "../support/operator-fixture.ts";
import { inAmbient, withSidecar } from "./caller.ts";
import { all, each, meshFixture, others, toTraces } from "./mesh-fixture.ts";

test("traces only from their writers, in a mesh of sidecars", { timeout: 1_200_000 }, async (context) => {
  const fixture = await meshFixture(context);
  const { name, agents, elsewhere, writers, objects } = fixture;
  const mesh = { istio: { mode: "Sidecar" } };
  await fixture.serve({ mesh, traces: { writers } });
  const [writer, colleague, stranger, outsider, ambient] = await Promise.all([
    fixture.caller(agents, "collector", withSidecar),
    fixture.caller(agents, "colleague", withSidecar),
    fixture.caller(elsewhere, "collector", withSidecar),
    fixture.caller(elsewhere, "outsider"),
    fixture.caller(elsewhere, "ambient", inAmbient),
  ]);
  const strangers = Object.entries({ colleague, stranger, outsider, ambient });
  await fixture.ready(name);
  const trace = await fixture.spanWithCredential();

  await context.test("a server gets its sidecar, in a namespace with Pod Security restricted", async () => {
    const server = await fixture.enforced();
    assert.match(condition(server, "MeshReady").message, new RegExp(`${agents}/collector can write traces`));
    // Each sidecar receives the configuration of the server separately.
    for (const [who, { ask }] of [["writer", writer] as const, ...strangers])
      await waitUntil(async () => assert.deepEqual(await ask(each(["GET"], ["/health"])), ["200"], who), 180);
  });

  await context.test("only the writer reaches MLflow, in every encoding of the path", async () => {
    const refused = all(toTraces.length, "refused");
    await waitUntil(async () => {
      assert.deepEqual(await writer.ask(toTraces), [...all(plain.length, "401"), ...refused.slice(plain.length)]);
    }, 180);
    for (const [who, { ask }] of strangers) assert.deepEqual(await ask(toTraces), refused, who);
  });

  await context.test("with MLflow's credential only the writer's identity can write", async () => {
    assert.deepEqual(await writer.ask([trace]), ["200"]);
    for (const [who, { ask }] of strangers) assert.deepEqual(await ask([trace]), ["refused"], who);
  });

  await context.test("the mesh allows all other paths to all clients", async () => {
    for (const [who, { ask }] of [["writer", writer] as const, ...strangers])
      assert.deepEqual(await ask(each(["GET"], others)), ["200", "401", "401"], who);
  });

  await context.test("the address of a pod and another Service do not bypass the mesh", async () => {
    const { selector = {} } = (await objects.the("Service", name)).spec;
    await objects.create("Service", { metadata: { name: "bare" }, spec: { selector, ports: [{ port }] } });
    await objects.create("Service", {
      metadata: { name: "headless" },
      spec: { selector, ports: [{ port }], clusterIP: "None" },
    });
    const [pod] = await fixture.pods(name);
    const hosts = [pod?.status?.podIP ?? "", `bare.${fixture.namespace}`, `headless.${fixture.namespace}`];
    const asked = await Promise.all(hosts.map((host) => fixture.spanWithCredential({ host })));
    await waitUntil(async () => {
      for (const [who, { ask }] of strangers) assert.deepEqual(await ask(asked), all(asked.length, "refused"), who);
    }, 180);
    for (const service of ["bare", "headless"]) await objects.remove("Service", service);
    await fixture.enforced();
  });

  await context.test("with identity Mesh writers need no credential, and the listener denies all others", async () => {
    const server = await fixture.serve({ mesh, traces: { identity: "Mesh", writers } });
    await fixture.enforced();
    const asked = [fixture.span({ host: new URL(listenerUrl(server)).hostname, port: tracesPort })];
    await waitUntil(async () => assert.deepEqual(await writer.ask(asked), ["200"]), 180);
    for (const [who, { ask }] of strangers) assert.match((await ask(asked))[0] ?? "", /^(none|503|refused)$/, who);
  });

  await context.test("a sidecar recognizes a writer in ambient mode", async () => {
    const both = [...writers, { namespace: elsewhere, serviceAccount: "ambient" }];
    await fixture.serve({ mesh, traces: { writers: both } });
    await fixture.enforced();
    await waitUntil(async () => assert.deepEqual(await ambient.ask([trace]), ["200"]), 180);
    assert.deepEqual(await outsider.ask([trace]), ["refused"]);
    await fixture.serve({ mesh, traces: { writers } });
    await fixture.enforced();
    await waitUntil(async () => assert.deepEqual(await ambient.ask([trace]), ["refused"]), 180);
  });

  await context.test("a change to ambient mode denies no writer, and allows no other client", async () => {
    await fixture.serve({ mesh: { istio: { mode: "Ambient" } }, traces: { writers } });
    await fixture.enforced();
    await waitUntil(async () => {
      assert.deepEqual(await ambient.ask([...each(["GET"], others), trace]), ["200", "401", "401", "refused"]);
    }, 180);
    // A sidecar does not use the waypoint, and the deny-bypass policy denies it.
    for (const caller of [writer, colleague, stranger])
      for (const outcome of await caller.ask([trace])) assert.match(outcome, /^(none|503)$/);
  });
});
