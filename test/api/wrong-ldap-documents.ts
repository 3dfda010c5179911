import { ldapSearch, ldapTemplate } from "./documents.ts";
import { type Wrong, wrong } from "./wrong-document.ts";

const template = wrong(ldapTemplate);
const search = wrong(ldapSearch);
const ldap = "spec.authentication.ldap";
const inPlainText = { [`${ldap}.startTLS`]: undefined, [`${ldap}.ca`]: undefined };

/** Wrong settings of a directory. */
export const wrongLdapDocuments: readonly Wrong[] = [
  template(
    "a directory next to MLflow's own users",
    { "spec.authentication.basic": {} },
    "spec.authentication",
    "exactly one of basic, ldap",
  ),
  template("neither a DN nor a search", { [`${ldap}.userBind`]: undefined }, ldap, "exactly one of userBind, search"),
  template(
    "both a DN and a search",
    { [`${ldap}.search`]: { filter: "(uid=%s)" } },
    ldap,
    "exactly one of userBind, search",
  ),
  ...[
    "https://ldap.example.com",
    "ldap.example.com",
    "ldaps://user@ldap.example.com",
    "ldaps://a.example.com ldaps://b.example.com",
    "ldaps://a.example.com,ldaps://b.example.com",
    "ldaps://ldap.example.com:99999",
    "ldaps://ldap.example.com/dc=example%2Cdc=com",
    "ldaps://ldap.example.com/dc=example,dc=com?uid?sub",
    "ldaps:///dc=example",
  ].map((url) =>
    search(
      `the URL ${url}`,
      { [`${ldap}.url`]: url },
      `${ldap}.url`,
      url.includes("@") ? "password or @" : "must be ldaps:// or ldap:// with a host",
    ),
  ),
  ...["uid=ada,dc=test", "uid=%s,ou=%s,dc=test", "%s@example.com", "EXAMPLE\\\\%s", "uid=%s,ou=100%"].map((userBind) =>
    template(`users of the DN ${userBind}`, { [`${ldap}.userBind`]: userBind }, `${ldap}.userBind`, "use search"),
  ),
  template(
    "a filter of groups without placeholder",
    { [`${ldap}.groups.filter`]: "(cn=mlflow)" },
    `${ldap}.groups.filter`,
    "must contain %s",
  ),
  search(
    "a filter of users without placeholder",
    { [`${ldap}.search.filter`]: "(uid=*)" },
    `${ldap}.search.filter`,
    "must contain %s",
  ),
  search(
    "a filter without parentheses",
    { [`${ldap}.search.filter`]: "uid=%s" },
    `${ldap}.search.filter`,
    "in parentheses",
  ),
  ...["(|(uid=%s)(mail=%s))", "(uid=*%s*)", "(uid:caseExactMatch:=%s)", "(cn=%s (staff))"].map((filter) =>
    search(
      `the filter ${filter} without the attribute that names the account`,
      { [`${ldap}.search.filter`]: filter, [`${ldap}.search.usernameAttribute`]: undefined },
      `${ldap}.search.usernameAttribute`,
      "usernameAttribute: uid",
    ),
  ),
  search(
    "two attributes that name the account",
    { [`${ldap}.search.usernameAttribute`]: "uid,mail" },
    `${ldap}.search.usernameAttribute`,
    "one attribute",
  ),
  ...["11m", "1h", "0", "00s", "-1s", "60"].map((time) =>
    template(
      `directory answers that are cached for ${time}`,
      { [`${ldap}.passwordCacheTTL`]: time },
      `${ldap}.passwordCacheTTL`,
      "from 1s to 10m",
    ),
  ),
  template(
    "a group by name where DNs are compared",
    { [`${ldap}.groups.admin`]: "admins" },
    `${ldap}.groups.admin`,
    "set attribute: cn",
  ),
  template("no group of users", { [`${ldap}.groups.user`]: undefined }, `${ldap}.groups.user`, "Required value"),
  template("two attributes", { [`${ldap}.groups.attribute`]: "cn,dn" }, `${ldap}.groups.attribute`, "one attribute"),
  template(
    "groups without a search base",
    { [`${ldap}.url`]: "ldap://ldap.example.com" },
    `${ldap}.groups.searchBase`,
    "has no base",
  ),
  search("users below nothing", { [`${ldap}.search.base`]: undefined }, `${ldap}.search.base`, "has no base"),
  search("a base that is no DN", { [`${ldap}.search.base`]: "people" }, `${ldap}.search.base`, "must be a DN"),
  template(
    "passwords in plain text by default",
    { ...inPlainText, [`${ldap}.tlsVerification`]: undefined },
    `${ldap}.url`,
    "in plain text",
  ),
  template(
    "passwords in plain text, though verification is required",
    { ...inPlainText, [`${ldap}.tlsVerification`]: "Required" },
    `${ldap}.url`,
    "startTLS: true",
  ),
  search("TLS started in TLS", { [`${ldap}.startTLS`]: true }, `${ldap}.startTLS`, "already uses TLS"),
  search(
    "a CA bundle that is not used",
    { [`${ldap}.tlsVerification`]: "None" },
    `${ldap}.ca`,
    "used only if certificates are verified",
  ),
  template(
    "a CA bundle without TLS",
    { [`${ldap}.startTLS`]: false },
    `${ldap}.ca`,
    "used only if certificates are verified",
  ),
  template(
    "an unknown verification",
    { [`${ldap}.tlsVerification`]: "required" },
    `${ldap}.tlsVerification`,
    "supported values",
  ),
  template(
    "a certificate in base64",
    { [`${ldap}.ca.certificates`]: "LS0tLS1CRUdJTg==" },
    `${ldap}.ca.certificates`,
    "decode them first",
  ),
  template(
    "two sources of a CA bundle",
    { [`${ldap}.ca.configMapRef`]: { name: "ca" } },
    `${ldap}.ca`,
    "exactly one of secretRef, configMapRef, certificates",
  ),
  template(
    "a key of certificates",
    { [`${ldap}.ca.key`]: "ca.crt" },
    "",
    'unknown field "spec.authentication.ldap.ca.key"',
  ),
];
