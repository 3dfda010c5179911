import { z } from "zod";
import { defaults } from "../defaults.ts";
import { cacheDuration } from "./amounts.ts";
import { ipv6Pattern, portPattern } from "./host.ts";
import { certificateAuthorityOrText, credentialsSecret } from "./reference.ts";
import { exactlyOneOf, type Rule, rules } from "./rule.ts";
import { ldapUrl, plainText, text } from "./text.ts";
import { userStore } from "./user-store.ts";

const dnPattern = "[A-Za-z0-9.-]+ *=.+";

const placeholder = (what: string): Rule => ({
  rule: "self.contains('%s')",
  message: `must contain %s as the placeholder of ${what}, as in (uid=%s)`,
});

const parentheses: Rule = {
  rule: "self.startsWith('(') && self.endsWith(')')",
  message: "must be a filter in parentheses, such as (uid=%s)",
};

function distinguishedName(description: string) {
  return text(description, 1024, {
    rule: `self.matches('^${dnPattern}')`,
    message: "must be a DN such as ou=people,dc=example,dc=com",
  });
}

/** A filter with one %s, as the whole value of one attribute. */
const oneAssertion = "^[^%]*[(] *[A-Za-z][A-Za-z0-9.-]* *=%s[)][^%]*$";

const search = z
  .strictObject({
    base: distinguishedName(
      "DN below which users are searched. Default: the base in url. Example: ou=people,dc=example,dc=com.",
    ).optional(),
    filter: text(
      "Filter that finds the entry of a user; %s is the entered name, which is escaped. It must match exactly one entry. Example: (sAMAccountName=%s).",
      1024,
      placeholder("the name of the user"),
      parentheses,
    ),
    usernameAttribute: plainText(
      "Attribute of the entry that is the user name in MLflow, so that a user has one account with any of their names. If an entry has several values, the one in its DN is used. Default: the attribute in filter; required if filter contains %s more than once. Example: uid.",
      128,
      { rule: "self.matches('^[A-Za-z][A-Za-z0-9.-]*$')", message: "must be the name of one attribute, such as uid" },
    ).optional(),
    bindCredentialsSecretRef: credentialsSecret(
      "DN and password of the account that searches users and groups. Default: none; the search is anonymous. Example: {name: ldap-search}.",
      "Key of the DN. Default: username.",
    ).optional(),
  })
  .meta({
    description:
      "Searches the entry of a user, and then binds as that entry with the entered password. Example: {filter: (uid=%s)}.",
    ...rules({
      rule: `has(self.usernameAttribute) || self.filter.matches('${oneAssertion}')`,
      message:
        "required if filter contains %s more than once or in another form than (attribute=%s), since one person could otherwise have several accounts: write the attribute that is the user name, such as usernameAttribute: uid",
      fieldPath: ".usernameAttribute",
      reason: "FieldValueRequired",
    }),
  });

const ofGroup = (field: "admin" | "user"): Rule => ({
  rule: `(has(self.attribute) && !self.attribute.matches('^[dD][nN]$')) || self.${field}.matches('^${dnPattern}')`,
  message:
    "must be the DN of a group, such as cn=mlflow,ou=groups,dc=example,dc=com; to compare names instead, set attribute: cn",
  fieldPath: `.${field}`,
});

const groups = z
  .strictObject({
    searchBase: distinguishedName(
      "DN below which groups are searched. Default: the base in url. Example: ou=groups,dc=example,dc=com.",
    ).optional(),
    filter: text(
      "Filter that finds the groups of a user; %s is the DN of the user. Example: (&(objectClass=groupOfUniqueNames)(uniqueMember=%s)).",
      1024,
      placeholder("the DN of the user"),
      parentheses,
    ),
    attribute: plainText(
      "Attribute of a group that is compared with admin and user: dn, or an attribute such as cn. Default: dn. Example: cn.",
      128,
      {
        rule: "self.matches('^[A-Za-z][A-Za-z0-9.-]*$')",
        message: "must be dn or the name of one attribute, such as cn or memberOf",
      },
    ).optional(),
    admin: text(
      "Group whose members are administrators of MLflow, as long as they are members. Example: cn=mlflow-admins,ou=groups,dc=example,dc=com.",
      1024,
    ),
    user: text(
      "Group whose members can log in. Users in neither group are denied. Example: cn=mlflow,ou=groups,dc=example,dc=com.",
      1024,
    ),
  })
  .meta({
    description:
      "Groups of the directory for users and administrators. The comparison ignores case and spaces. Example: {filter: (member=%s), admin: 'cn=mlflow-admins,ou=groups,dc=example,dc=com', user: 'cn=mlflow,ou=groups,dc=example,dc=com'}.",
    ...rules(ofGroup("admin"), ofGroup("user")),
  });

