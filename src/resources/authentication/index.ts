import type { MlflowServerSpec } from "../../api/spec.ts";
import type { Inputs } from "../inputs.ts";
import type { Reference } from "../reference.ts";
import type { Authentication } from "./authentication.ts";
import { basicAuthentication, basicReferences } from "./basic.ts";
import { ldapAuthentication, ldapReferences } from "./ldap.ts";

/** What the way of authentication that the spec names brings to the server. */
export function authenticationOf(inputs: Inputs): Authentication {
  const { basic, ldap } = inputs.server.spec.authentication;
  if (basic !== undefined) return basicAuthentication(inputs, basic);
  if (ldap !== undefined) return ldapAuthentication(inputs, ldap);
  return { args: [], env: [], files: {}, mounted: [] };
}

/** The Secrets and ConfigMaps that it needs. */
export function authenticationReferences({ authentication }: MlflowServerSpec): Reference[] {
  const { basic, ldap } = authentication;
  if (basic !== undefined) return basicReferences(basic);
  return ldap === undefined ? [] : ldapReferences(ldap);
}

/** How status and tables name it. */
export function authenticationName({ authentication }: MlflowServerSpec): string {
  if (authentication.basic !== undefined) return "Basic";
  return authentication.ldap === undefined ? "Disabled" : "LDAP";
}
