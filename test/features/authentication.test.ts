import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type AuthenticationMethod, noSettings } from "../../src/features/authentication/authentication.ts";
import { secretReference } from "../../src/features/common/reference.ts";
import { resolve } from "../../src/features/resolve.ts";
import type { ConfigMap, Deployment, Job, Manifest, NetworkPolicy, Secret } from "../../src/kube/manifests.ts";
import { fromSecret, literal } from "../../src/kube/variable.ts";
import { ownedMetadata } from "../../src/model/metadata.ts";
import { type Builder, desired, stages } from "../../src/resources/index.ts";
import { environmentOf, inputs, secret, server } from "../support/fixtures.ts";

const found = <T extends Manifest>(objects: readonly Manifest[], kind: T["kind"], name: string): T => {
  const object = objects.find((each): each is T => each.kind === kind && each.metadata.name.startsWith(name));
  assert.ok(object !== undefined, `there is no ${kind} ${name}`);
  return object;
};

describe("a new authentication method", () => {
  /** As described in ARCHITECTURE.md: one function that returns an AuthenticationMethod. */
  const toyMethod = (toy: { readonly tokenSecretRef: { readonly name: string; readonly key: string } }) =>
    ({
      ...noSettings,
      displayName: "Toy",
      references: [
        secretReference(toy.tokenSecretRef.name, [toy.tokenSecretRef.key], "spec.authentication.toy.tokenSecretRef"),
      ],
      urls: [{ path: "spec.authentication.toy.url", url: "https://toy.example.com:8443", isPeer: true }],
      pod: ({ addresses }) => ({
        application: "plain",
        env: [
          literal("TOY_URL", addresses.publicURL),
          fromSecret("TOY_TOKEN", toy.tokenSecretRef.name, toy.tokenSecretRef.key),
        ],
        files: { "toy.ini": "[toy]\n" },
        mounted: [],
        packages: ["toy"],
        readinessPath: "/toy",
      }),
    }) as const satisfies AuthenticationMethod;
  const method = toyMethod({ tokenSecretRef: { name: "toy", key: "token" } });
  const of = server({ networkPolicy: { egress: {} } });
  const model = resolve(inputs(of, [secret("toy", { token: "t" })]), { method });
  const objects = Object.values(desired(model)).flat();

  test("sets variables, files and readiness of MLflow, and packages of the migration", () => {
    const deployment = found<Deployment>(objects, "Deployment", "demo");
    const variables = environmentOf(deployment);
    assert.deepEqual([variables["TOY_URL"], variables["TOY_TOKEN"]], ["http://demo.team-a:5000", "toy/token"]);
    assert.equal(deployment.spec.template.spec?.containers[0]?.readinessProbe?.httpGet?.path, "/toy");
    assert.deepEqual(Object.keys(found<Secret>(objects, "Secret", "demo-auth-config").data ?? {}), ["toy.ini"]);
    assert.equal(environmentOf(found<Job>(objects, "Job", "demo-migrate"))["MIGRATION_PACKAGES"], "toy");
  });

  test("has its URL in the NetworkPolicy, and no administrator", () => {
    const { egress = [] } = found<NetworkPolicy>(objects, "NetworkPolicy", "demo").spec;
    assert.ok(egress.some(({ ports = [] }) => ports.some(({ port }) => port === 8443)));
    assert.equal(environmentOf(found<Deployment>(objects, "Deployment", "demo"))["MLFLOW_AUTH_ADMIN_USERNAME"], "");
  });
});

test("a new owned object is a builder and an entry of a stage", () => {
  const toy: Builder = ({ owner, names }) => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: ownedMetadata(owner, `${names.service}-toy`),
    data: { a: "b" },
  });
  const builders = { ...stages, prerequisites: [...stages.prerequisites, toy] };
  const object = found<ConfigMap>(desired(resolve(inputs()), builders).prerequisites, "ConfigMap", "demo-toy");
  assert.equal(object.metadata.ownerReferences?.[0]?.name, "demo");
  assert.ok(object.metadata.annotations, "the hash of its fields, with which the operator detects removed fields");
});
