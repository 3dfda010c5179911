import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
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
import { startDirectory } from "./directory-server.ts";
import { everyRoute, openRoutes } from "./every-route.ts";
import { imageReference, oldestVersion, testedVersion } from "./live-cluster.ts";
import { addressOf, type Login, liveFixture } from "./live-fixture.ts";
import type { Mlflow } from "./mlflow.ts";
import { allowed, grant, newExperiment, newModel, operations } from "./permission-matrix.ts";
import { startPostgresql } from "./postgresql-server.ts";
import { bearer } from "./proxy-fixture.ts";
import { routesProgram } from "./routes.ts";
import { startClient } from "./running-client.ts";
import { startS3 } from "./s3-server.ts";
import { serviceAccountToken } from "./service-accounts.ts";
import { assertKept, logRun } from "./tracked-run.ts";
import { waitUntil } from "./wait-until.ts";

const name = "directory";
const search = "/api/2.0/mlflow/experiments/search?max_results=1";
const prefix = "/clusters/c1/mlflow";
const people = "ou=people,dc=mlflow,dc=test";
const groupsBase = "ou=groups,dc=mlflow,dc=test";
const groups = {
  searchBase: groupsBase,
  filter: "(&(objectclass=groupOfUniqueNames)(uniquemember=%s))",
  admin: `cn=test-admin,${groupsBase}`,
  user: `CN=Test-User, OU=groups,dc=mlflow,dc=test`,
};

const ada: Login = { username: "ada", password: "of-ada-1234567" };
const bob: Login = { username: "bob", password: "of-bob-1234567" };
const eve: Login = { username: "eve", password: "of-eve-1234567" };
const odd: Login = { username: "o,dd *()\\", password: 'pässwörd:with,everything"\\' };

/** Logins, and the authenticated user; undefined: rejected. */
const table: readonly (readonly [string, Login, string | undefined])[] = [
  ["an administrator", ada, "ada, an administrator"],
  ["a user", bob, "bob"],
  ["a user by a name in another case", { ...bob, username: "BOB" }, "bob"],
  ["a user whose name has every character that DNs and filters know", odd, odd.username],
  ["a user without a group", eve, undefined],
  ["a wrong password", { ...bob, password: "of-ada-1234567" }, undefined],
  ["an empty password (an unauthenticated bind)", { ...bob, password: "" }, undefined],
  ["a password that SASLprep reduces to an empty one", { ...bob, password: "\u00ad" }, undefined],
  ["no name", { ...bob, username: "" }, undefined],
  ["an unknown user", { ...bob, username: "nobody" }, undefined],
  ["a wildcard as the user name", { ...bob, username: "*" }, undefined],
  ["a name with a wildcard", { ...bob, username: "b*b" }, undefined],
  ["a name that ends the filter", { ...bob, username: "bob)(uid=*" }, undefined],
  ["a name that opens a filter", { ...bob, username: "(" }, undefined],
  ["a name that ends in an escape", { ...bob, username: "bob\\" }, undefined],
  ["a name in escapes", { ...bob, username: "\\62ob" }, undefined],
  ["a name that is a DN", { ...bob, username: `bob,${people}` }, undefined],
  ["a name with a space behind", { ...bob, username: "bob " }, undefined],
  ["a name with NUL", { ...bob, username: "bob\0" }, undefined],
  ["the searcher", { username: "searcher", password: "of-searcher-12345" }, undefined],
  ["MLflow's previous default", { username: "admin", password: "password1234" }, undefined],
];

