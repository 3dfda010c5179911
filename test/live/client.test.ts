import assert from "node:assert/strict";
import { test } from "node:test";
import { newCa, newCertificate } from "../control-plane/certificates.ts";
import { documentedCells } from "./documented-cells.ts";
import { imageReference, testedVersion } from "./live-cluster.ts";
import { type LiveFixture, liveFixture } from "./live-fixture.ts";
import { startClient } from "./running-client.ts";

const name = "tracking";
/** The error of MLflow's client for a request without a credential of this method. */
const unauthenticated = "UNAUTHENTICATED: This server requires a credential.";

test("MLflow's client in a pod", { timeout: 1_500_000 }, async (context) => {
  const fixture = await liveFixture(context);
  const spec = {
    version: testedVersion,
    backendStore: { sqlite: {} },
    artifactStore: { persistentVolume: {} },
    authentication: { basic: {} },
  };
  await fixture.apply({ metadata: { name }, spec });
  const { status } = await fixture.ready(name);
  const image = await imageReference(fixture.cluster, `mlflow-server:${testedVersion}`);
  const login = { image, loginSecret: status?.adminCredentialsSecretRef?.name ?? "" };
  const client = await startClient(fixture, { ...login, name: "client", trackingUri: status?.url ?? "" });

  await context.test("finds everything that it logs: runs, artifacts, models, traces", async () => {
    const back = await client.run("client.py", "by-client");
    assertWhole(back);
    // Checked over HTTP as well.
    const { run } = await (await fixture.asAdmin(name)).json("GET", `/api/2.0/mlflow/runs/get?run_id=${back["runId"]}`);
    assert.match(JSON.stringify(run), /"key":"loss","value":0\.25/);
  });

  await context.test("authenticates with a login from the environment or a file only", async () => {
    assert.deepEqual(await client.run("client-options.py"), {
      "login by environment": "in",
      "no login": unauthenticated,
      "wrong password": "401",
      "a token": unauthenticated,
      "login by file": "in",
    });
  });

  await context.test("creates users and permissions", async () => {
    assert.deepEqual(await client.run("client-users.py"), {
      "is made an administrator": false,
      "reads before": "to be edited",
      "writes before": "PERMISSION_DENIED",
      grants: "PERMISSION_DENIED",
      "makes users": "PERMISSION_DENIED",
      "changes another password": "PERMISSION_DENIED",
      "changes the password without the current one": "INVALID_PARAMETER_VALUE",
      "changes the password with a wrong one": "INVALID_PARAMETER_VALUE",
      has: "EDIT",
      "writes after": "RUNNING",
      "deletes after": "PERMISSION_DENIED",
      "deletes as administrator": null,
    });
  });

  await context.test("a user changes their password with the documented cell", async () => {
    const cell = (await documentedCells())("User name and password", {
      'getpass.getpass("New password: ")': '"of-grace-7654321"',
    });
    const found = await client.python(`${prepareUser}${cell}${checkPasswords}`);
    assert.deepEqual(found, { "new password": "in", "previous password": "401" });
  });

  await context.test("works over TLS with a configured CA", async () => {
    await certificateFor(fixture, [name, `${name}.${fixture.namespace}`]);
    await fixture.apply({
      metadata: { name },
      spec: { ...spec, server: { tls: { certificateSecretRef: { name: "certificate" } } } },
    });
    const { status } = await fixture.ready(name);
    assert.match(status?.url ?? "", /^https:/);
    const trackingUri = status?.url ?? "";
    const secured = await startClient(fixture, {
      ...login,
      name: "secured",
      trackingUri,
      caSecret: "certificate",
    });
    assertWhole(await secured.run("client.py", "by-secured-client"));
    assert.deepEqual(await secured.run("client-options.py"), {
      "login by environment": "in",
      "no login": unauthenticated,
      "wrong password": "401",
      "a token": unauthenticated,
      "login by file": "in",
      "no CA": "not verified",
      unverified: "in",
    });
  });
});

const prepareUser = `
import os
from mlflow.server import get_app_client
get_app_client("basic-auth", tracking_uri=os.environ["MLFLOW_TRACKING_URI"]).create_user("grace", "of-grace-1234567")
os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"] = "grace", "of-grace-1234567"
`;

const checkPasswords = `
import json, mlflow
found = {}
for title, password in (("new password", new), ("previous password", current)):
    os.environ["MLFLOW_TRACKING_PASSWORD"] = password
    try:
        mlflow.MlflowClient().search_experiments()
        found[title] = "in"
    except mlflow.MlflowException as error:
        found[title] = "401" if "401" in str(error) else str(error)
print(json.dumps(found))
`;

/** Asserts the output of client.py. */
function assertWhole({ runId, artifactUri, found, ...rest }: Readonly<Record<string, unknown>>): void {
  assert.deepEqual(found, [{ id: runId, params: { rate: "0.1", layers: "3" }, loss: 0.25 }]);
  assert.match(String(artifactUri), /^mlflow-artifacts:\//, "the client accesses the artifact store directly");
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

/** Creates a certificate, in the Secret `certificate`. */
async function certificateFor(fixture: LiveFixture, names: readonly string[]): Promise<void> {
  const issuingCa = await newCa("CA of tests");
  const alternativeNames = names.map((each) => `DNS:${each}`);
  const { certificate, key } = await newCertificate(issuingCa, { name: "mlflow", alternativeNames });
  await fixture.objects.create("Secret", {
    metadata: { name: "certificate" },
    type: "kubernetes.io/tls",
    stringData: { "ca.crt": issuingCa.certificate, "tls.crt": certificate, "tls.key": key },
  });
}
