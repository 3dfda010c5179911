import assert from "node:assert/strict";
import { test } from "node:test";
import {
  assertAccess,
  assertDocumented,
  attemptsAt,
  basicLine,
  claimedOwner,
  deniedAttempts,
  type Row,
  unauthenticatedAttempts,
} from "./access-table.ts";
import { assertStored, startCollector, traceIn } from "./collector.ts";
import { connectionTo } from "./connection.ts";
import { testedVersion } from "./live-cluster.ts";
import { addressOf, adminOf, type Login, liveFixture } from "./live-fixture.ts";
import type { Mlflow } from "./mlflow.ts";
import {
  allowed,
  grant,
  newExperiment,
  newModel,
  newPassword,
  newUser,
  type Operation,
  operations,
} from "./permission-matrix.ts";
import { bearer } from "./proxy-fixture.ts";
import { serviceAccountToken } from "./service-accounts.ts";
import { waitUntil } from "./wait-until.ts";

const name = "guarded";

/** The operations that each level allows. All others are denied. */
const byLevel: Readonly<Record<string, readonly Operation[]>> = {
  READ: ["read"],
  USE: ["read"],
  EDIT: ["read", "write"],
  MANAGE: operations,
  DENY: [],
};

test("users and their permissions", { timeout: 1_500_000 }, async (context) => {
  const fixture = await liveFixture(context);
  const apply = (more: object = {}) =>
    fixture.apply({
      metadata: { name },
      spec: {
        version: testedVersion,
        backendStore: { sqlite: {} },
        artifactStore: { persistentVolume: {} },
        authentication: { basic: { defaultPermission: "NO_PERMISSIONS" } },
        ...more,
      },
    });
  await apply();
  await fixture.ready(name);
  const admin = await fixture.asAdmin(name);
  const grace = await newUser(admin, "grace");
  await newUser(admin, "other");
  let made = 0;
  const kinds = [newExperiment, newModel];

  for (const [level, expected] of Object.entries(byLevel)) {
    await context.test(`${level} allows ${expected.join(", ") || "nothing"}`, async () => {
      for (const make of kinds) {
        const resource = await make(admin, `of-${++made}`, "other");
        const answer = await grant(admin, "grace", resource, level);
        assert.equal(answer.status, 200, answer.body);
        assert.deepEqual(await allowed(grace, resource), expected, resource.type);
      }
    });
  }

  await context.test("an administrator can do everything, an unauthenticated client nothing", async () => {
    const anonymous = await fixture.asAnonymous(name);
    for (const make of kinds) {
      const resource = await make(admin, `of-${++made}`, "other");
      for (const operation of operations)
        for (const { status } of await Promise.all(resource.calls[operation](anonymous))) assert.equal(status, 401);
      assert.deepEqual(await allowed(admin, resource), operations, resource.type);
    }
  });

  await context.test("access test results", async () => {
    const attempt = attemptsAt(await addressOf(fixture.objects, name), name);
    const firstAdmin = await adminOf(fixture.objects, name);
    const writer = { username: "writer", password: newPassword() };
    await admin.json("POST", "/api/2.0/mlflow/users/create", writer);
    const of = async (who: string, { username, password }: Login) => attempt(who, [basicLine(username, password)]);
    const before = await of("a user without a grant", writer);
    await grant(admin, writer.username, { type: "experiment", id: "0" }, "EDIT");
    const rows: Row[] = [
      ...(await unauthenticatedAttempts(attempt)),
      await of("a wrong password", { ...writer, password: firstAdmin.password }),
      await of("the right password with a line break", { ...writer, password: `${writer.password}\n` }),
      await of("an unknown user", { ...writer, username: "nobody" }),
      await attempt("a ServiceAccount's token", bearer(await serviceAccountToken(fixture, "default"))),
      before,
      await of("a user who can edit the experiment", writer),
      await of("an administrator", firstAdmin),
      ...(await deniedAttempts(attempt, "an administrator", [basicLine(firstAdmin.username, firstAdmin.password)])),
    ];
    await assertDocumented("basic", rows);
    assertAccess(rows, ["a user who can edit the experiment", "an administrator"]);
    assert.ok(rows.every(({ owner }) => ["", claimedOwner].includes(owner)));
  });

  await context.test(
    "clients from within the pod, such as an Istio sidecar from 127.0.0.6, are not local",
    async () => {
      const [pod] = await fixture.pods(name);
      const { username, password } = await adminOf(fixture.objects, name);
      const program = [
        "import base64, http.client, json, sys",
        "credential = base64.b64encode(sys.stdin.read().encode()).decode()",
        "found = []",
        'for address in ("127.0.0.6", "127.0.0.1"):',
        '    for path in ("/ajax-api/3.0/mlflow/assistant/config", "/ajax-api/3.0/mlflow/%61ssistant/config"):',
        '        connection = http.client.HTTPConnection("127.0.0.1", 5000, source_address=(address, 0))',
        '        connection.request("GET", path, headers={"Authorization": f"Basic {credential}", "X-Forwarded-For": "127.0.0.1"})',
        "        found.append(connection.getresponse().status)",
        "print(json.dumps(found))",
      ].join("\n");
      const output = await fixture.inPod(
        pod?.metadata.name ?? "",
        ["python", "-c", program],
        `${username}:${password}`,
      );
      assert.deepEqual(JSON.parse(output), [404, 404, 404, 404]);
    },
  );

  await context.test(
    "a collector writes traces as a user with EDIT permission on the experiment, and not before",
    async () => {
      const credential = { username: "collector", password: newPassword() };
      await admin.json("POST", "/api/2.0/mlflow/users/create", credential);
      const experiment = await newExperiment(admin, `of-${++made}`, "other");
      const collector = await startCollector(fixture, name, { experiment: experiment.id, credential });
      // This machine is not in the collector's namespace, and its NetworkPolicy is enforced shortly after the pod starts.
      await waitUntil(() => assert.rejects(connectionTo(collector.address, 4318)), 60);
      const trace = await collector.send();
      await collector.rejected(403);
      assert.equal((await traceIn(admin, trace)).status, 404);
      await grant(admin, credential.username, experiment, "EDIT");
      await assertStored(admin, await collector.send());
    },
  );

  await context.test("NO_PERMISSIONS cannot be granted: it is the state without a grant", async () => {
    const answer = await grant(admin, "grace", await newExperiment(admin, `of-${++made}`, "other"), "NO_PERMISSIONS");
    assert.equal(answer.status, 400, answer.body);
  });

  await context.test("a search shows only readable objects", async () => {
    const mine = await newExperiment(admin, "to-be-read", "other");
    await newExperiment(admin, "of-others", "other");
    await grant(admin, "grace", mine, "READ");
    const { experiments } = await grace.json("POST", "/api/2.0/mlflow/experiments/search", { max_results: 1000 });
    const names = [...JSON.stringify(experiments).matchAll(/"name":"([^"]+)"/g)].map(([, each]) => each);
    assert.ok(names.includes("to-be-read"), names.join());
    assert.ok(!names.includes("of-others"), names.join());
  });

  await context.test("without a grant nothing is allowed with defaultPermission NO_PERMISSIONS", async () => {
    for (const make of kinds) assert.deepEqual(await allowed(grace, await make(admin, `of-${++made}`, "other")), []);
  });

  await context.test("a grant can be revoked", async () => {
    const resource = await newExperiment(admin, `of-${++made}`, "other");
    await grant(admin, "grace", resource, "EDIT");
    const body = { username: "grace", resource_type: resource.type, resource_id: resource.id };
    await admin.json("POST", "/api/3.0/mlflow/users/permissions/revoke", body);
    assert.deepEqual(await allowed(grace, resource), []);
  });

  await context.test("spec.access grants by name, and a change of it needs no restart", async () => {
    const of = (subject: string) =>
      ["READ", "EDIT", "MANAGE"].map((permission) => ({
        permission,
        subjects: [{ kind: "User", name: subject }],
        experiments: [`${permission}/*`],
        registeredModels: [`${permission}-*`],
      }));
    const later = await newUser(admin, "later");
    await apply({ access: of("grace") });
    await fixture.ready(name);
    const granted = async (level: string) => [
      await newExperiment(admin, `${level}/${++made}`, "other"),
      await newModel(admin, `${level}-${++made}`, "other"),
    ];
    for (const level of ["READ", "EDIT", "MANAGE"])
      for (const resource of await granted(level)) {
        assert.deepEqual(await allowed(later, resource), [], resource.type);
        assert.deepEqual(await allowed(grace, resource), byLevel[level], resource.type);
      }
    const resources = await granted("EDIT");
    const [pod] = await fixture.pods(name);
    await apply({ access: of("later") });
    await waitUntil(async () => {
      for (const resource of resources) assert.deepEqual(await allowed(later, resource), ["read", "write"]);
    }, 180);
    for (const resource of resources) assert.deepEqual(await allowed(grace, resource), []);
    assert.equal((await fixture.pods(name))[0]?.metadata.uid, pod?.metadata.uid);
  });

  await context.test("only administrators create users and administrators", async () => {
    const users = "/api/2.0/mlflow/users";
    const tries = async (as: Mlflow) => [
      await as.call("POST", `${users}/create`, { body: { username: `made-${++made}`, password: newPassword() } }),
      await as.call("PATCH", `${users}/update-password`, { body: { username: "other", password: newPassword() } }),
      await as.call("PATCH", `${users}/update-admin`, { body: { username: "grace", is_admin: true } }),
      await as.call("DELETE", `${users}/delete`, { body: { username: `made-${made}` } }),
    ];
    const statusesOf = async (as: Mlflow) => (await tries(as)).map(({ status }) => status);
    assert.deepEqual(await statusesOf(grace), [403, 403, 403, 403]);
    await admin.json("PATCH", `${users}/update-admin`, { username: "grace", is_admin: true });
    assert.deepEqual(await statusesOf(grace), [200, 200, 200, 200]);
    await admin.json("PATCH", `${users}/update-admin`, { username: "grace", is_admin: false });
    assert.deepEqual(await statusesOf(grace), [403, 403, 403, 403]);
  });
});
