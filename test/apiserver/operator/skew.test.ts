import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { CustomResourceDefinition } from "../../../src/api/custom-resource-definition.ts";
import { definitions } from "../../../src/api/definitions.ts";
import type { StructuralSchema } from "../../../src/api/structural-schema.ts";
import { SchemaGuard } from "../../../src/client/schema-guard.ts";
import { apiClient } from "../../../src/kube/client/api-client.ts";
import { type ControlPlane, startControlPlane } from "../../control-plane/control-plane.ts";
import { onK3s } from "../../control-plane/shared.ts";
import { eventually, steadily } from "../../support/eventually.ts";
import { applyPatch, pathOf } from "../../support/objects.ts";
import { condition, type Fixture, fixture, installed, nothingWasForbidden } from "../../support/operator-fixture.ts";
import { databaseSecret, onPostgresql, server } from "../../support/servers.ts";

/** Fields of the schema of a definition, down a path of properties. */
function schemaAt(definition: CustomResourceDefinition, ...path: readonly string[]): StructuralSchema {
  let schema = definition.spec.versions[0]?.schema.openAPIV3Schema;
  for (const name of path) schema = schema?.properties?.[name];
  assert.ok(schema !== undefined, `the schema has no ${path.join(".")}`);
  return schema;
}

/** The definition of MlflowServer, changed. */
function changed(change: (definition: CustomResourceDefinition) => void): CustomResourceDefinition {
  const own = definitions().find(({ spec }) => spec.names.kind === "MlflowServer");
  assert.ok(own !== undefined);
  const definition = structuredClone(own);
  change(definition);
  return definition;
}

function without(schema: StructuralSchema, word: RegExp): void {
  schema["x-kubernetes-validations"] = (schema["x-kubernetes-validations"] ?? []).filter(
    ({ rule }) => !word.test(rule),
  );
}

/** Of a newer operator: an additional authentication method, version and policy, and one rule less. */
const newer = changed((definition) => {
  const authentication = schemaAt(definition, "spec", "authentication");
  Object.assign(authentication.properties ?? {}, { saml: { type: "object", properties: { url: { type: "string" } } } });
  without(authentication, /\.size\(\) == 1/);
  without(schemaAt(definition, "spec", "version"), /./);
  schemaAt(definition, "spec", "deletionPolicy").enum = ["Retain", "Delete", "Archive"];
  without(schemaAt(definition, "spec"), /sqlite|persistentVolume/);
});

/** Of an older operator without oauth2Proxy. */
const older = changed((definition) => {
  const authentication = schemaAt(definition, "spec", "authentication");
  delete authentication.properties?.["oauth2Proxy"];
  without(authentication, /oauth2Proxy/);
  without(schemaAt(definition, "spec"), /oauth2Proxy/);
});

/** Of one without addresses in the status. */
const withoutAddresses = changed((definition) => {
  delete schemaAt(definition, "status").properties?.["addresses"];
});

/** That of this operator. */
const current = changed(() => undefined);

const oauth2Proxy = {
  issuerURL: "https://dex.example.com",
  clientID: "mlflow",
  authorization: { allAuthenticatedUsers: {} },
};
const behindProxy = { ...onPostgresql, "spec.authentication": { oauth2Proxy } };

