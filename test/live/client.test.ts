import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { newAuthority, newCertificate } from "../control-plane/certificates.ts";
import { type ClientPod, clientPod } from "./client-pod.ts";
import { imageReference, testedVersion } from "./live-cluster.ts";
import { type LiveScene, liveScene } from "./live-scene.ts";
import { patiently } from "./patiently.ts";

const name = "tracking";
/** What MLflow's client says of the answer to a request that has no credential of this method. */
const unauthenticated = "UNAUTHENTICATED: This server asks for a credential, and there is none.";

test("MLflow's own client, in a pod", { timeout: 1_500_000 }, async (context) => {
  const scene = await liveScene(context);
  const spec = {
    version: testedVersion,
    backendStore: { sqlite: {} },
    artifactStore: { persistentVolume: {} },
    authentication: { basic: {} },
  };
  await scene.apply({ metadata: { name }, spec });
  const { status } = await scene.ready(name);
  const image = await imageReference(scene.cluster, `mlflow-server:${testedVersion}`);
  const login = { image, loginSecret: status?.adminSecret ?? "" };
  const client = await startClient(scene, { ...login, name: "client", trackingUri: status?.url ?? "" });

  await context.test("what it logs it finds again, whole: runs, artifacts, models, traces", async () => {
    const back = await client.run("client.py", "by-client");
    assertWhole(back);
    // Not only the client says so.
    const { run } = await (await scene.asAdmin(name)).json("GET", `/api/2.0/mlflow/runs/get?run_id=${back["runId"]}`);
    assert.match(JSON.stringify(run), /"key":"loss","value":0\.25/);
  });

  await context.test("a login is taken from the environment or a file, and nothing else lets in", async () => {
    assert.deepEqual(await client.run("client-options.py"), {
      "login by environment": "in",
      "no login": unauthenticated,
      "wrong password": "401",
      "a token": unauthenticated,
      "login by file": "in",
    });
  });

  await context.test("users and permissions are made with it", async () => {
    assert.deepEqual(await client.run("client-users.py"), {
      "is made an administrator": false,
      "reads before": "to be edited",
      "writes before": "PERMISSION_DENIED",
      grants: "PERMISSION_DENIED",
      "makes users": "PERMISSION_DENIED",
      has: "EDIT",
      "writes after": "RUNNING",
      "deletes after": "PERMISSION_DENIED",
      "deletes as administrator": null,
    });
  });

  await context.test("over TLS it does the same, if it is told whom to believe", async () => {
    await certificateFor(scene, [name, `${name}.${scene.namespace}`]);
    await scene.apply({ metadata: { name }, spec: { ...spec, server: { tls: { secretName: "certificate" } } } });
    const { status } = await scene.ready(name);
    assert.match(status?.url ?? "", /^https:/);
    const trackingUri = status?.url ?? "";
    const secured = await startClient(scene, {
      ...login,
      name: "secured",
      trackingUri,
      authoritySecret: "certificate",
    });
    assertWhole(await secured.run("client.py", "by-secured-client"));
    assert.deepEqual(await secured.run("client-options.py"), {
      "login by environment": "in",
      "no login": unauthenticated,
      "wrong password": "401",
      "a token": unauthenticated,
      "login by file": "in",
      "no authority": "not verified",
      unverified: "in",
    });
  });
});

/** What client.py must print. */
function assertWhole({ runId, artifactUri, found, ...rest }: Readonly<Record<string, unknown>>): void {
  assert.deepEqual(found, [{ id: runId, params: { rate: "0.1", layers: "3" }, loss: 0.25 }]);
  assert.match(String(artifactUri), /^mlflow-artifacts:\//, "the client is sent to the store itself");
  assert.deepEqual(rest, {
    client: testedVersion,
    history: [1, 0.5, 0.25],
    artifacts: ["notes", "weights.bin"],
    note: "kept\n",
    isWhole: true,
    versions: ["1"],
    predicted: 5,
    answers: [{ answer: "it is" }],
  });
}

/** Starts the pod; its scripts are those of this folder, and print JSON in their last line. */
async function startClient(scene: LiveScene, pod: ClientPod) {
  await scene.objects.create("Pod", clientPod(pod));
  await patiently(async () => assert.equal((await scene.objects.the("Pod", pod.name)).status?.phase, "Running"), 300);
  return {
    run: async (script: string, ...args: readonly string[]): Promise<Readonly<Record<string, unknown>>> => {
      const program = await readFile(join(import.meta.dirname, script), "utf8");
      const said = await scene.inPod(pod.name, ["python", "-", ...args], program);
      return JSON.parse(said.trimEnd().split("\n").at(-1) ?? "");
    },
  };
}

/** A certificate of an authority, in the Secret `certificate`. */
async function certificateFor(scene: LiveScene, names: readonly string[]): Promise<void> {
  const authority = await newAuthority("authority of tests");
  const alternativeNames = names.map((each) => `DNS:${each}`);
  const { certificate, key } = await newCertificate(authority, { name: "mlflow", alternativeNames });
  await scene.objects.create("Secret", {
    metadata: { name: "certificate" },
    type: "kubernetes.io/tls",
    stringData: { "ca.crt": authority.certificate, "tls.crt": certificate, "tls.key": key },
  });
}
