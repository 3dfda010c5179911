import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { supportedVersions } from "../../src/api/versions.ts";
import { undecided } from "../environment/undecided.ts";
import { objects } from "../support/objects.ts";
import { freshNamespace } from "../support/operator-fixture.ts";
import { imageReference, liveCluster, testedVersion } from "./live-cluster.ts";
import { waitUntil } from "./wait-until.ts";

/** A new version of a package can read more variables: this test lists those that are not classified. */
test("every variable that MLflow's image reads is classified as reserved or harmless", {
  timeout: 600_000,
}, async (context) => {
  const cluster = await liveCluster();
  const program = await readFile(join(import.meta.dirname, "../environment/read_variables.py"), "utf8");
  const namespace = await freshNamespace(cluster);
  context.after(() => cluster.request("DELETE", `/api/v1/namespaces/${namespace}`));
  const own = objects(cluster, namespace);
  const securityContext = {
    allowPrivilegeEscalation: false,
    runAsNonRoot: true,
    runAsUser: 1000,
    capabilities: { drop: ["ALL"] },
    seccompProfile: { type: "RuntimeDefault" },
  };
  assert.ok(supportedVersions.includes(testedVersion));
  await own.create("Pod", {
    metadata: { name: "reader" },
    spec: {
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          name: "reader",
          image: await imageReference(cluster, `mlflow-server:${testedVersion}`),
          imagePullPolicy: "IfNotPresent",
          command: ["sleep", "infinity"],
          securityContext,
        },
      ],
    },
  });
  await waitUntil(async () => assert.equal((await own.the("Pod", "reader")).status?.phase, "Running"), 300);
  const { code, stdout, stderr } = await cluster.kubectl(
    ["exec", "-i", "-n", namespace, "reader", "--", "python", "-"],
    program,
  );
  assert.equal(code, 0, stderr);
  const read: Record<string, string[]> = JSON.parse(stdout);
  assert.ok(Object.keys(read).length > 500);
  assert.deepEqual(
    undecided(Object.keys(read)).map((name) => `${name} (${read[name]?.join(", ")})`),
    [],
  );
});