test("users of an LDAP directory", { timeout: 1_500_000 }, async (context) => {
  const fixture = await liveFixture(context);
  const [postgresql, s3, directory] = await Promise.all([
    startPostgresql(fixture),
    startS3(fixture),
    startDirectory(fixture),
  ]);
  await fixture.objects.create("ConfigMap", { metadata: { name: "ldap-ca" }, data: { "ca.crt": directory.ca } });
  await fixture.objects.create("Secret", {
    metadata: { name: "searcher" },
    stringData: { username: "cn=searcher,dc=mlflow,dc=test", password: "of-searcher-12345" },
  });
  const apply = (ldap: object, version: string = testedVersion, more: object = {}) =>
    fixture.apply({
      metadata: { name },
      spec: {
        version,
        replicas: 2,
        backendStore: { postgresql: postgresql.database("mlflow") },
        artifactStore: { s3: s3.store },
        authentication: { ldap: { groups, database: { postgresql: postgresql.database("mlflow_auth") }, ...ldap } },
        exposure: { externalURL: `https://platform.example.com${prefix}` },
        ...more,
      },
    });
  const byDn = { url: directory.url.ldaps, ca: { configMapRef: { name: "ldap-ca" } }, userBind: `uid=%s,${people}` };
  await apply(byDn, oldestVersion);
  const server = await fixture.ready(name);
  const anonymous = await fixture.asAnonymous(name);
  const as = (login: Login) => anonymous.as({ login });

  await context.test("concurrent first logins at all pods create one user", async () => {
    const addresses = (await fixture.pods(name)).map(({ status }) => status?.podIP ?? "");
    assert.equal(addresses.length, 2);
    const many = Array.from({ length: 10 }, () => addresses.map((address) => as(bob).as({ address }))).flat();
    const answers = await Promise.all(many.map((each) => each.call("GET", search)));
    assert.deepEqual(
      [...new Set(answers.map(({ status, body }) => `${status} ${status === 200 ? "" : body}`))],
      ["200 "],
    );
    assert.equal(await postgresql.sql("mlflow_auth", "SELECT count(*) FROM users WHERE username = 'bob';"), "1\n");
  });

  await context.test("the oldest version with ldaps and a DN: the table of logins", () => assertTable(as));

  await context.test("access test results", async () => {
    const attempt = attemptsAt(await addressOf(fixture.objects, name), name);
    const of = async (who: string, { username, password }: Login) => attempt(who, [basicLine(username, password)]);
    const before = await of("a user without a grant", bob);
    assert.equal((await grant(as(ada), "bob", { type: "experiment", id: "0" }, "EDIT")).status, 200);
    const rows: Row[] = [
      ...(await unauthenticatedAttempts(attempt)),
      await of("a wrong password", { ...bob, password: ada.password }),
      await of("the right password with a line break", { ...bob, password: `${bob.password}\n` }),
      await of("an empty password (an unauthenticated bind)", { ...bob, password: "" }),
      await of("a wildcard as the user name", { ...bob, username: "*" }),
      await attempt("a ServiceAccount's token", bearer(await serviceAccountToken(fixture, "default"))),
      await of("a user without a group", eve),
      before,
      await of("a user who can edit the experiment", bob),
      await of("a member of the group of administrators", ada),
      ...(await deniedAttempts(attempt, "a member of the group of administrators", [
        basicLine(ada.username, ada.password),
      ])),
    ];
    await assertDocumented("ldap", rows);
    assertAccess(rows, ["a user who can edit the experiment", "a member of the group of administrators"]);
    assert.ok(rows.every(({ owner }) => ["", claimedOwner].includes(owner)));
  });

  await context.test(
    "a collector writes traces as a user of the directory with EDIT permission on the experiment",
    async () => {
      const collector = await startCollector(fixture, name, { credential: odd });
      const trace = await collector.send();
      await collector.rejected(403);
      assert.equal((await traceIn(as(ada), trace)).status, 404);
      assert.equal((await grant(as(ada), odd.username, { type: "experiment", id: "0" }, "EDIT")).status, 200);
      await assertStored(as(ada), await collector.send());
    },
  );

  await context.test("answers 401 without a credential on Flask's and FastAPI's routes", async () => {
    for (const [method, path] of [
      ["GET", search],
      ["POST", "/v1/traces"],
      ["GET", "/"],
    ] as const) {
      const { status, headers } = await anonymous.call(method, path);
      assert.equal(status, 401, path);
      assert.match(headers["www-authenticate"] ?? "", /^Basic/);
    }
    assert.equal((await as(ada).call("POST", "/v1/traces", { body: {} })).status, 422, "the experiment is required");
    assert.equal((await anonymous.call("GET", "/health")).status, 200);
    const isPublic =
      /^\S+ (\/clusters\/c1\/mlflow)?(\/health|\/(ajax-)?api\/3\.0\/mlflow\/server-info|\/static-files\/1): /;
    const routes = await everyRoute(fixture, name, routesProgram);
    const address = await addressOf(fixture.objects, name);
    for (const path of ["", prefix]) {
      const open = await openRoutes(address, name, routes, path);
      assert.deepEqual(
        open.filter((each) => !isPublic.test(each)),
        [],
      );
    }
    assert.equal((await as(bob).call("GET", `${prefix}${search}`)).status, 200);
  });

  await context.test("MLflow's initial administrator, which is not in the status, cannot log in", async () => {
    assert.equal(server.status?.adminCredentialsSecretRef, undefined);
    assert.equal(server.status?.authentication, "LDAP");
    const { data } = await fixture.objects.the("Secret", `${name}-admin`);
    const text = (key: string) => Buffer.from(data?.[key] ?? "", "base64").toString("utf8");
    const login = { username: text("username"), password: text("password") };
    assert.equal(login.username, "admin");
    assert.equal((await as(login).call("GET", search)).status, 401);
  });

  await context.test("a user logs a run, and an administrator can read it", async () => {
    const run = await logRun(as(bob));
    await assertKept(as(bob), run);
    await assertKept(as(ada), run);
  });

  await context.test("the newest version with StartTLS and a search: the same table", async () => {
    const searching = { filter: "(uid=%s)", bindCredentialsSecretRef: { name: "searcher" } };
    const ldap = {
      url: directory.url.ldap,
      startTLS: true,
      ca: { certificates: directory.ca },
      search: { base: people, ...searching },
    };
    const subjects = [{ kind: "Group", name: groups.user.toUpperCase() }];
    await apply(ldap, testedVersion, {
      access: [{ permission: "EDIT", subjects, experiments: ["of-the-group/*"], registeredModels: ["of-the-group-*"] }],
    });
    await fixture.ready(name);
    await assertTable(as);
  });

  await context.test("members of a group have the permissions of spec.access, in addition to the default", async () => {
    const granted = [
      await newExperiment(as(ada), "of-the-group/x", "ada"),
      await newModel(as(ada), "of-the-group-x", "ada"),
    ];
    for (const resource of granted)
      assert.deepEqual(await allowed(as(bob), resource), ["read", "write"], resource.type);
    assert.deepEqual(await allowed(as(bob), await newExperiment(as(ada), "of-no-group", "ada")), ["read"]);
    assert.deepEqual(await allowed(as(ada), await newExperiment(as(ada), "of-the-group/y", "bob")), operations);
  });

  await context.test("MLflow's own client works with the user name and the password of the directory", async () => {
    await fixture.objects.create("Secret", { metadata: { name: "odd" }, stringData: odd });
    const image = await imageReference(fixture.cluster, `mlflow-server:${testedVersion}`);
    const pod = { name: "client", image, trackingUri: server.status?.serviceURL ?? "", loginSecret: "odd" };
    const client = await startClient(fixture, pod);
    const unauthenticated = "UNAUTHENTICATED: This server requires a credential.";
    assert.deepEqual(await client.run("client-options.py"), {
      "login by environment": "in",
      "no login": unauthenticated,
      "wrong password": "401",
      "a token": unauthenticated,
      "login by file": "in",
    });
    const back = await client.run("client.py", "by-odd");
    assert.deepEqual([back["isWhole"], back["predicted"], back["answers"]], [true, 5, [{ answer: "it is" }]]);
    await fixture.objects.remove("Pod", "client");
  });

  await context.test(
    "a user removed from a group loses its permissions within a minute, a user removed from the directory is rejected",
    async () => {
      assert.equal(await whoIs(as(ada)), "ada, an administrator");
      assert.equal(await whoIs(as(bob)), "bob");
      await directory.modify(
        `dn: cn=test-admin,${groupsBase}\nchangetype: modify\nreplace: uniqueMember\nuniqueMember: uid=bob,${people}\n\n` +
          `dn: uid=${"o\\2Cdd *()\\5C"},${people}\nchangetype: delete\n`,
      );
      await sleep(61_000);
      assert.equal(await whoIs(as(ada)), "ada");
      assert.equal(await whoIs(as(bob)), "bob, an administrator");
      assert.equal(await whoIs(as(odd)), undefined);
    },
  );

  await context.test(
    "while the directory is unavailable, uncached users get 503, and unauthenticated clients 401",
    async () => {
      await directory.stop();
      for (const [method, path] of [
        ["GET", search],
        ["POST", "/v1/traces"],
      ] as const) {
        const answer = await as({ ...bob, password: "not seen before" }).call(method, path);
        assert.equal(answer.status, 503, answer.body);
        assert.equal(answer.headers["retry-after"], "5");
        assert.equal((await anonymous.call(method, path)).status, 401);
      }
      assert.equal((await anonymous.call("GET", "/health")).status, 200);
      await directory.start();
      // Each pod caches its last result: an outage for five seconds, a rejection for ten.
      await waitUntil(async () => assert.equal(await whoIs(as(odd)), odd.username), 60);
      const unseen = as({ ...bob, password: "not seen before" });
      await waitUntil(async () => assert.equal(await whoIs(unseen), undefined), 60);
    },
  );

  await context.test("no password is in a log, or in an object other than a Secret", async () => {
    const pods = await fixture.pods(name);
    // A terminating pod may have answered the table's requests; and some pods may still cache the outage of the directory.
    for (const { status } of pods) {
      const at = as(eve).as({ address: status?.podIP ?? "" });
      await waitUntil(async () => assert.equal(await whoIs(at), undefined), 60);
    }
    const logs = pods.map(({ metadata }) =>
      waitUntil(async () => {
        const { stdout } = await fixture.cluster.kubectl(["logs", "--namespace", fixture.namespace, metadata.name]);
        assert.match(stdout, /The directory rejects the login of "eve"/);
        return stdout;
      }, 60),
    );
    const log = (await Promise.all(logs)).join("");
    const written = await fixture.cluster.kubectl([
      "get",
      "deployments,configmaps,jobs",
      "-n",
      fixture.namespace,
      "-o=json",
    ]);
    // MLflow's previous default is in the migration program, which rejects it.
    const passwords = [ada, bob, eve, odd].map(({ password }) => password);
    passwords.push("of-searcher-12345", "not seen before");
    for (const password of passwords)
      for (const text of [log, written.stdout]) assert.ok(!text.includes(password), password);
  });
});

async function assertTable(as: (login: Login) => Mlflow): Promise<void> {
  const wrong: string[] = [];
  for (const [title, login, who] of table) {
    const found = await whoIs(as(login));
    if (found !== who) wrong.push(`${title}: ${found ?? "rejected"}, not ${who ?? "rejected"}`);
  }
  assert.deepEqual(wrong, []);
}

/** Returns MLflow's name of the user; undefined for 401. */
async function whoIs(mlflow: Mlflow): Promise<string | undefined> {
  const { status, body } = await mlflow.call("GET", "/api/2.0/mlflow/users/current");
  if (status === 401) return undefined;
  assert.equal(status, 200, body);
  const { user }: { user: { username: string; is_admin: boolean } } = JSON.parse(body);
  return `${user.username}${user.is_admin ? ", an administrator" : ""}`;
}
