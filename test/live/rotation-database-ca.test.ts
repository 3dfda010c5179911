import assert from "node:assert/strict";
import { test } from "node:test";
import { newCa, newCertificate } from "../control-plane/certificates.ts";
import { testedVersion } from "./live-cluster.ts";
import { liveFixture } from "./live-fixture.ts";
import { startPostgresql } from "./postgresql-server.ts";
import { changeReferences, recordOf } from "./rotations.ts";
import { startS3 } from "./s3-server.ts";
import { steadyLoad } from "./steady-load.ts";

const name = "verified";

test("the CA bundle of the databases is changed while clients work", { timeout: 1_500_000 }, async (context) => {
  const fixture = await liveFixture(context);
  const [postgresql, s3] = await Promise.all([startPostgresql(fixture), startS3(fixture)]);
  const cas = [await newCa("database"), await newCa("database-next")] as const;
  const [first, next] = await Promise.all(
    cas.map((ca) => newCertificate(ca, { name: "postgresql", alternativeNames: ["DNS:postgresql"] })),
  );
  assert.ok(first !== undefined && next !== undefined);
  await postgresql.useCertificate(first);
  const [bundle, nextBundle] = cas.map(({ certificate }) => certificate);
  await fixture.objects.create("ConfigMap", { metadata: { name: "database-ca" }, data: { "ca.crt": `${bundle}` } });
  const ca = { configMapRef: { name: "database-ca" } };
  await fixture.apply({
    metadata: { name },
    spec: {
      version: testedVersion,
      replicas: 2,
      backendStore: { postgresql: { ...postgresql.database("mlflow"), ca } },
      artifactStore: { s3: s3.store },
      authentication: { basic: { database: { postgresql: { ...postgresql.database("mlflow_auth"), ca } } } },
    },
  });
  await fixture.ready(name);
  const load = steadyLoad(await fixture.asAdmin(name));

  const useBundle = async (content: string) => {
    // Times in the status are in whole seconds.
    const began = Math.floor(Date.now() / 1000) * 1000;
    const former = new Set((await fixture.pods(name)).map(({ metadata }) => metadata.uid));
    await changeReferences(fixture, [name], () =>
      fixture.objects.patch("ConfigMap", "database-ca", { data: { "ca.crt": content } }),
    );
    const { completedAt = "" } = (await recordOf(fixture, name, "references")) ?? {};
    assert.ok(Date.parse(completedAt) >= began && Date.parse(completedAt) <= Date.now(), completedAt);
    const pods = await fixture.pods(name);
    assert.deepEqual([pods.length, pods.some(({ metadata }) => former.has(metadata.uid))], [2, false]);
  };

  await context.test("a bundle with the former and the next CA", () => useBundle(`${bundle}${nextBundle}`));
  await context.test("a certificate of the next CA", () => postgresql.useCertificate(next));
  await context.test("a bundle with the next CA only", async () => {
    await useBundle(`${nextBundle}`);
    const connections = "SELECT DISTINCT usename, ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)";
    const found = `${connections} WHERE usename LIKE 'mlflow%' ORDER BY usename;`;
    assert.equal(await postgresql.sql("postgres", found), "mlflow|t\nmlflow_auth|t\n");
  });

  const { answered, failed } = await load.end();
  context.diagnostic(`${answered} requests answered`);
  assert.deepEqual(failed, []);
  assert.ok(answered > 100);
});
