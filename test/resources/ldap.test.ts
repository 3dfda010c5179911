import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Ldap } from "../../src/api/fields/ldap.ts";
import { ldapSettings } from "../../src/features/authentication/ldap-settings.ts";
import { filesFrom } from "../../src/resources/python-programs.ts";
import { caCertificatePem } from "../support/ca-certificate-pem.ts";
import {
  all,
  deploymentOf,
  environmentOf,
  inputs,
  jobOf,
  programsOf,
  secret,
  secretText,
  server,
} from "../support/fixtures.ts";

const ldap: Ldap = {
  url: "ldaps://ldap.example.com/dc=mlflow,dc=test",
  userBind: "uid=%s,ou=people,dc=mlflow,dc=test",
  groups: {
    filter: "(uniquemember=%s)",
    admin: "cn=admins,dc=mlflow,dc=test",
    user: "cn=users,dc=mlflow,dc=test",
  },
};
const paths = { ca: undefined, credentials: "/x" };
const searching = {
  ...ldap,
  userBind: undefined,
  search: { filter: "(uid=%s)", bindCredentialsSecretRef: { name: "searcher", passwordKey: "pass" } },
};
const credentials = secret("searcher", {
  username: "cn=searcher,dc=test",
  pass: "of-the-searcher",
  other: "of-others",
});
const of = (spec: Ldap = ldap) => inputs(server({ authentication: { ldap: spec } }), [credentials]);
const volume = (each: ReturnType<typeof of>, name: string) =>
  deploymentOf(each).spec.template.spec?.volumes?.find((found) => found.name === name);

describe("LDAP authentication", () => {
  test("MLflow calls the operator's authorization function, in a read-only volume", () => {
    const environment = environmentOf(deploymentOf(of()));
    assert.equal(environment["PYTHONPATH"], "/etc/mlflow/python");
    assert.equal(environment["PYTHONSAFEPATH"], "1");
    const container = deploymentOf(of()).spec.template.spec?.containers[0];
    assert.deepEqual(container?.args, ["--app-name", "basic-auth"]);
    assert.equal(container?.volumeMounts?.find(({ mountPath }) => mountPath === "/etc/mlflow/python")?.readOnly, true);
    const ini = secretText(of(), "demo-auth-config", "basic_auth.ini");
    assert.match(ini, /^authorization_function = mlflow_ldap:authenticate_request$/m);
    for (const [file, text] of Object.entries(filesFrom("mlflow_ldap"))) assert.equal(programsOf(of())[file], text);
  });

  test("the user database is created as for basic authentication, with the administrator that MLflow requires", () => {
    assert.equal(environmentOf(jobOf(of()))["AUTH_DATABASE_URI"], "sqlite:////mlflow/data/basic_auth.db");
    assert.equal(environmentOf(jobOf(of()))["MLFLOW_AUTH_ADMIN_PASSWORD"], "demo-admin/password");
    assert.equal(environmentOf(jobOf(of()))["MIGRATION_PACKAGES"], "ldap3");
  });

  test("the pod has two keys of the bind Secret as files, and no other object contains their values", () => {
    const items = volume(of(searching), "ldap")?.secret?.items;
    assert.deepEqual(items, [
      { key: "username", path: "dn" },
      { key: "pass", path: "password" },
    ]);
    const settings = JSON.parse(programsOf(of(searching))["ldap.json"] ?? "");
    assert.deepEqual(settings.search.credentials, {
      dnFile: "/etc/mlflow/ldap/dn",
      passwordFile: "/etc/mlflow/ldap/password",
    });
    for (const object of all(of(searching)))
      for (const value of ["of-the-searcher", Buffer.from("of-the-searcher").toString("base64")])
        assert.ok(!JSON.stringify(object).includes(value), object.kind);
  });

  test("a CA bundle is a file, from every source", () => {
    const file = (each: ReturnType<typeof of>) => JSON.parse(programsOf(each)["ldap.json"] ?? "").caFile;
    const named = of({ ...ldap, ca: { configMapRef: { name: "ca" } } });
    assert.equal(file(named), "/etc/mlflow/ca/ldap/ca.crt");
    assert.equal(volume(named, "ca-ldap")?.configMap?.name, "ca");
    const inline = of({ ...ldap, ca: { certificates: caCertificatePem } });
    assert.equal(file(inline), "/etc/mlflow/auth/ldap-ca.crt");
    assert.equal(secretText(inline, "demo-auth-config", "ldap-ca.crt"), caCertificatePem);
    assert.equal(volume(inline, "ca-ldap"), undefined);
    assert.equal(file(of()), null);
  });

  test("a change of the directory's settings rolls the pods", () => {
    const template = (each: ReturnType<typeof of>) => deploymentOf(each).spec.template;
    const other = { ...ldap, groups: { ...ldap.groups, admin: "cn=others,dc=mlflow,dc=test" } };
    assert.notDeepEqual(template(of(other)), template(of()));
  });
});

describe("the settings of the authorization function", () => {
  test("hosts, ports and bases, with their defaults", () => {
    const settingsOf = (url: string) => {
      const { host, port, tls, groups } = ldapSettings({ ...ldap, url }, paths);
      return [host, port, tls, groups.base];
    };
    assert.deepEqual(settingsOf("ldaps://a.example.com"), ["a.example.com", 636, true, ""]);
    assert.deepEqual(settingsOf("ldap://a.example.com/dc=a,dc=b"), ["a.example.com", 389, false, "dc=a,dc=b"]);
    assert.deepEqual(settingsOf("ldap://[fd00::1]:3890/dc=a:b"), ["fd00::1", 3890, false, "dc=a:b"]);
    assert.deepEqual(settingsOf("ldaps://10.0.0.1:6360/"), ["10.0.0.1", 6360, true, ""]);
  });

  test("certificates are verified unless tlsVerification is None", () => {
    const checks = (each: Ldap) => ldapSettings(each, paths).verify;
    assert.equal(checks(ldap), true);
    assert.equal(checks({ ...ldap, tlsVerification: "Required" }), true);
    assert.equal(checks({ ...ldap, tlsVerification: "Optional" }), true);
    assert.equal(checks({ ...ldap, tlsVerification: "None" }), false);
  });

  test("the account name is the attribute of the filter, or usernameAttribute", () => {
    const attribute = (search: Ldap["search"]) =>
      ldapSettings({ ...searching, search }, paths).search?.usernameAttribute;
    assert.equal(attribute({ filter: "(uid=%s)" }), "uid");
    assert.equal(attribute({ filter: "(&(objectClass=user)( sAMAccountName =%s))" }), "sAMAccountName");
    assert.equal(attribute({ filter: "(|(uid=%s)(mail=%s))", usernameAttribute: "mail" }), "mail");
  });

  test("a successful login is cached for a minute, or for passwordCacheTTL", () => {
    const seconds = (passwordCacheTTL?: string) => ldapSettings({ ...ldap, passwordCacheTTL }, paths).acceptedSeconds;
    assert.deepEqual([seconds(), seconds("0s"), seconds("5m")], [60, 0, 300]);
  });

  test("a search base takes precedence over that of the URL", () => {
    const own = {
      ...searching,
      groups: { ...ldap.groups, searchBase: "ou=groups" },
      search: { filter: "(uid=%s)", base: "ou=people" },
    };
    assert.equal(ldapSettings(own, paths).groups.base, "ou=groups");
    assert.equal(ldapSettings(own, paths).search?.base, "ou=people");
    assert.equal(ldapSettings(own, paths).search?.credentials, null);
    assert.equal(ldapSettings(searching, paths).search?.base, "dc=mlflow,dc=test");
  });
});
