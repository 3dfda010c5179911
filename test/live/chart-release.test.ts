import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runCommand } from "../support/command-line.ts";
import { administrator, basicAuthentication, ldapAuthentication } from "./chart-authentication.ts";
import { type ChartRelease, releaseName, startChartRelease } from "./chart-release.ts";
import { startDirectory } from "./directory-server.ts";
import { type LiveFixture, type Login, liveFixture } from "./live-fixture.ts";
import type { Mlflow } from "./mlflow.ts";
import { grant } from "./permission-matrix.ts";
import { startPostgresql } from "./postgresql-server.ts";
import { startS3 } from "./s3-server.ts";
import { assertKept, logRun, type TrackedRun } from "./tracked-run.ts";

const ada: Login = { username: "ada", password: "of-ada-1234567" };
const bob: Login = { username: "bob", password: "of-bob-1234567" };
const eve: Login = { username: "eve", password: "of-eve-1234567" };
const carol: Login = { username: "carol", password: "of-carol-1234567" };

const api = "/api/2.0/mlflow";

test("a release of the community chart becomes a server with its users, runs and artifacts", {
  timeout: 1_500_000,
}, async (context) => {
  const fixture = await liveFixture(context);
  const [postgresql] = await Promise.all([startPostgresql(fixture), startS3(fixture)]);
  const release = await startChartRelease(fixture, postgresql, basicAuthentication);
  const chartAdmin = release.anonymous.as({ login: administrator });
  const run = await logRun(chartAdmin);
  for (const body of [ada, bob]) await chartAdmin.json("POST", `${api}/users/create`, body);
  assert.equal((await grant(chartAdmin, ada.username, experimentOf(run), "READ")).status, 200);

  const assertUnchanged = async (mlflow: Mlflow) => {
    for (const login of [administrator, ada]) await assertKept(mlflow.as({ login }), run);
    assert.equal(await writing(mlflow.as({ login: ada }), run), 403);
    assert.equal(await reading(mlflow.as({ login: bob }), run), 403);
    assert.equal(await reading(mlflow.as({ login: { ...ada, password: bob.password } }), run), 401);
  };
  await assertUnchanged(release.anonymous);
  await release.uninstall();
  await applyConverted(fixture, release);
  // The Secret of the administrator has keys of the release.
  const admin = (await fixture.asAnonymous(releaseName)).as({ login: administrator });
  await assertUnchanged(admin);
  await assertKept(admin, await logRun(admin));
});

test("a release of the community chart with LDAP becomes a server with its users, permissions, runs and models", {
  timeout: 1_500_000,
}, async (context) => {
  const fixture = await liveFixture(context);
  const [postgresql, directory] = await Promise.all([
    startPostgresql(fixture),
    startDirectory(fixture),
    startS3(fixture),
  ]);
  await directory.modify(newUser(carol));
  const release = await startChartRelease(fixture, postgresql, () => ldapAuthentication(directory));
  // The function of the chart makes an account of each name as it is entered; the one of the operator uses lower case.
  const typed: Login = { ...carol, username: "Carol" };
  const as = (login: Login) => release.anonymous.as({ login });
  for (const login of [ada, typed]) await as(login).json("GET", `${api}/users/current`);
  const [readable, shared] = [await logRun(as(bob)), await logRun(as(bob))];
  const model = { type: "registered_model", id: "of-bob" } as const;
  await as(bob).json("POST", `${api}/registered-models/create`, { name: model.id });
  for (const resource of [experimentOf(shared), model])
    assert.equal((await grant(as(bob), typed.username, resource, "EDIT")).status, 200);

  const assertUnchanged = async (mlflow: Mlflow, other: Login) => {
    const [owner, user] = [mlflow.as({ login: bob }), mlflow.as({ login: other })];
    for (const run of [readable, shared]) {
      for (const login of [ada, bob]) await assertKept(mlflow.as({ login }), run);
      assert.equal(await writing(owner, run), 200);
    }
    for (const run of [readable, shared]) await assertKept(user, run);
    assert.deepEqual([await writing(user, readable), await writing(user, shared)], [403, 200]);
    const body = { name: model.id, description: "changed" };
    assert.equal((await user.call("PATCH", `${api}/registered-models/update`, { body })).status, 200);
    const { user: first } = await mlflow.as({ login: ada }).json("GET", `${api}/users/current`);
    const { user: second } = await user.json("GET", `${api}/users/current`);
    assert.deepEqual([Object(first).is_admin, Object(second).is_admin], [true, false]);
    for (const login of [eve, { ...bob, password: ada.password }, { username: "fakeuser", password: "fakepassword" }])
      assert.equal(await reading(mlflow.as({ login }), readable), 401, login.username);
  };
  await assertUnchanged(release.anonymous, typed);

  const copied = await fixture.inPod(`deploy/${releaseName}`, ["python", "-"], documentedCopy());
  assert.match(copied, /^users: 4$/m);
  await release.uninstall();
  await applyConverted(fixture, release);
  const mlflow = await fixture.asAnonymous(releaseName);
  await assertUnchanged(mlflow, carol);
  await assertKept(mlflow.as({ login: bob }), await logRun(mlflow.as({ login: bob })));
  const accounts = "SELECT string_agg(username, ' ' ORDER BY username) FROM users WHERE username <> 'admin';";
  assert.equal(await postgresql.sql("chart", accounts), "ada bob carol fakeuser\n");
  assert.equal(await postgresql.sql("chart", "SELECT is_admin FROM users WHERE username = 'fakeuser';"), "f\n");
});

