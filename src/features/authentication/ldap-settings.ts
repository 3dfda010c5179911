import { defaults } from "../../api/defaults.ts";
import type { Ldap } from "../../api/fields/ldap.ts";
import { secondsOf } from "../../api/quantity.ts";

/** The settings file of python/src/mlflow_ldap_settings.py. */
export interface LdapSettings {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  readonly startTLS: boolean;
  readonly verify: boolean;
  readonly caFile: string | null;
  /** How long a successful login is cached. */
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

/** Paths in the container. */
interface Paths {
  readonly ca: string | undefined;
  /** The directory of `dn` and `password`. */
  readonly credentials: string;
}

/** Returns the settings of the authorization function with all defaults. They contain no credential, only paths of files. */
export function ldapSettings(ldap: Ldap, paths: Paths): LdapSettings {
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
    caFile: paths.ca ?? null,
    acceptedSeconds: secondsOf(ldap.passwordCacheTTL ?? defaults.passwordCacheTTL),
    userBind: ldap.userBind ?? "",
    search: search
      ? {
          base: search.base ?? base,
          filter: search.filter,
          usernameAttribute: search.usernameAttribute ?? attributeOf(search.filter),
          credentials: search.bindCredentialsSecretRef
            ? { dnFile: `${paths.credentials}/dn`, passwordFile: `${paths.credentials}/password` }
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

/** Returns the attribute that a filter with one %s compares with the user name. */
function attributeOf(filter: string): string {
  const [, attribute] = /[(] *([A-Za-z][A-Za-z0-9.-]*) *=%s[)]/.exec(filter) ?? [];
  if (attribute === undefined) throw new Error("spec.authentication.ldap.search.usernameAttribute must be set");
  return attribute;
}
