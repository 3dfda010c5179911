import assert from "node:assert/strict";
import { after, before, describe, type TestContext, test } from "node:test";
import { defaultTiming, type ListWatchTiming } from "../../../src/kube/client/timing.ts";
import type { ReportedCondition } from "../../../src/kube/manifests.ts";
import { annotation, label } from "../../../src/kube/names.ts";
import { type ControlPlane, startControlPlane } from "../../control-plane/control-plane.ts";
import { onK3s } from "../../control-plane/shared.ts";
import { eventually, steadily } from "../../support/eventually.ts";
import { history } from "../../support/history.ts";
import { installRouteDefinition, removeRouteDefinition } from "../../support/istio-definitions.ts";
import { healthy } from "../../support/kubelet.ts";
import { type Objects, objects } from "../../support/objects.ts";
import {
  condition,
  type Fixture,
  type FixtureOptions,
  fixture,
  freshNamespace,
  installed,
} from "../../support/operator-fixture.ts";
import { exposed, type Modification, server, withoutAuthentication } from "../../support/servers.ts";

const timing: ListWatchTiming = {
  ...defaultTiming,
  backoff: { first: 0.1, longest: 1 },
  // A kind counts as missing after this time: shorter than the default, because the test would take minutes.
  absenceSeconds: 2,
};
const at = (host: string): Modification => ({ "spec.exposure": { ingress: { hosts: [{ host }] } } });
const routed: Modification = {
  "spec.exposure": {
    externalURL: "https://platform.example.com/clusters/c1/mlflow",
    httpRoute: { parentRefs: [{ name: "platform", namespace: "gateways" }] },
  },
};

const says = ({ objects: own }: Pick<Fixture, "objects">, reason: string, name = "mlflow") =>
  eventually(async () => {
    const found = condition(await own.the("MlflowServer", name), "Exposed");
    assert.equal(found.reason, reason, found.message);
    return found;
  });

/** The hosts of the Ingress of a server; empty without an Ingress. */
async function hostsOf({ objects: own }: Pick<Fixture, "objects">, name = "mlflow"): Promise<(string | undefined)[]> {
  return (await own.get("Ingress", name))?.spec.rules?.map(({ host }) => host) ?? [];
}

/** The status of an Ingress that its controller serves. */
function served(own: Objects, name = "mlflow") {
  return own.patch("Ingress", name, { status: { loadBalancer: { ingress: [{ ip: "192.0.2.1" }] } } }, "/status");
}

/** The conditions of the route by the controller of a Gateway. */
async function judge(own: Objects, verdicts: Readonly<Record<string, Partial<ReportedCondition>>>): Promise<void> {
  const { metadata, spec } = await own.the("HTTPRoute", "mlflow");
  const conditions = Object.entries(verdicts).map(([type, verdict]) => ({
    type,
    status: "True",
    reason: type,
    message: "",
    lastTransitionTime: "2026-01-01T00:00:00Z",
    observedGeneration: metadata.generation,
    ...verdict,
  }));
  const parents = spec.parentRefs.map((parentRef) => ({
    parentRef,
    controllerName: "example.com/gateway",
    conditions,
  }));
  await own.patch("HTTPRoute", "mlflow", { status: { parents } }, "/status");
}

