import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { isObject } from "../../src/api/structure.ts";
import { label } from "../../src/kube/names.ts";
import { objects } from "../support/objects.ts";
import { freshNamespace } from "../support/scene.ts";
import { clientPod } from "./client-pod.ts";
import { assertStored, startCollector } from "./collector.ts";
import { imageReference, testedVersion } from "./live-cluster.ts";
import { liveScene } from "./live-scene.ts";
import { pythonExporter } from "./otlp-exporter.ts";
import { patiently } from "./patiently.ts";
import { serviceAccountToken } from "./service-accounts.ts";

const name = "tracking";
const program = join(import.meta.dirname, "workspace-roles.py");
const pluginRules = join(import.meta.dirname, "../kube/plugin");

/** What each role shall be able to do; everything else is refused. */
const reads = ["read an experiment", "read a model"];
const writes = ["create an experiment", "log a run", "create a model", "write a trace"];
const deletes = ["delete a model", "delete an experiment"];
const all = [...reads, ...writes, ...deletes];
const may: Readonly<Record<string, readonly string[]>> = {
  viewer: reads,
  editor: [...reads, ...writes],
  admin: all,
  // The plugin asks for the same right for a run as for a trace.
  writer: ["log a run", "write a trace"],
};
const roles = { viewer: "Viewer", editor: "Editor", admin: "Admin", writer: "TraceWriter" } as const;

