import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { choice, choose } from "../../src/api/choose.ts";
import { artifactVariables } from "../../src/features/artifacts/index.ts";
import { authenticationMethod } from "../../src/features/authentication/index.ts";
import { backendDatabase } from "../../src/features/database/index.ts";
import { referencesOf } from "../../src/features/references.ts";
import { meshStepsOf } from "../../src/model/mesh.ts";
import { resolveBase } from "../../src/model/server-base.ts";
import { usesSubjectAccessReview } from "../../src/model/workspaces.ts";
import { inputs, server } from "../support/fixtures.ts";

test("rejects a union without exactly one member", () => {
  interface Union {
    readonly a?: object | undefined;
    readonly b?: string;
  }
  const handlers = { a: (_: object) => "a", b: (value: string) => value };
  const chosen = (union: Union & Readonly<Record<string, unknown>>) => choose(union, "spec.x", handlers);
  assert.equal(chosen({ a: {} }), "a");
  assert.equal(chosen({ b: "text", other: 1 }), "text");
  for (const union of [{}, { c: {} }, { a: {}, b: "text" }, { a: undefined }])
    assert.throws(() => chosen(union), /^Error: spec\.x must have exactly one of a, b$/);
});

test("rejects an unknown value of an enum", () => {
  assert.equal(choice("A", "spec.x", { A: 1 }), 1);
  for (const value of ["B", "constructor", "__proto__"])
    assert.throws(() => choice(value, "spec.x", { A: 1 }), /^Error: spec\.x must be one of A, not /);
});

describe("functions that depend on a union or an enum throw for an unknown member", () => {
  /** A spec that a newer CustomResourceDefinition accepts, and that this version's types do not contain. */
  const future = (change: object) => server(Object.assign({}, change));
  const authentication = future({ authentication: { saml: {} } });
  const backendStore = future({ backendStore: { oracle: {} } });
  const artifactStore = future({ artifactStore: { ftp: { bucket: "b" } } });
  const enums: Record<string, () => unknown> = {
    deletionPolicy: () => resolveBase(inputs(future({ deletionPolicy: "Archive" }))),
    migration: () => resolveBase(inputs(future({ backendStore: { sqlite: {}, migration: "Later" } }))),
    access: () =>
      artifactVariables(inputs(future({ artifactStore: { s3: { bucket: "b" }, access: "Signed" } })).server.spec),
    "mesh mode": () => meshStepsOf(future({ mesh: { istio: { mode: "Node" } } })),
    "identity of traces": () =>
      meshStepsOf(future({ mesh: { istio: { mode: "Ambient" } }, traces: { writers: [], identity: "Token" } })),
    authorization: () =>
      usesSubjectAccessReview(
        future({ authentication: { oauth2Proxy: { authorization: { kubernetes: { accessReview: "Webhook" } } } } })
          .spec,
      ),
  };
  const unions: Record<string, () => unknown> = {
    authentication: () => authenticationMethod(authentication.spec),
    "the tracking database": () => backendDatabase(backendStore.spec),
    "all references": () => referencesOf(backendStore.spec),
    "the artifact store": () => artifactVariables(artifactStore.spec),
    "references of the artifact store": () => referencesOf(artifactStore.spec),
  };
  for (const [name, use] of Object.entries(unions))
    test(name, () => assert.throws(use, /^Error: spec\.[A-Za-z0-9.]+ must have exactly one of /));
  for (const [name, use] of Object.entries(enums))
    test(name, () => assert.throws(use, /^Error: spec\.[A-Za-z0-9.]+ must be one of /));
});
