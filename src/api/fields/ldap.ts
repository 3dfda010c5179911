import { z } from "zod";
import { defaults } from "../defaults.ts";
import { cacheDuration } from "./duration.ts";
import { certificateAuthorityOrText, credentialsSecret } from "./reference.ts";
import { exactlyOneOf, type Rule, rules } from "./rule.ts";
import { text } from "./text.ts";
import { ipv6Pattern, portPattern } from "./url-host.ts";
import { userStore } from "./user-store.ts";

const dnPattern = "[A-Za-z0-9.-]+ *=.+";

const placeholder = (what: string): Rule => ({
  rule: "self.contains('%s')",
  message: `must have %s where ${what} shall stand, as in (uid=%s)`,
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
    base: distinguishedName("The DN below which entries of users are. Default: the base in url.").optional(),
    filter: text(
      "Finds the entry of a user; %s is the name that was typed, which stays a value whatever it holds. It must find one entry. Example: (sAMAccountName=%s).",
      1024,
      placeholder("the name of the user"),
      parentheses,
    ),
    usernameAttribute: text(
      "The attribute of the entry that names the account in MLflow, so that one person is one account whichever of their names they type. Where an entry has several values of it, the one in the entry's DN counts. Default: the attribute in filter; where filter has %s more than once it must be set. Example: uid.",
      128,
      { rule: "self.matches('^[A-Za-z][A-Za-z0-9.-]*$')", message: "must be the name of one attribute, such as uid" },
    ).optional(),
    bindCredentialsSecretRef: credentialsSecret(
      "DN and password of the account that searches for users and their groups. Default: none, an anonymous search. Example: {name: ldap-search}.",
      "Key of the DN. Default: username.",
    ).optional(),
  })
  .meta({
    description: "Finds a user's entry, and then binds as that entry with the password that was typed.",
    ...rules({
      rule: `has(self.usernameAttribute) || self.filter.matches('${oneAssertion}')`,
      message:
        "must be set where filter has %s more than once or in another form than (attribute=%s): without it one person could be several users. Write the attribute that names the account, such as usernameAttribute: uid",
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
    searchBase: distinguishedName("The DN below which is searched. Default: the base in url.").optional(),
    filter: text(
      "Finds the groups of a user; %s is the DN of the user. Example: (&(objectClass=groupOfUniqueNames)(uniqueMember=%s)).",
      1024,
      placeholder("the DN of the user"),
      parentheses,
    ),
    attribute: text(
      "What of the entries that are found is compared with admin and user: dn, or an attribute, such as cn. Default: dn.",
      128,
      {
        rule: "self.matches('^[A-Za-z][A-Za-z0-9.-]*$')",
        message: "must be dn or the name of one attribute, such as cn or memberOf",
      },
    ).optional(),
    admin: text("Who is in this group is an administrator of MLflow, as long as that is so.", 1024),
    user: text("Who is in this group may log in. Who is in neither is shut out.", 1024),
  })
  .meta({
    description: "Which groups of the directory make users and administrators. Case and spaces make no difference.",
    ...rules(ofGroup("admin"), ofGroup("user")),
  });

const encrypted = "self.url.startsWith('ldaps:') || (has(self.startTLS) && self.startTLS)";
const verification = (value: string) => `has(self.tlsVerification) && self.tlsVerification == '${value}'`;
const hasBase = "self.url.matches('^ldaps?://[^/]+/.')";

/** Users of an LDAP directory. */
export const ldap = z
  .strictObject({
    url: text("Where the directory is. Example: ldaps://ldap.example.com:636/dc=example,dc=com.", 512, {
      rule: `self.matches('^ldaps?://([A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?|${ipv6Pattern})(:${portPattern})?(/[^%?#]*)?$')`,
      message:
        "must be ldaps:// or ldap:// with a host, and a port and a base where needed, such as ldaps://ldap.example.com:636/dc=example,dc=com: one server, nothing percent-encoded, and no attributes, scope or filter behind a ?",
    }),
    tlsVerification: z
      .enum(["Required", "Optional", "None"])
      .meta({
        description:
          "Required (default): passwords go only to a server that proves who it is, by TLS with a certificate of a known authority for its name. " +
          "Optional: that is checked where there is TLS, and ldap:// without startTLS sends passwords in the clear. None: any certificate will do.",
      })
      .optional(),
    startTLS: z
      .boolean()
      .meta({
        description: "true: a connection by ldap:// is turned into TLS before anything is sent. Default: false.",
      })
      .optional(),
    ca: certificateAuthorityOrText(
      "Certificate authority that signed the directory's certificate. Default: the public ones.",
    ).optional(),
    userBind: text(
      "The DN of a user, with %s for the name that was typed, which stays one value whatever it holds. Example: uid=%s,ou=people,dc=example,dc=com.",
      1024,
      {
        rule: "self.matches('^[A-Za-z0-9.-]+ *=[^%]*%s[^%]*$')",
        message:
          "must be a DN with %s once, where the name of the user shall stand, such as uid=%s,ou=people,dc=example,dc=com; where users have no DN of one form, use search",
      },
    ).optional(),
    search: search.optional(),
    groups,
    passwordCacheTTL: cacheDuration(
      `How long each process of MLflow caches that the directory has accepted a password, and the groups of that user. A changed password, a lost group and a deleted entry take effect after this time. 0s asks the directory for every request. At most 10m. Default: ${defaults.passwordCacheTTL}. Example: 30s.`,
      "10m",
    ).optional(),
    ...userStore,
  })
  .meta({
    description:
      "Users of an LDAP directory, by HTTP basic authentication. They appear in MLflow when they first log in; what the directory says is cached for passwordCacheTTL.",
    ...rules(
      exactlyOneOf(
        ["userBind", "search"],
        "userBind where the DN of a user can be told from the name, search where it must be searched for",
      ),
      {
        rule: `(has(self.tlsVerification) && self.tlsVerification != 'Required') || ${encrypted}`,
        message:
          "ldap:// without TLS sends passwords in the clear: use ldaps://, or startTLS: true; or accept it by tlsVerification: Optional",
        fieldPath: ".url",
      },
      {
        rule: "!(self.url.startsWith('ldaps:') && has(self.startTLS) && self.startTLS)",
        message: "ldaps:// is TLS from the start: leave out startTLS, or write ldap://",
        fieldPath: ".startTLS",
      },
      {
        rule: `!has(self.ca) || (!(${verification("None")}) && (${encrypted}))`,
        message:
          "ca is only used where certificates are checked: use ldaps:// or startTLS: true, without tlsVerification: None; or leave out ca",
        fieldPath: ".ca",
      },
      {
        rule: `has(self.groups.searchBase) || ${hasBase}`,
        message: "must be set where url has no base: write the DN below which groups are",
        fieldPath: ".groups.searchBase",
        reason: "FieldValueRequired",
      },
      {
        rule: `!has(self.search) || has(self.search.base) || ${hasBase}`,
        message: "must be set where url has no base: write the DN below which users are",
        fieldPath: ".search.base",
        reason: "FieldValueRequired",
      },
    ),
  });

export type Ldap = z.infer<typeof ldap>;
