import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type ControlPlane, startControlPlane } from "../../control-plane/control-plane.ts";
import { onK3s } from "../../control-plane/shared.ts";
import { isAlive } from "../../control-plane/temporary-directory.ts";

describe("a separate control plane", { skip: onK3s() }, () => {
  let cluster: ControlPlane;
  before(async () => {
    cluster = await startControlPlane();
  });
  after(() => cluster.close());

  const chosen = process.env["KUBEBUILDER_ASSETS"] ? "KUBEBUILDER_ASSETS chooses the version" : false;
  test("has the version in go.mod", { skip: chosen }, async () => {
    const { gitVersion } = JSON.parse((await cluster.request("GET", "/version")).body);
    assert.equal(gitVersion, "v1.36.3");
  });

  test("authenticates a client certificate with groups, without permissions by default", async () => {
    const kubeconfig = await cluster.kubeconfigFor({ name: "jane", groups: ["writers", "readers"] });
    const { stdout } = await cluster.kubectl(["auth", "whoami", "-o", "json", "--kubeconfig", kubeconfig]);
    const { username, groups } = JSON.parse(stdout).status.userInfo;
    assert.deepEqual([username, groups], ["jane", ["writers", "readers", "system:authenticated"]]);
    const denied = await cluster.kubectl(["get", "secrets", "--kubeconfig", kubeconfig]);
    assert.match(denied.stderr, /Forbidden.*"jane" cannot list resource "secrets"/);
  });

  test("authenticates a ServiceAccount by its token", async () => {
    const kubeconfig = await cluster.kubeconfigFor({ serviceAccount: "default", namespace: "default" });
    const { stdout } = await cluster.kubectl([
      "auth",
      "whoami",
      "-o",
      "jsonpath={.status.userInfo.username}",
      "--kubeconfig",
      kubeconfig,
    ]);
    assert.equal(stdout, "system:serviceaccount:default:default");
  });

  test("runs the garbage collector, and creates a ReplicaSet for a Deployment", async () => {
    await cluster.kubectl(["create", "deployment", "web", "--image=example.test/web"]);
    await eventually(async () =>
      (await cluster.kubectl(["get", "replicasets", "-o", "name"])).stdout.includes("replicaset.apps/web-"),
    );
    await cluster.kubectl(["delete", "deployment", "web"]);
    await eventually(async () => (await cluster.kubectl(["get", "replicasets", "-o", "name"])).stdout === "");
  });

  test("hangs while its API server is frozen, and responds when it continues", async () => {
    cluster.apiserver.stop();
    try {
      // A request before the signal can still succeed.
      await eventually(() =>
        cluster.request("GET", "/version", { timeoutMilliseconds: 1000 }).then(
          () => false,
          (error: unknown) => /timed out/.test(String(error)),
        ),
      );
    } finally {
      cluster.apiserver.cont();
    }
    assert.equal((await cluster.request("GET", "/version")).status, 200);
  });

  test("keeps port, data and users after a restart of its API server", async () => {
    await cluster.kubectl(["create", "configmap", "kept", "--from-literal=a=b"]);
    const pid = cluster.apiserver.pid();
    await cluster.apiserver.restart();
    assert.notEqual(cluster.apiserver.pid(), pid);
    const { stdout } = await cluster.kubectl(["get", "configmap", "kept", "-o", "jsonpath={.data.a}"]);
    assert.equal(stdout, "b");
  });
});

test("close removes all processes and files, even of a frozen API server", { skip: onK3s() }, async () => {
  const cluster = await startControlPlane({ controllerManager: false });
  const pids = Object.values(cluster.pids());
  cluster.apiserver.stop();
  await cluster.close();
  assert.equal(pids.length, 2);
  assert.deepEqual(pids.filter(isAlive), []);
  assert.equal(existsSync(cluster.address.directory), false);
});

test("quotes the output of an API server with invalid arguments", { skip: onK3s() }, async () => {
  await assert.rejects(
    startControlPlane({ controllerManager: false, extraArgs: ["--no-such-flag"] }),
    /kube-apiserver ended with code 1[\s\S]*unknown flag: --no-such-flag/,
  );
});

async function eventually(holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error("The condition was not met within a minute.");
    await sleep(200);
  }
}