describe("an operator and a CustomResourceDefinition of different versions", { skip: onK3s() }, () => {
  let cluster: ControlPlane;
  before(async () => {
    cluster = await startControlPlane({ beforeControllers: installed });
  });
  after(() => cluster.close());
  /** Undefined while another one is being installed. */
  let present: CustomResourceDefinition | undefined = current;

  /** Resolves when the API server serves it. For a change of this definition the API server needs seconds of CPU time. */
  async function install(definition: CustomResourceDefinition): Promise<void> {
    if (present === definition) return;
    present = undefined;
    const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${definition.metadata.name}`;
    const answer = await cluster.request("PATCH", `${path}?fieldManager=test&force=true`, {
      body: definition,
      headers: { "content-type": applyPatch },
    });
    assert.ok(answer.status < 300, answer.body);
    const methods = schemaAt(definition, "spec", "authentication").properties ?? {};
    await eventually(async () => {
      const shown = await cluster.request("POST", `${pathOf("MlflowServer", "default")}?dryRun=All`, {
        body: {
          apiVersion: "mlflow-operator.dev/v1alpha1",
          kind: "MlflowServer",
          ...server("trial", { ...onPostgresql, "spec.authentication": { oauth2Proxy, saml: {} } }),
        },
      });
      assert.equal(shown.status, 201, shown.body);
      const { spec } = JSON.parse(shown.body);
      assert.deepEqual(
        ["oauth2Proxy" in spec.authentication, "saml" in spec.authentication],
        ["oauth2Proxy" in methods, "saml" in methods],
      );
    });
    present = definition;
  }

  /** Without kubectl's strict validation, as other clients. */
  async function create(on: Fixture, document: object): Promise<void> {
    const body = { apiVersion: "mlflow-operator.dev/v1alpha1", kind: "MlflowServer", ...document };
    const answer = await on.objects.attempt("POST", pathOf("MlflowServer", on.namespace), body);
    assert.equal(answer.status, 201, answer.body);
  }

  const workloads = async ({ objects }: Fixture) => [
    ...(await objects.list("Deployment")),
    ...(await objects.list("Job")),
    ...(await objects.list("Service")),
  ];

  test("the operator's own definition has no skew", async (context) => {
    await install(current);
    const stage = await fixture(context, { cluster, operator: false });
    const client = apiClient({ credentials: stage.identity.credentials(), userAgent: "guard" });
    context.after(() => client.close());
    const recorded: string[] = [];
    const guard = new SchemaGuard(client, (kind) => recorded.push(kind));
    assert.deepEqual(await guard.skew("MlflowServer"), { missing: [], isSame: true });
    assert.deepEqual(await guard.skew("MlflowWorkspaceAccess"), { missing: [], isSame: true });
    assert.deepEqual(recorded, []);
    await install(older);
    guard.invalidate();
    assert.deepEqual(await guard.skew("MlflowServer"), { missing: ["spec.authentication.oauth2Proxy"], isSame: false });
    await install(newer);
    guard.invalidate();
    assert.deepEqual(await guard.skew("MlflowServer"), { missing: [], isSame: false });
    assert.deepEqual(recorded, ["MlflowServer", "MlflowServer"]);
  });

  const unknown = {
    "another authentication method": { "spec.authentication": { saml: { url: "https://idp.example.com" } } },
    "two authentication methods": { "spec.authentication": { basic: {}, saml: {} } },
    "a version of MLflow": { "spec.version": "3.99.0" },
    "a value of an enum": { "spec.deletionPolicy": "Archive" },
    "a value that a rule of this operator forbids": { "spec.replicas": 3 },
  };
  for (const [title, modification] of Object.entries(unknown))
    test(`a newer definition: ${title} starts nothing and changes nothing`, async (context) => {
      await install(newer);
      const stage = await fixture(context, { cluster });
      await create(stage, server("new", modification));
      const { message } = condition(await stage.stalled("UnsupportedField", "new"), "Stalled");
      const [path = ""] = Object.keys(modification);
      assert.match(message, new RegExp(path.replaceAll(".", "\\.")));
      assert.deepEqual(await workloads(stage), []);

      await stage.apply(server());
      await stage.ready();
      const before = await stage.objects.the("Deployment", "mlflow");
      await stage.apply(server("mlflow", modification));
      const stalled = await stage.stalled("UnsupportedField");
      assert.equal(condition(stalled, "Available").status, "True");
      assert.equal(stalled.status?.authentication, "Basic");
      const now = await stage.objects.the("Deployment", "mlflow");
      assert.deepEqual([now.spec, now.metadata.uid], [before.spec, before.metadata.uid]);

      await stage.apply(server());
      await stage.ready();
    });

  test("an older definition: running pods stay, and reconciliation continues when the definition is upgraded", async (context) => {
    await install(current);
    const stage = await fixture(context, { cluster });
    await stage.objects.create("Secret", databaseSecret);
    await stage.apply(server("mlflow", behindProxy));
    await stage.ready();
    const before = await stage.objects.the("Deployment", "mlflow");
    assert.ok(before.spec.template.spec?.containers.some(({ name }) => name === "oauth2-proxy"));
    await install(older);
    const events = await eventually(async () => {
      const found = (await stage.objects.list("Event")).filter(({ reason }) => reason.endsWith("Outdated"));
      assert.ok(found.length > 0, "no event names the definition");
      return found;
    });
    assert.match(
      events[0]?.note ?? "",
      /CustomResourceDefinition of MlflowServer .* does not have spec\.authentication\.oauth2Proxy/,
    );
    await eventually(() =>
      assert.ok(stage.operator().log.some(({ message }) => /CustomResourceDefinition is older/.test(message))),
    );
    // A change by a user is not repaired, and the server object is not written.
    await stage.objects.patch("Deployment", "mlflow", { metadata: { labels: { other: "x" } } });
    await stage.quiet();
    const held = await stage.objects.the("Deployment", "mlflow");
    assert.deepEqual(held.spec, before.spec);

    await install(current);
    const after = await stage.ready();
    assert.ok(
      after.spec.authentication.oauth2Proxy !== undefined,
      "the API server has lost spec.authentication.oauth2Proxy",
    );
    assert.deepEqual((await stage.objects.the("Deployment", "mlflow")).spec, before.spec);
  });

  test("an older definition: a server that was created with it is not started", async (context) => {
    await install(current);
    const stage = await fixture(context, { cluster });
    await stage.objects.create("Secret", databaseSecret);
    await install(older);
    await create(stage, server("mlflow", behindProxy));
    const found = await stage.stalled("CustomResourceDefinitionOutdated");
    assert.match(
      condition(found, "Stalled").message,
      /does not have spec\.authentication\.oauth2Proxy\. .*Apply the CustomResourceDefinitions/,
    );
    assert.deepEqual(await workloads(stage), []);
  });

  test("a field that an older definition has permanently removed is reported permanently", async (context) => {
    await install(current);
    const stage = await fixture(context, { cluster });
    await stage.objects.create("Secret", databaseSecret);
    await stage.apply(server("mlflow", behindProxy));
    await stage.ready();
    const before = await stage.objects.the("Deployment", "mlflow");
    await stage.stop();
    await install(older);
    // Any write stores the object as the API server returns it.
    await stage.objects.patch("MlflowServer", "mlflow", { metadata: { labels: { any: "write" } } });
    await install(current);
    await stage.start();
    const { message } = condition(await stage.stalled("FieldsPruned"), "Stalled");
    assert.match(message, /spec\.authentication\.oauth2Proxy/);
    assert.deepEqual((await stage.objects.the("Deployment", "mlflow")).spec, before.spec);
    await stage.apply(server("mlflow", behindProxy));
    await stage.ready();
    assert.deepEqual((await stage.objects.the("Deployment", "mlflow")).spec, before.spec);
  });

  test("a definition without a field of the status", async (context) => {
    await install(current);
    const stage = await fixture(context, { cluster });
    await install(withoutAddresses);
    await eventually(() => assert.ok(stage.operator().log.some(({ message }) => /is older/.test(message))));
    await stage.apply(server());
    const found = await stage.stalled("CustomResourceDefinitionOutdated");
    assert.match(condition(found, "Stalled").message, /status\.addresses/);
    await install(current);
    await stage.ready();
  });

  test("in steady state no request is made", async (context) => {
    await install(current);
    const stage = await fixture(context, { cluster });
    await stage.apply(server());
    await stage.ready();
    const since = await stage.quiet();
    await steadily(() => undefined, 2);
    assert.deepEqual(await stage.calls(since), []);
  });

  test("nothing was forbidden", nothingWasForbidden);
});
