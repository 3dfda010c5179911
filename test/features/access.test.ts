import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { AccessGrant } from "../../src/api/fields/access.ts";
import type { MlflowServerSpec } from "../../src/api/spec.ts";
import { resolve } from "../../src/features/resolve.ts";
import { serverPrograms } from "../../src/resources/middleware/programs.ts";
import { authSecret } from "../../src/resources/secrets.ts";
import { inputs, server } from "../support/fixtures.ts";

const editors: AccessGrant = {
  permission: "EDIT",
  subjects: [
    { kind: "User", name: "grace" },
    { kind: "Group", name: "cn=a,dc=x" },
  ],
  experiments: ["team-a/*"],
};
const readers: AccessGrant = {
  permission: "READ",
  subjects: [{ kind: "User", name: "alan" }],
  registeredModels: ["team-a-*"],
};
const ldap = {
  url: "ldaps://ldap.example.com/dc=example,dc=com",
  userBind: "uid=%s,dc=example,dc=com",
  groups: { filter: "(member=%s)", user: "cn=mlflow,dc=example,dc=com", admin: "cn=admins,dc=example,dc=com" },
};

const modelOf = (spec: Partial<MlflowServerSpec> = {}) =>
  resolve(inputs(server({ authentication: { basic: {} }, ...spec })));
const settingsOf = (spec?: Partial<MlflowServerSpec>) =>
  JSON.parse(serverPrograms(modelOf(spec)).settings?.["mlflow_operator/settings.json"] ?? "").access;

describe("spec.access", () => {
  test("is a file in the Secret of the authentication configuration", () => {
    const data = authSecret(modelOf({ access: [editors, readers] }))?.data ?? {};
    assert.deepEqual(JSON.parse(Buffer.from(data["access.json"] ?? "", "base64").toString("utf8")), {
      grants: [
        {
          permission: "EDIT",
          users: ["grace"],
          groups: ["cn=a,dc=x"],
          experiments: ["team-a/*"],
          registeredModels: [],
        },
        { permission: "READ", users: ["alan"], groups: [], experiments: [], registeredModels: ["team-a-*"] },
      ],
    });
    assert.ok("basic_auth.ini" in data);
    assert.ok(!("access.json" in (authSecret(modelOf())?.data ?? {})));
  });

  test("is named in the settings of the middleware, with the module that knows groups", () => {
    const file = "/etc/mlflow/auth/access.json";
    assert.equal(settingsOf(), null);
    assert.deepEqual(settingsOf({ access: [editors] }), { file, groups: null });
    assert.deepEqual(settingsOf({ access: [] }), { file, groups: null });
    assert.deepEqual(settingsOf({ access: [editors], authentication: { ldap } }), { file, groups: "mlflow_ldap" });
  });

  test("has programs that servers without it do not have", () => {
    const programsOf = (spec?: Partial<MlflowServerSpec>) =>
      Object.keys(serverPrograms(modelOf(spec)).programs).filter((path) => /grants/.test(path));
    assert.deepEqual(programsOf(), []);
    assert.deepEqual(
      programsOf({ access: [] }).sort(),
      ["grants", "grants_basic", "grants_file", "grants_names", "grants_oidc"].map(
        (each) => `mlflow_operator/${each}.py`,
      ),
    );
  });

  test("changes no input of the pods, which read it again", () => {
    const hashOf = (access: AccessGrant[]) => modelOf({ access }).inputsHash;
    assert.equal(hashOf([editors]), hashOf([readers]));
    assert.equal(hashOf([editors]), modelOf().inputsHash);
  });
});
