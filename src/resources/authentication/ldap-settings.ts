import { defaults } from "../../api/defaults.ts";
import { secondsOf } from "../../api/duration.ts";
import type { Ldap } from "../../api/fields/ldap.ts";

/** What src/resources/ldap/mlflow_ldap_settings.py reads. */
export interface LdapSettings {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  readonly startTLS: boolean;
  readonly verify: boolean;
  readonly caFile: string | null;
  /** How long an answer of the directory that lets a user in is cached. */
  readonly acceptedSeconds: number;
  readonly userBind: string;
  readonly search: {
    readonly base: string;
    readonly filter: string;
    readonly usernameAttribute: string;
    readonly credentials: { readonly dnFile: string; readonly passwordFile: string } | null;
  } | null;
  readonly groups: {
    readonly base: string;
    readonly filter: string;
    readonly attribute: string;
    readonly user: string;
    readonly admin: string;
  };
}

/** Where files are in the container. */
interface Places {
  readonly ca: string | undefined;
  /** The folder of `dn` and `password`. */
  readonly credentials: string;
}

/** The directory as the function is told of it, with all defaults filled in. No credential is in it, only files of them. */
export function ldapSettings(ldap: Ldap, places: Places): LdapSettings {
  const { search, groups } = ldap;
  const [, scheme, host = "", port, base = ""] =
    /^(ldaps?):\/\/(\[[^\]]*\]|[^:/]*)(?::(\d+))?(?:\/(.*))?$/.exec(ldap.url) ?? [];
  const tls = scheme === "ldaps";
  return {
    host: host.replace(/^\[|\]$/g, ""),
    port: port === undefined ? (tls ? 636 : 389) : Number(port),
    tls,
    startTLS: ldap.startTLS ?? false,
    verify: ldap.tlsVerification !== "None",
    caFile: places.ca ?? null,
    acceptedSeconds: secondsOf(ldap.passwordCacheTTL ?? defaults.passwordCacheTTL),
    userBind: ldap.userBind ?? "",
    search: search
      ? {
          base: search.base ?? base,
          filter: search.filter,
          usernameAttribute: search.usernameAttribute ?? attributeOf(search.filter),
          credentials: search.bindCredentialsSecretRef
            ? { dnFile: `${places.credentials}/dn`, passwordFile: `${places.credentials}/password` }
            : null,
        }
      : null,
    groups: {
      base: groups.searchBase ?? base,
      filter: groups.filter,
      attribute: groups.attribute ?? "dn",
      user: groups.user,
      admin: groups.admin,
    },
  };
}

/** The attribute that a filter with one %s compares with the name. */
function attributeOf(filter: string): string {
  const [, attribute] = /[(] *([A-Za-z][A-Za-z0-9.-]*) *=%s[)]/.exec(filter) ?? [];
  if (attribute === undefined) throw new Error("spec.authentication.ldap.search.usernameAttribute must be set");
  return attribute;
}