/** Converts the values, applies the manifest, and waits until the server is ready. */
async function applyConverted(fixture: LiveFixture, { values }: ChartRelease): Promise<void> {
  const args = ["convert", "--from", "community", "--release", releaseName, "-o", "json", "-"];
  const { code, stdout, stderr } = await runCommand(args, { stdin: JSON.stringify(values) });
  assert.equal(code, 0, stderr);
  const { manifest, secrets } = JSON.parse(stdout);
  for (const { name } of secrets) await fixture.objects.the("Secret", name);
  await fixture.apply({ metadata: manifest.metadata, spec: manifest.spec });
  await fixture.ready(releaseName);
}

/** The program of docs/migrating-from-helm.md that copies the users of LDAP. */
function documentedCopy(): string {
  const page = readFileSync(join(import.meta.dirname, "../../docs/migrating-from-helm.md"), "utf8");
  const program = /^```python\n(.*?)^```/ms.exec(page)?.[1];
  assert.ok(program !== undefined);
  return program;
}

/** LDIF of a user of the directory, in the group of users. */
function newUser({ username, password }: Login): string {
  const dn = `uid=${username},ou=people,dc=mlflow,dc=test`;
  const attributes = `objectClass: inetOrgPerson\nuid: ${username}\ncn: ${username}\nsn: ${username}`;
  const group = "cn=test-user,ou=groups,dc=mlflow,dc=test";
  return (
    `dn: ${dn}\nchangetype: add\n${attributes}\nuserPassword: ${password}\n\n` +
    `dn: ${group}\nchangetype: modify\nadd: uniqueMember\nuniqueMember: ${dn}\n`
  );
}

/** The status of a request that reads the run. */
async function reading(mlflow: Mlflow, { runId }: TrackedRun): Promise<number> {
  return (await mlflow.call("GET", `${api}/runs/get?run_id=${runId}`)).status;
}

/** The status of a request that creates another run in the experiment of the run. */
async function writing(mlflow: Mlflow, run: TrackedRun): Promise<number> {
  const body = { experiment_id: experimentOf(run).id, start_time: 1 };
  return (await mlflow.call("POST", `${api}/runs/create`, { body })).status;
}

/** The experiment of a run, which is the first folder of its artifacts. */
function experimentOf({ artifactPath }: TrackedRun): { readonly type: "experiment"; readonly id: string } {
  const id = /\/artifacts\/(\d+)\//.exec(artifactPath)?.[1];
  assert.ok(id !== undefined, artifactPath);
  return { type: "experiment", id };
}