const encrypted = "self.url.startsWith('ldaps:') || (has(self.startTLS) && self.startTLS)";
const verification = (value: string) => `has(self.tlsVerification) && self.tlsVerification == '${value}'`;
const hasBase = "self.url.matches('^ldaps?://[^/]+/.')";

/** Users of an LDAP directory. */
export const ldap = z
  .strictObject({
    url: ldapUrl("URL of the directory. Example: ldaps://ldap.example.com:636/dc=example,dc=com.", 512, {
      rule: `self.matches('^ldaps?://([A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?|${ipv6Pattern})(:${portPattern})?(/[^%?#]*)?$')`,
      message:
        "must be ldaps:// or ldap:// with a host and an optional port and base, such as ldaps://ldap.example.com:636/dc=example,dc=com: one server, no percent-encoding, and no attributes, scope or filter after a ?",
    }),
    tlsVerification: z
      .enum(["Required", "Optional", "None"])
      .meta({
        description:
          "Verification of the directory's certificate. Required (default): passwords are sent only over TLS, to a server with a certificate of a trusted CA for its name. " +
          "Optional: the certificate is verified if TLS is used; ldap:// without startTLS sends passwords in plain text. None: any certificate is accepted. Example: Optional.",
      })
      .optional(),
    startTLS: z
      .boolean()
      .meta({
        description:
          "Whether a connection to ldap:// is upgraded to TLS before credentials are sent. Default: false. Example: true.",
      })
      .optional(),
    ca: certificateAuthorityOrText(
      "CA bundle for the directory's certificate. Default: the public CAs. Example: {configMapRef: {name: example-ca}}.",
    ).optional(),
    userBind: text(
      "DN of a user; %s is the entered name, which is escaped. Example: uid=%s,ou=people,dc=example,dc=com.",
      1024,
      {
        rule: "self.matches('^[A-Za-z0-9.-]+ *=[^%]*%s[^%]*$')",
        message:
          "must be a DN that contains %s once as the placeholder of the user name, such as uid=%s,ou=people,dc=example,dc=com; if the DNs of users have no common form, use search",
      },
    ).optional(),
    search: search.optional(),
    groups,
    passwordCacheTTL: cacheDuration(
      `How long each process of MLflow caches a successful bind and the groups of the user. A changed password, a removed group membership and a deleted entry take effect after this time. 0s disables the cache. At most 10m. Default: ${defaults.passwordCacheTTL}. Example: 30s.`,
      "10m",
    ).optional(),
    ...userStore,
  })
  .meta({
    description:
      "Users of an LDAP directory, with HTTP basic authentication. MLflow creates a user at the first login; results of the directory are cached for passwordCacheTTL.",
    ...rules(
      exactlyOneOf(
        ["userBind", "search"],
        "userBind if the DN of a user follows from the name, search if it must be searched",
      ),
      {
        rule: `(has(self.tlsVerification) && self.tlsVerification != 'Required') || ${encrypted}`,
        message:
          "ldap:// without TLS sends passwords in plain text: use ldaps://, or startTLS: true; or accept it by tlsVerification: Optional",
        fieldPath: ".url",
      },
      {
        rule: "!(self.url.startsWith('ldaps:') && has(self.startTLS) && self.startTLS)",
        message: "ldaps:// already uses TLS: leave out startTLS, or write ldap://",
        fieldPath: ".startTLS",
      },
      {
        rule: `!has(self.ca) || (!(${verification("None")}) && (${encrypted}))`,
        message:
          "ca is used only if certificates are verified: use ldaps:// or startTLS: true, without tlsVerification: None; or leave out ca",
        fieldPath: ".ca",
      },
      {
        rule: `has(self.groups.searchBase) || ${hasBase}`,
        message: "required if url has no base: write the DN below which groups are searched",
        fieldPath: ".groups.searchBase",
        reason: "FieldValueRequired",
      },
      {
        rule: `!has(self.search) || has(self.search.base) || ${hasBase}`,
        message: "required if url has no base: write the DN below which users are searched",
        fieldPath: ".search.base",
        reason: "FieldValueRequired",
      },
    ),
  });

export type Ldap = z.infer<typeof ldap>;
