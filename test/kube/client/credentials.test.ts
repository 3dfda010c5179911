import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type ApiAccess, credentialsFor } from "../../../src/kube/client/api-access.ts";
import { sameTls } from "../../../src/kube/client/credentials.ts";

let directory: string;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "credentials-"));
});
after(() => rm(directory, { recursive: true }));

async function kubeconfigFile(user: object, cluster: object = {}): Promise<string> {
  const path = join(directory, `${crypto.randomUUID()}.json`);
  const config = {
    "current-context": "a",
    contexts: [
      { name: "a", context: { cluster: "one", user: "u" } },
      { name: "b", context: { cluster: "two", user: "u" } },
    ],
    clusters: [
      { name: "one", cluster: { server: "https://one.example:6443", ...cluster } },
      { name: "two", cluster: { server: "https://two.example/k8s/clusters/c-1" } },
    ],
    users: [{ name: "u", user }],
  };
  await writeFile(path, JSON.stringify(config));
  return path;
}

describe("a kubeconfig", () => {
  test("has server, CA and token of the current context or of a named one", async () => {
    const path = await kubeconfigFile(
      { token: "secret" },
      { "certificate-authority-data": Buffer.from("CA").toString("base64") },
    );
    const own = await credentialsFor({ kubeconfig: path }).current();
    assert.deepEqual(own, {
      server: new URL("https://one.example:6443"),
      headers: { Authorization: "Bearer secret" },
      tls: { ca: "CA", rejectUnauthorized: true },
    });
    const named = await credentialsFor({ kubeconfig: path, context: "b" }).current();
    assert.equal(named.server.href, "https://two.example/k8s/clusters/c-1");
  });

  test("runs an exec plugin for its token", async () => {
    const credential = {
      apiVersion: "client.authentication.k8s.io/v1",
      kind: "ExecCredential",
      status: { token: "of-plugin" },
    };
    const exec = {
      apiVersion: credential.apiVersion,
      command: "echo",
      args: [JSON.stringify(credential)],
      interactiveMode: "Never",
    };
    const path = await kubeconfigFile({ exec });
    const own = await credentialsFor({ kubeconfig: path }).current();
    assert.deepEqual(own.headers, { Authorization: "Bearer of-plugin" });
  });

  test("with a proxy-url is rejected", async () => {
    const path = await kubeconfigFile({ token: "t" }, { "proxy-url": "http://proxy:3128" });
    await assert.rejects(credentialsFor({ kubeconfig: path }).current(), /has a proxy-url, which is not supported/);
  });

  test("is loaded again after a rejection, at most every 5 s", async () => {
    const path = await kubeconfigFile({ token: "old" });
    let now = 1e6;
    const source = credentialsFor({ kubeconfig: path }, () => now);
    await source.current();
    await writeFile(path, (await readFile(path, "utf8")).replace("old", "new"));
    const tokenAfter = async (seconds: number) => {
      now += seconds * 1000;
      source.rejected();
      return (await source.current()).headers["Authorization"];
    };
    assert.equal(await tokenAfter(1), "Bearer old");
    assert.equal(await tokenAfter(5), "Bearer new");
  });
});

describe("a pod's service account", () => {
  async function serviceAccount(host = "10.96.0.1"): Promise<{ tokenFile: string; access: ApiAccess }> {
    const folder = join(directory, crypto.randomUUID());
    await mkdir(folder);
    await writeFile(join(folder, "ca.crt"), "CA");
    await writeFile(join(folder, "token"), "first\n");
    return { tokenFile: join(folder, "token"), access: { host, port: "443", serviceAccountDirectory: folder } };
  }

  /** Credentials with a mocked clock. */
  function aged(access: ApiAccess) {
    let now = 0;
    const advance = (seconds: number) => {
      now += seconds * 1000;
    };
    return { source: credentialsFor(access, () => now), advance };
  }

  test("has server, CA and token", async () => {
    const { access } = await serviceAccount();
    assert.deepEqual(await credentialsFor(access).current(), {
      server: new URL("https://10.96.0.1"),
      headers: { Authorization: "Bearer first" },
      tls: { ca: "CA", rejectUnauthorized: true },
    });
    const six = await serviceAccount("fd00::1");
    assert.equal((await credentialsFor(six.access).current()).server.host, "[fd00::1]");
  });

  test("reads its token again after a minute, even if the wall clock is set back", async (context) => {
    context.mock.timers.enable({ apis: ["Date"], now: 1e12 });
    const { tokenFile, access } = await serviceAccount();
    const { source, advance } = aged(access);
    const token = async () => (await source.current()).headers["Authorization"];
    assert.equal(await token(), "Bearer first");
    await writeFile(tokenFile, "second");
    context.mock.timers.setTime(1e9);
    advance(59);
    assert.equal(await token(), "Bearer first");
    advance(2);
    assert.equal(await token(), "Bearer second");
  });

  test("keeps the previous token while the file cannot be read", async () => {
    const { tokenFile, access } = await serviceAccount();
    const { source, advance } = aged(access);
    await source.current();
    await rm(tokenFile);
    advance(61);
    assert.equal((await source.current()).headers["Authorization"], "Bearer first");
    await writeFile(tokenFile, "second");
    advance(61);
    assert.equal((await source.current()).headers["Authorization"], "Bearer second");
  });

  test("fails only if there was never a token", async () => {
    const { tokenFile, access } = await serviceAccount();
    await rm(tokenFile);
    await assert.rejects(credentialsFor(access).current(), /ENOENT/);
  });
});

test("a connection is reused for other credentials with the same certificate, key and CA", () => {
  const tls = { ca: "a", cert: "b", key: "c", rejectUnauthorized: true };
  assert.ok(sameTls(tls, { ...tls }));
  for (const other of [{ ca: "x" }, { cert: "x" }, { key: "x" }, { servername: "x" }, { rejectUnauthorized: false }]) {
    assert.ok(!sameTls(tls, { ...tls, ...other }), JSON.stringify(other));
  }
});
