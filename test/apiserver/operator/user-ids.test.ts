import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type ControlPlane, startControlPlane } from "../../control-plane/control-plane.ts";
import { onK3s } from "../../control-plane/shared.ts";
import { eventually } from "../../support/eventually.ts";
import { applyPatch } from "../../support/objects.ts";
import { type Fixture, fixture, installed, nothingWasForbidden } from "../../support/operator-fixture.ts";
import { databaseSecret, onPostgresql, server } from "../../support/servers.ts";

/** A definition in OpenShift's group, without its schema: the operator only asks whether the API server has the resource. */
const definition = (kind: string, plural: string) => ({
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: {
    name: `${plural}.security.openshift.io`,
    annotations: { "api-approved.kubernetes.io": "unapproved" },
  },
  spec: {
    group: "security.openshift.io",
    names: { kind, plural },
    scope: "Cluster",
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
      },
    ],
  },
});
const constraints = definition("SecurityContextConstraints", "securitycontextconstraints");
const ofOtherKind = definition("RangeAllocation", "rangeallocations");

describe("user and group of pods", { skip: onK3s() }, () => {
  let cluster: ControlPlane;
  before(async () => {
    cluster = await startControlPlane({ beforeControllers: installed });
  });
  after(() => cluster.close());

  async function identities({ objects }: Fixture) {
    const owned = [...(await objects.list("Deployment")), ...(await objects.list("Job"))];
    assert.equal(owned.length, 2);
    return owned.map((each) => {
      const { runAsNonRoot, runAsUser, runAsGroup, fsGroup } = Object(each).spec.template.spec.securityContext;
      return { runAsNonRoot, runAsUser, runAsGroup, fsGroup };
    });
  }

  /** Applies a definition, and waits until the API server lists its resource. */
  async function define(body: ReturnType<typeof definition>) {
    const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${body.metadata.name}`;
    const headers = { "content-type": applyPatch };
    const answer = await cluster.request("PATCH", `${path}?fieldManager=test`, { body, headers });
    assert.ok(answer.status < 300, answer.body);
    await eventually(async () => {
      const { body: found } = await cluster.request("GET", "/apis/security.openshift.io/v1");
      assert.match(found, new RegExp(`"${body.spec.names.plural}"`));
    });
  }

  const image = { runAsNonRoot: true, runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000 };
  const assigned = { runAsNonRoot: true, runAsUser: undefined, runAsGroup: undefined, fsGroup: undefined };

  test("are those of the image, and on OpenShift are left to the platform, unless a setting decides", async (context) => {
    const stage = await fixture(context, { cluster });
    await stage.objects.create("Secret", databaseSecret);
    await stage.apply(server("mlflow", onPostgresql));
    await stage.ready();
    assert.deepEqual(await identities(stage), [image, image]);

    await stage.stop();
    await define(ofOtherKind);
    await stage.start();
    await stage.ready();
    await stage.quiet();
    assert.deepEqual(await identities(stage), [image, image]);

    await stage.stop();
    await define(constraints);
    await stage.start();
    await eventually(async () => assert.deepEqual((await identities(stage))[0], assigned));
    await stage.ready();

    await stage.stop();
    await stage.start({ userIDs: "fixed" });
    await eventually(async () => assert.deepEqual((await identities(stage))[0], image));
    await stage.ready();
  });

  test("nothing was forbidden", nothingWasForbidden);
});
