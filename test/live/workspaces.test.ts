import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { assertStored, startCollector } from "./collector.ts";
import { pythonExporter } from "./otlp-exporter.ts";
import { sweep } from "./route-sweep.ts";
import { routeVerdicts } from "./route-verdicts.ts";
import { waitForReadAccess } from "./service-accounts.ts";
import { waitUntil } from "./wait-until.ts";
import { expectedOutcomes } from "./workspace-operations.ts";
import { memberNames, members, name, workspaceTeams } from "./workspace-teams.ts";

const pluginRules = join(import.meta.dirname, "../kube/plugin");
/** The lifetime of the plugin's cache, and the additional delay on a slow machine. */
const cacheSeconds = 60;
const slackSeconds = 15;

test("roles in workspaces, with MLflow's client and projected tokens", {
  timeout: 1_800_000,
  // For the tests that wait for the plugin's cache.
  concurrency: 2,
}, async (context) => {
  const teams = await workspaceTeams(context);
  const { team, other, inTeam, granted, asPod, content, get, token } = teams;
  const shared = await content();
  const reading = `/api/2.0/mlflow/experiments/get?experiment_id=${shared["experiment"]}`;

  await context.test("the owner of a run is the user of the token", () => {
    assert.equal(shared["owner"], `system:serviceaccount:${team}:admin`);
  });

  for (const member of memberNames) {
    const role = members[member];
    await context.test(`each operation of the client as ${role ?? "none"}: done, or denied`, async () => {
      const found = await asPod(member, JSON.stringify(await content()));
      assert.deepEqual(found, expectedOutcomes(role ?? "none"));
    });
  }

  await context.test(
    "OpenTelemetry's exporter writes traces, directly with mlflow-client, or through a collector",
    async () => {
      const experiment = shared["experiment"] ?? "";
      const exporter = await pythonExporter(teams.cluster, team, "writer");
      const guide = await readFile(join(import.meta.dirname, "../../docs/traces.md"), "utf8");
      const [, documented = ""] = /```sh\n([^`]*OTLP_TRACES_HEADERS[^`]*)```/.exec(guide) ?? [];
      assert.match(documented, /x-mlflow-experiment-id=1,/);
      const straight = documented.replace("experiment-id=1,", `experiment-id=${experiment},`);
      const place = { namespace: team, sender: "writer" };
      const collector = await startCollector(teams, name, { place, experiment });
      const reader = { authorization: `Bearer ${await token(team, "viewer")}`, "x-mlflow-workspace": team };
      // The exporter does not wait until the collector is reachable.
      await assertStored(await teams.asAnonymous(name), await collector.send(), reader);
      for (const lines of [straight, `export OTEL_EXPORTER_OTLP_ENDPOINT=http://${collector.address}:4318`]) {
        const { trace, results } = await exporter.write(lines);
        assert.deepEqual(results, ["SUCCESS"], lines);
        await assertStored(await teams.asAnonymous(name), trace, reader);
      }
    },
  );

  const viewer = await token(team, "viewer");
  const foreigner = await token(other, "admin");

  await context.test("an admin of one team cannot read anything of another", async () => {
    assert.equal((await get(viewer, reading, team)).status, 200);
    assert.equal((await get(foreigner, reading, team)).status, 403);
    assert.equal((await get(await token(team, "admin"), reading, other)).status, 403);
    const { body } = await get(foreigner, "/api/3.0/mlflow/workspaces");
    assert.deepEqual([body.includes(other), body.includes(team)], [true, false], body);
  });

  await context.test("requests without a workspace use the default one", async () => {
    assert.equal((await get(viewer, reading)).status, 200);
    assert.equal((await get(foreigner, reading)).status, 403);
  });

  const guest = context.test(
    "a grant with expiresAt is valid until its end, and access is denied within the plugin's cache lifetime",
    async () => {
      await inTeam.create("ServiceAccount", { metadata: { name: "guest" } });
      const end = Date.now() + 45_000;
      await inTeam.create("MlflowWorkspaceAccess", {
        metadata: { name: "guest" },
        spec: {
          serverRef: { namespace: teams.namespace, name },
          role: "Viewer",
          subjects: [{ kind: "ServiceAccount", name: "guest", namespace: team }],
          expiresAt: new Date(end).toISOString(),
        },
      });
      const holders = async () => {
        const binding = await inTeam.get("RoleBinding", `mlflow.${teams.namespace}.${name}.viewer`);
        return binding?.subjects?.map((subject) => subject.name) ?? [];
      };
      await waitUntil(async () => assert.ok((await holders()).includes("guest")), 40);
      // Not earlier: the plugin would cache the denial.
      await waitForReadAccess(teams, { kind: "ServiceAccount", name: "guest", namespace: team }, team);
      const ofGuest = await token(team, "guest");
      assert.ok(Date.now() < end, "the machine was too slow to see a guest who is in");
      let last = 0;
      for (let isIn = true; isIn; await sleep(1000)) {
        const asked = Date.now();
        const { status } = await get(ofGuest, reading, team);
        assert.ok(status === 200 || status === 403, String(status));
        isIn = status === 200;
        last = asked;
        if (Date.now() < end) assert.equal(status, 200, "denied before the end");
        assert.ok(!isIn || asked < end + (cacheSeconds + slackSeconds) * 1000, "allowed long after the end");
        if (asked > end + slackSeconds * 1000) assert.deepEqual(await holders(), ["viewer"]);
      }
      context.diagnostic(`denied ${((last - end) / 1000).toFixed(0)} s after the end`);
      assert.deepEqual(await holders(), ["viewer"]);
      await waitUntil(async () => {
        const { status } = await inTeam.the("MlflowWorkspaceAccess", "guest");
        assert.equal(status?.conditions?.find(({ type }) => type === "Ready")?.reason, "Expired");
      }, 30);
    },
  );

  await context.test(
    "a revoked grant is denied within the plugin's cache lifetime, and grants of the team are effective",
    async () => {
      const experiment = shared["experiment"] ?? "";
      // Each check starts a client, which uses a CPU for seconds.
      let letIn = Date.now();
      const later = async () => {
        await sleep(3000);
        const asked = Date.now();
        const outcome = await asPod("editor", "write", experiment);
        if (outcome === "done") letIn = asked;
        return outcome;
      };
      const began = letIn;
      const without = granted.filter(({ role, namespaces }) => !(role === "Editor" && namespaces.includes(team)));
      await teams.objects.patch("MlflowServer", name, { spec: { workspaces: { access: without } } });
      await waitUntil(async () => assert.equal(await later(), "denied"), 300);
      // The client's request is later than its start.
      const seconds = (letIn - began) / 1000;
      context.diagnostic(`a client that was started ${seconds.toFixed(0)} s later was the last with access`);
      assert.ok(seconds < cacheSeconds + slackSeconds, `${seconds} s`);
      await inTeam.create("MlflowWorkspaceAccess", {
        metadata: { name: "back" },
        spec: {
          serverRef: { namespace: teams.namespace, name },
          role: "Editor",
          subjects: [{ kind: "ServiceAccount", name: "editor", namespace: team }],
        },
      });
      await waitUntil(async () => assert.equal(await later(), "done"), 300);
    },
  );
  await guest;

  const verdicts = await routeVerdicts(teams, name);
  const mlflow = await teams.asAnonymous(name);
  const workspace = { workspace: team, ids: await content() };

  for (const member of memberNames) {
    const role = members[member];
    await context.test(`each route of MLflow and each field of GraphQL as ${role ?? "none"}`, async () => {
      const caller = { role, token: await token(team, member) };
      const { wrong, tried } = await sweep(mlflow, caller, verdicts, workspace);
      assert.deepEqual(wrong, []);
      context.diagnostic(`${tried} as ${role ?? "none"}`);
    });
  }

  await context.test("the sweep detects a difference between roles", async () => {
    const caller = { role: "Editor", token: viewer } as const;
    const { wrong } = await sweep(mlflow, caller, verdicts, workspace);
    assert.ok(wrong.length > 100 && wrong.every((line) => line.includes("denied, not allowed")), wrong.join("\n"));
  });

  await context.test("the rules of the roles are those of the plugin in the image", async () => {
    const rules = await readFile(join(pluginRules, "plugin_rules.py"), "utf8");
    const args = ["exec", "-i", "-n", team, "viewer", "--", "python", "-W", "ignore", "-"];
    const { stdout, stderr } = await teams.cluster.kubectl(args, rules);
    assert.ok(stdout.includes("{"), stderr);
    const stored = JSON.parse(await readFile(join(pluginRules, "rules.json"), "utf8"));
    assert.deepEqual(JSON.parse(stdout.slice(stdout.indexOf("{"))), stored);
  });
});