test("roles in workspaces, by MLflow's own client with projected tokens", { timeout: 1_500_000 }, async (context) => {
  const scene = await liveScene(context, { isWide: true });
  const { cluster, namespace } = scene;
  const text = await readFile(program, "utf8");
  const image = await imageReference(cluster, `mlflow-server:${testedVersion}`);
  const [team, other] = await Promise.all(
    [0, 1].map(() => freshNamespace(cluster, { [label.workspaceOf]: namespace })),
  );
  assert.ok(team !== undefined && other !== undefined);
  context.after(async () => {
    for (const each of [team, other]) await cluster.request("DELETE", `/api/v1/namespaces/${each}`);
  });
  const grant = (place: string, account: keyof typeof roles) => ({
    role: roles[account],
    subjects: [{ kind: "ServiceAccount", name: account, namespace: place }],
    namespaces: [place],
  });
  const granted = [
    ...Object.keys(roles)
      .filter(isAccount)
      .map((account) => grant(team, account)),
    grant(other, "admin"),
  ];
  const inTeam = objects(cluster, team);
  const inOther = objects(cluster, other);
  for (const account of Object.keys(roles)) await inTeam.create("ServiceAccount", { metadata: { name: account } });
  await inOther.create("ServiceAccount", { metadata: { name: "admin" } });
  await scene.apply({
    metadata: { name },
    spec: {
      version: testedVersion,
      backendStore: { sqlite: {} },
      artifactStore: { persistentVolume: {} },
      authentication: { kubernetes: {} },
      workspaces: { default: team, access: granted },
    },
  });
  const pod = (account: string) => {
    const draft = clientPod({ name: account, image, trackingUri: "", serviceAccount: account });
    // The ConfigMap is all that it is told.
    const told = JSON.stringify(draft, (key, value) => {
      if (key === "env" && Array.isArray(value))
        return value.filter((each) => isObject(each) && each["name"] === "HOME");
      if (isObject(value) && value["name"] === "client" && "image" in value)
        return { ...value, envFrom: [{ configMapRef: { name: "mlflow-client" } }] };
      return value;
    });
    return JSON.parse(told);
  };
  for (const account of Object.keys(roles)) await inTeam.create("Pod", pod(account));
  await inOther.create("Pod", pod("admin"));
  await scene.ready(name);
  await scene.reason(name, "WorkspacesReady", "WorkspacesReady", 60);
  for (const [own, account] of [
    ...Object.keys(roles).map((each) => [inTeam, each] as const),
    [inOther, "admin"] as const,
  ])
    await patiently(async () => assert.equal((await own.the("Pod", account)).status?.phase, "Running"), 300);

  const asPod = async (place: string, account: string, ...args: readonly string[]) => {
    const command = ["exec", "-i", "-n", place, account, "--", "python", "-W", "ignore", "-", ...args];
    const { code, stdout, stderr } = await cluster.kubectl(command, text);
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
  };
  const spare = () => asPod(team, "admin", "prepare");
  const shared: { experiment: string; model: string; owner: string } = await spare();

  await context.test("a run belongs to whom the token names, and to nobody else", () => {
    assert.equal(shared.owner, `system:serviceaccount:${team}:admin`);
  });

  for (const account of Object.keys(roles)) {
    await context.test(`${account} may ${may[account]?.join(", ")}, and nothing else`, async () => {
      const { model } = await spare();
      const found = await asPod(team, account, shared.experiment, shared.model, model);
      const expected = Object.fromEntries(all.map((each) => [each, may[account]?.includes(each) ? "done" : "refused"]));
      assert.deepEqual(found, expected);
    });
  }

  await context.test(
    "OpenTelemetry's own exporter writes traces, straight by mlflow-client, or by a collector",
    async () => {
      const exporter = await pythonExporter(cluster, team, "writer");
      const guide = await readFile(join(import.meta.dirname, "../../docs/traces.md"), "utf8");
      const [, documented = ""] = /```sh\n([^`]*OTLP_TRACES_HEADERS[^`]*)```/.exec(guide) ?? [];
      assert.match(documented, /x-mlflow-experiment-id=1,/);
      const straight = documented.replace("experiment-id=1,", `experiment-id=${shared.experiment},`);
      const collector = await startCollector(scene, name, {
        place: { namespace: team, sender: "writer" },
        experiment: shared.experiment,
      });
      const token = await serviceAccountToken({ ...scene, namespace: team }, "viewer");
      const reader = { authorization: `Bearer ${token}`, "x-mlflow-workspace": team };
      for (const lines of [straight, `export OTEL_EXPORTER_OTLP_ENDPOINT=http://${collector.address}:4318`]) {
        const { trace, results } = await exporter.write(lines);
        assert.deepEqual(results, ["SUCCESS"], lines);
        await assertStored(await scene.asNobody(name), trace, reader);
      }
    },
  );

  const call = async (place: string, account: string, path: string, workspace?: string) => {
    const token = await serviceAccountToken({ ...scene, namespace: place }, account);
    const headers = {
      authorization: `Bearer ${token}`,
      ...(workspace !== undefined && { "x-mlflow-workspace": workspace }),
    };
    return (await scene.asNobody(name)).call("GET", path, { headers });
  };
  const reading = `/api/2.0/mlflow/experiments/get?experiment_id=${shared.experiment}`;

  await context.test("an admin of one team may read nothing of another", async () => {
    assert.equal((await call(team, "viewer", reading, team)).status, 200);
    assert.equal((await call(other, "admin", reading, team)).status, 403);
    assert.equal((await call(team, "admin", reading, other)).status, 403);
    const { body } = await call(other, "admin", "/api/3.0/mlflow/workspaces");
    assert.deepEqual([body.includes(other), body.includes(team)], [true, false], body);
  });

  await context.test("who names no workspace is in the default one", async () => {
    assert.equal((await call(team, "viewer", reading)).status, 200);
    assert.equal((await call(other, "admin", reading)).status, 403);
  });

  await context.test(
    "what is taken away is refused within the plugin's minute, and what is granted by the team counts",
    async () => {
      const began = Date.now();
      const without = granted.filter(({ role, namespaces }) => !(role === "Editor" && namespaces.includes(team)));
      await scene.objects.patch("MlflowServer", name, { spec: { workspaces: { access: without } } });
      await patiently(
        async () => assert.equal(await asPod(team, "editor", "write", shared.experiment), "refused"),
        120,
      );
      const seconds = (Date.now() - began) / 1000;
      context.diagnostic(`refused after ${seconds.toFixed(0)} s`);
      assert.ok(seconds < 90, `${seconds} s`);
      await inTeam.create("MlflowWorkspaceAccess", {
        metadata: { name: "back" },
        spec: {
          serverRef: { namespace, name },
          role: "Editor",
          subjects: [{ kind: "ServiceAccount", name: "editor", namespace: team }],
        },
      });
      await patiently(async () => assert.equal(await asPod(team, "editor", "write", shared.experiment), "done"), 120);
    },
  );

  await context.test("the rules that the roles are made from are those of the plugin in the image", async () => {
    const rules = await readFile(join(pluginRules, "plugin_rules.py"), "utf8");
    const args = ["exec", "-i", "-n", team, "viewer", "--", "python", "-W", "ignore", "-"];
    const { stdout, stderr } = await cluster.kubectl(args, rules);
    assert.ok(stdout.includes("{"), stderr);
    const stored = JSON.parse(await readFile(join(pluginRules, "rules.json"), "utf8"));
    assert.deepEqual(JSON.parse(stdout.slice(stdout.indexOf("{"))), stored);
  });
});

function isAccount(text: string): text is keyof typeof roles {
  return Object.hasOwn(roles, text);
}
