import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { validate } from "../../../src/api/validation.ts";
import { changed, type Document, fullest, smallest, sqliteWithS3 } from "../../api/documents.ts";
import { rightUpdates, wrongUpdates } from "../../api/updates.ts";
import type { ClusterAccess } from "../../control-plane/cluster-access.ts";
import { sharedControlPlane } from "../../control-plane/shared.ts";
import { change, comparable, create, installDefinition, replace } from "./verdict.ts";

const namespace = "admission-change";

describe("an update of an MlflowServer, by the API server", () => {
  let cluster: ClusterAccess;
  let count = 0;
  before(async () => {
    cluster = await sharedControlPlane();
    await installDefinition(cluster);
    await cluster.kubectl(["create", "namespace", namespace]);
  });
  after(() => cluster.kubectl(["delete", "namespace", namespace, "--wait=false"]));

  async function stored(document: Document): Promise<string> {
    count += 1;
    const name = `server-${count}`;
    assert.deepEqual(
      (await create(cluster, changed(document, { "metadata.name": name }), namespace, false)).problems,
      [],
    );
    return name;
  }

  for (const { title, from, to, field, says } of wrongUpdates) {
    test(`rejects, with the fix: ${title}, though it is valid on creation`, async () => {
      assert.ok("server" in validate(to));
      const { problems } = await replace(cluster, namespace, await stored(from), to);
      assert.ok(
        problems.some((problem) => problem.startsWith(`${field}: `) && problem.includes(says)),
        `"${says}" is not said of ${field} in:\n${problems.join("\n")}`,
      );
    });
  }

  for (const { title, from, to } of rightUpdates) {
    test(`accepts: ${title}`, async () => {
      assert.deepEqual((await replace(cluster, namespace, await stored(from), to)).problems, []);
    });
  }

  test("rejects an invalid size with its own message, and no other", async () => {
    const to = changed(smallest, { "spec.artifactStore.persistentVolume.size": "much" });
    const { problems } = await replace(cluster, namespace, await stored(smallest), to);
    assert.deepEqual(
      problems.map(comparable),
      [
        'spec.artifactStore.persistentVolume.size: Invalid value: "much": must be a size above zero such as 500Mi or 10Gi',
      ].map(comparable),
    );
  });

  for (const [title, document] of Object.entries({ smallest, sqliteWithS3 })) {
    test(`rejects scaling above one on SQLite (${title}) with the fix, as an autoscaler receives it`, async () => {
      const { problems } = await change(
        cluster,
        namespace,
        await stored(document),
        { spec: { replicas: 2 } },
        "/scale",
      );
      assert.match(problems.join("\n"), /use backendStore\.postgresql or mysql, or replicas: 1/);
    });
  }

  test("accepts scaling to zero, and above one on a shared database and bucket", async () => {
    assert.deepEqual(
      (await change(cluster, namespace, await stored(smallest), { spec: { replicas: 0 } }, "/scale")).problems,
      [],
    );
    assert.deepEqual(
      (await change(cluster, namespace, await stored(fullest), { spec: { replicas: 9 } }, "/scale")).problems,
      [],
    );
  });
});
