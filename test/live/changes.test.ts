import assert from "node:assert/strict";
import { test } from "node:test";
import { newCa, newCertificate } from "../control-plane/certificates.ts";
import { testedVersion } from "./live-cluster.ts";
import { type LiveFixture, liveFixture, timeoutSeconds } from "./live-fixture.ts";
import { secretName, startPostgresql, trickyPassword } from "./postgresql-server.ts";
import { waitUntil } from "./wait-until.ts";

const name = "changing";
const search = "/api/2.0/mlflow/experiments/search?max_results=1";

test("a server whose Secrets change", { timeout: 1_500_000 }, async (context) => {
  const fixture = await liveFixture(context);
  const postgresql = await startPostgresql(fixture);
  const credentials = secretName("mlflow");
  const certificates = await certificatesFor([name, `${name}.${fixture.namespace}`]);
  await fixture.objects.create("Secret", {
    metadata: { name: "certificate" },
    type: "kubernetes.io/tls",
    stringData: certificates.first,
  });
  await fixture.objects.patch("Secret", credentials, { stringData: { password: "not-of-mlflow" } });
  const spec = {
    version: testedVersion,
    backendStore: { postgresql: postgresql.database("mlflow") },
    artifactStore: { persistentVolume: {} },
    authentication: { basic: {} },
    server: { tls: { certificateSecretRef: { name: "certificate" } } },
  };
  await fixture.apply({ metadata: { name }, spec });

  await context.test("reports a wrong password, and clears the report after the correction", async () => {
    const server = await fixture.reason(name, "DatabaseReady", "DatabaseAuthenticationFailed");
    assert.ok(!JSON.stringify(server.status).includes("not-of-mlflow"), "the password is in the status");
    await fixture.objects.patch("Secret", credentials, { stringData: { password: trickyPassword } });
    await fixture.ready(name);
  });

  await context.test("serves TLS only, with the certificate of the Secret", async () => {
    const { status } = await fixture.objects.the("MlflowServer", name);
    assert.match(status?.url ?? "", /^https:/);
    assert.equal(
      (await (await fixture.asAdmin(name, { ca: certificates.first["ca.crt"] })).call("GET", search)).status,
      200,
    );
    assert.equal(
      (await (await fixture.asAnonymous(name, { ca: certificates.first["ca.crt"] })).call("GET", search)).status,
      401,
    );
    await assert.rejects((await fixture.asAdmin(name)).call("GET", search), "the server answers without TLS");
  });

  await context.test("a new certificate rolls the pods and is used", async () => {
    const before = await uidsOf(fixture);
    await fixture.objects.patch("Secret", "certificate", { stringData: certificates.second });
    // The status changes shortly later, so the pods are checked first.
    await waitUntil(async () => {
      const pods = await fixture.pods(name);
      assert.equal(pods.length, 1);
      assert.ok(pods.every(({ metadata }) => metadata.uid !== undefined && !before.includes(metadata.uid)));
      assert.ok(pods.every(({ status }) => status?.conditions?.some((c) => c.type === "Ready" && c.status === "True")));
    }, timeoutSeconds);
    await fixture.ready(name);
    const admin = await fixture.asAdmin(name, { ca: certificates.second["ca.crt"] });
    await waitUntil(async () => assert.equal((await admin.call("GET", search)).status, 200), timeoutSeconds);
  });

  await context.test("hibernation stops the pods and keeps the data", async () => {
    const secured = { ca: certificates.second["ca.crt"] };
    const admin = await fixture.asAdmin(name, secured);
    await admin.json("POST", "/api/2.0/mlflow/experiments/create", { name: "before the sleep" });
    await fixture.apply({ metadata: { name }, spec: { ...spec, hibernate: true } });
    await fixture.reason(name, "Ready", "Hibernated");
    await waitUntil(async () => assert.deepEqual(await fixture.pods(name), []), timeoutSeconds);
    await fixture.apply({ metadata: { name }, spec });
    await fixture.ready(name);
    const path = "/api/2.0/mlflow/experiments/get-by-name?experiment_name=before%20the%20sleep";
    assert.equal((await admin.call("GET", path)).status, 200);
  });
});

async function uidsOf(fixture: LiveFixture) {
  return (await fixture.pods(name)).map(({ metadata }) => metadata.uid);
}

/** Creates two certificates for the same names, each with its own CA, as the content of a Secret. */
async function certificatesFor(names: readonly string[]) {
  const make = async (name: string) => {
    const issuingCa = await newCa(name);
    const alternativeNames = names.map((dns) => `DNS:${dns}`);
    const { certificate, key } = await newCertificate(issuingCa, { name, alternativeNames });
    return { "ca.crt": issuingCa.certificate, "tls.crt": certificate, "tls.key": key };
  };
  return { first: await make("first"), second: await make("second") };
}