describe("a server that is exposed outside the cluster", { skip: onK3s() }, () => {
  let cluster: ControlPlane;
  before(async () => {
    cluster = await startControlPlane({ beforeControllers: installed });
  });
  after(() => cluster?.close());

  const set = (context: TestContext, options: FixtureOptions = {}) =>
    fixture(context, { cluster, isDeleted: true, ...options, operator: options.operator ?? { timing } });

  test("has its Ingress while the spec requests it; a steady state makes no call", async (context) => {
    const stage = await set(context);
    await stage.apply(server("mlflow", exposed));
    const { status } = await stage.ready("mlflow", 60);
    assert.equal(status?.externalURL, "https://platform.example.com/clusters/c1/mlflow");
    const addresses = ["platform.example.com/clusters/c1/mlflow", "traces.example.com/clusters/c1/mlflow"];
    assert.deepEqual(status?.addresses, addresses);
    const waiting = await says(stage, "IngressWithoutAddress");
    assert.equal(waiting.status, "Unknown");
    assert.match(waiting.message, /class nginx/);
    const { metadata, spec } = await stage.objects.the("Ingress", "mlflow");
    assert.equal(metadata.ownerReferences?.[0]?.kind, "MlflowServer");
    assert.deepEqual(
      spec.rules?.flatMap(({ host, http }) => http?.paths.map(({ path }) => `${host}${path}`)),
      ["platform.example.com/clusters/c1/mlflow", "traces.example.com/clusters/c1/mlflow/v1/traces"],
    );
    await served(stage.objects);
    assert.equal((await says(stage, "Exposed")).status, "True");
    const quiet = await stage.quiet();
    await steadily(() => {}, 1);
    assert.deepEqual(await stage.calls(quiet), []);

    await stage.objects.patch("Ingress", "mlflow", { metadata: { annotations: { "example.com/theirs": "kept" } } });
    const less = { "spec.exposure.ingress.annotations": undefined, "spec.exposure.ingress.tls": undefined };
    await stage.apply(server("mlflow", exposed, less));
    await eventually(async () => {
      const { metadata: now, spec: rest } = await stage.objects.the("Ingress", "mlflow");
      assert.equal(rest.tls, undefined);
      const { [annotation.appliedFieldsHash]: _, ...annotations } = now.annotations ?? {};
      assert.deepEqual(annotations, { "example.com/theirs": "kept" });
    });

    await stage.apply(server("mlflow"));
    await eventually(async () => assert.deepEqual(await hostsOf(stage), []));
    const plain = await stage.ready("mlflow", 60);
    assert.deepEqual([plain.status?.externalURL, plain.status?.addresses], [undefined, undefined]);
    assert.ok(!plain.status?.conditions?.some(({ type }) => type === "Exposed"));
  });

  test("serves without the kind HTTPRoute in the cluster, and detects when the kind is installed, removed and installed again", async (context) => {
    const stage = await set(context);
    await stage.apply(server("mlflow", routed));
    await stage.ready("mlflow", 60);
    assert.match(
      (await says(stage, "GatewayApiMissing")).message,
      /Install the Gateway API's CustomResourceDefinitions/,
    );
    await installRouteDefinition(cluster);
    await says(stage, "RouteNotAccepted");
    await removeRouteDefinition(cluster);
    await says(stage, "GatewayApiMissing");
    await stage.ready();
    await installRouteDefinition(cluster);
    await says(stage, "RouteNotAccepted");
    const { spec } = await stage.objects.the("HTTPRoute", "mlflow");
    assert.deepEqual(spec.hostnames, ["platform.example.com"]);
    assert.equal(spec.rules[0]?.timeouts.request, "0s");
    const failures = stage.operator().log.map((line) => JSON.stringify(line));
    assert.deepEqual(
      failures.filter((line) => /a watch failed/.test(line) && /httproutes/.test(line)),
      [],
    );
  });

  test("reports why a Gateway does not accept its HTTPRoute, and repairs the route", async (context) => {
    await installRouteDefinition(cluster);
    const stage = await set(context);
    const { objects: own } = stage;
    await stage.apply(server("mlflow", routed));
    await stage.ready("mlflow", 60);
    assert.match((await says(stage, "RouteNotAccepted")).message, /Gateway platform in namespace gateways/);
    await judge(own, { Accepted: { status: "False", reason: "NotAllowedByListeners", message: "no\nway" } });
    await eventually(async () =>
      assert.match((await says(stage, "RouteNotAccepted")).message, /NotAllowedByListeners: no way.*allowedRoutes/),
    );
    await judge(own, { Accepted: {}, ResolvedRefs: { status: "False", reason: "BackendNotFound" } });
    await says(stage, "RouteNotResolved");
    await judge(own, { Accepted: {}, ResolvedRefs: {} });
    assert.match(
      (await says(stage, "Exposed")).message,
      /https:\/\/platform\.example\.com\/clusters\/c1\/mlflow routes to/,
    );
    const quiet = await stage.quiet();
    await steadily(() => {}, 1);
    assert.deepEqual(await stage.calls(quiet), []);

    await own.patch("HTTPRoute", "mlflow", { spec: { hostnames: ["other.example.com"] } });
    await eventually(async () =>
      assert.deepEqual((await own.the("HTTPRoute", "mlflow")).spec.hostnames, ["platform.example.com"]),
    );
    // Conditions of the previous generation are ignored.
    await says(stage, "RouteNotAccepted");
    await own.remove("HTTPRoute", "mlflow");
    await eventually(() => own.the("HTTPRoute", "mlflow"));
    await stage.apply(server("mlflow"));
    await eventually(async () => assert.equal(await own.get("HTTPRoute", "mlflow"), undefined));
  });

  test("becomes available if an unmanaged Ingress has its name, which stays unchanged", async (context) => {
    const stage = await set(context);
    const backend = { service: { name: "theirs", port: { number: 80 } } };
    await stage.objects.create("Ingress", { metadata: { name: "mlflow" }, spec: { defaultBackend: backend } });
    await stage.apply(server("mlflow", at("a.example.com")));
    await stage.stalled("NameConflict", "mlflow", 60);
    assert.match((await says(stage, "NameConflict")).message, /^Ingress\/mlflow .* does not belong to this server/);
    await eventually(async () =>
      assert.equal((await stage.objects.the("Deployment", "mlflow")).status?.readyReplicas, 1),
    );
    assert.deepEqual((await stage.objects.the("Ingress", "mlflow")).spec.defaultBackend, backend);
  });

  test("does not get a host of another server, older or younger, until that releases it", async (context) => {
    const stage = await set(context);
    const { objects: own } = stage;
    // A server can be ready before a route exists.
    await stage.apply(server("older", at("old.example.com")));
    await says(stage, "IngressWithoutAddress", "older");
    await stage.apply(server("mlflow", at("a.example.com")));
    await stage.apply(server("second", at("a.example.com")));
    await stage.ready("second", 60);
    await says(stage, "IngressWithoutAddress");
    // It is younger: the name decides only within a second, and would decide for mlflow as well.
    assert.match(
      (await says(stage, "HostConflict", "second")).message,
      /^a\.example\.com is already used by MlflowServer mlflow/,
    );
    assert.deepEqual(await hostsOf(stage, "second"), []);

    await stage.apply(server("older", at("a.example.com")));
    assert.match((await says(stage, "HostConflict", "older")).message, /MlflowServer mlflow/);
    // Previous routes stay.
    assert.deepEqual(await hostsOf(stage, "older"), ["old.example.com"]);
    assert.deepEqual(await hostsOf(stage, "mlflow"), ["a.example.com"]);

    // Nor by changes of its Ingress by a user.
    const rules = [{ host: "a.example.com" }];
    await own.patch("Ingress", "older", { spec: { rules } });
    await stage.apply(server("older", at("a.example.com"), { "spec.replicas": 0 }));
    await steadily(async () => assert.deepEqual(await hostsOf(stage, "mlflow"), ["a.example.com"]), 2);
    await says(stage, "HostConflict", "older");

    await stage.apply(server("mlflow", at("b.example.com")));
    // Of the two that wait, the one that is reconciled first gets it.
    const [next, last] = await eventually(async () => {
      const reasonOf = async (name: string) => condition(await own.the("MlflowServer", name), "Exposed").reason;
      const reasons = [await reasonOf("older"), await reasonOf("second")];
      assert.deepEqual(reasons.toSorted(), ["HostConflict", "IngressWithoutAddress"]);
      const both = reasons[0] === "HostConflict" ? (["second", "older"] as const) : (["older", "second"] as const);
      assert.deepEqual(await hostsOf(stage, both[0]), ["a.example.com"]);
      return both;
    });
    await own.remove("MlflowServer", next);
    await eventually(async () => assert.deepEqual(await hostsOf(stage, last), ["a.example.com"]));
    await says(stage, "IngressWithoutAddress", last);
  });

  test("never shares a host with another, however many wait when it is released", async (context) => {
    const stage = await set(context, { operator: { timing, workers: 16 } });
    const ingresses = await history(cluster, stage.namespace, "Ingress");
    context.after(() => ingresses.stop());
    const names = Array.from({ length: 12 }, (_, index) => `server-${index}`);
    const asleep: Modification = { "spec.replicas": 0 };
    await Promise.all(names.map((name) => stage.apply(server(name, at("a.example.com"), asleep))));
    for (const name of names) await stage.ready(name, 120);
    const leading = async (those: readonly string[]) => {
      const found: string[] = [];
      for (const name of those) if ((await hostsOf(stage, name)).includes("a.example.com")) found.push(name);
      return found;
    };
    const reportsConflict = async (name: string) => {
      const { reason } = condition(await stage.objects.the("MlflowServer", name), "Exposed");
      assert.equal(reason, "HostConflict", name);
    };
    for (let waiting = names; waiting.length > 1; ) {
      const holder = await eventually(async () => {
        const all = await leading(waiting);
        const [found] = all;
        assert.ok(found !== undefined && all.length === 1, `it routes to ${all.join(", ") || "no server"}`);
        // If two got the address at the same time, the younger may have had a route first, so this is checked again each time.
        await Promise.all(waiting.map((name) => name !== found && reportsConflict(name)));
        return found;
      });
      waiting = waiting.filter((name) => name !== holder);
      await stage.apply(server(holder, at(`${holder}.example.com`), asleep));
    }
    await eventually(async () => assert.equal((await leading(names)).length, 1));
    const now = new Set<string>();
    for (const { type, object } of await ingresses.versions()) {
      const isThere = type !== "DELETED" && object.spec.rules?.some(({ host }) => host === "a.example.com") === true;
      if (isThere) now.add(object.metadata.name);
      else now.delete(object.metadata.name);
      assert.ok(now.size <= 1, `at the same time: ${[...now].join(", ")}`);
    }
  });

  test("does not learn which server in another namespace has its host", async (context) => {
    const stage = await set(context, { isWide: true });
    const elsewhere = { objects: objects(cluster, await freshNamespace(cluster)) };
    await stage.apply(server("mlflow", exposed));
    await stage.ready("mlflow", 60);
    await elsewhere.objects.create("MlflowServer", server("secret-project", exposed));
    const { message } = await says(elsewhere, "HostConflict", "secret-project");
    assert.match(message, /is already used by an MlflowServer in another namespace/);
    assert.ok(!message.includes(stage.namespace), message);
    // Another prefix is another address.
    const other = { ...exposed, "spec.exposure.externalURL": "https://platform.example.com/clusters/c2/mlflow" };
    await elsewhere.objects.create("MlflowServer", server("other", other));
    await says(elsewhere, "RouteProgressing", "other");
  });

  test("is exposed only when no pod of a spec without authentication is left", async (context) => {
    const stage = await set(context);
    await stage.apply(server("mlflow", withoutAuthentication));
    await stage.ready("mlflow", 60);
    const open = (await stage.objects.list("Pod")).filter(isServing).map(({ metadata }) => metadata.uid);
    assert.equal(open.length, 1);
    const ingresses = await history(cluster, stage.namespace, "Ingress");
    context.after(() => ingresses.stop());
    stage.kubelet.decide((pod) =>
      pod.metadata.labels?.[label.component] === "server" && !open.includes(pod.metadata.uid)
        ? { does: "nothing" }
        : healthy(pod),
    );
    await stage.apply(server("mlflow", at("a.example.com")));
    await says(stage, "RouteProgressing");
    await steadily(async () => assert.deepEqual(await hostsOf(stage), []), 2);
    stage.kubelet.decide(healthy);
    await stage.ready("mlflow", 60);
    const serving = (await stage.objects.list("Pod")).filter(isServing).map(({ metadata }) => metadata.uid);
    assert.ok(!serving.some((uid) => open.includes(uid)));
    await eventually(async () => assert.deepEqual(await hostsOf(stage), ["a.example.com"]));

    const before = await stage.mark();
    await stage.apply(server("mlflow", withoutAuthentication));
    await stage.ready("mlflow", 60);
    const writes = (await stage.writes(before)).map(({ verb, uri }) => `${verb} ${uri.split("/").at(-2)}`);
    assert.ok(writes.indexOf("delete ingresses") >= 0, writes.join());
    assert.ok(writes.indexOf("delete ingresses") < writes.indexOf("patch deployments"), writes.join());
  });
});

function isServing({ metadata }: { metadata: { labels?: Record<string, string>; deletionTimestamp?: string } }) {
  return metadata.labels?.[label.component] === "server" && metadata.deletionTimestamp === undefined;
}
