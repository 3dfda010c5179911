import type { MlflowServerSpec } from "../../api/spec.ts";
import type { Inputs } from "../inputs.ts";
import { prefixed } from "../prefix/prefixed.ts";
import type { Reference } from "../reference.ts";
import type { Authentication } from "./authentication.ts";
import { basicAuthentication, basicReferences } from "./basic.ts";
import { kubernetesAuthentication } from "./kubernetes.ts";
import { ldapAuthentication, ldapReferences } from "./ldap.ts";
import { oidcAuthentication, oidcReferences } from "./oidc.ts";

/** What the way of authentication that the spec names brings to the server. */
export function authenticationOf(inputs: Inputs): Authentication {
  return prefixed(inputs, wayOf(inputs));
}

function wayOf(inputs: Inputs): Authentication {
  const { basic, kubernetes, ldap, oidc } = inputs.server.spec.authentication;
  if (basic !== undefined) return basicAuthentication(inputs, basic);
  if (kubernetes !== undefined) return kubernetesAuthentication(inputs);
  if (ldap !== undefined) return ldapAuthentication(inputs, ldap);
  if (oidc !== undefined) return oidcAuthentication(inputs, oidc);
  return { args: [], env: [], files: {}, mounted: [] };
}

/** The Secrets and ConfigMaps that it needs. */
export function authenticationReferences({ authentication }: MlflowServerSpec): Reference[] {
  const { basic, ldap, oidc } = authentication;
  if (basic !== undefined) return basicReferences(basic);
  if (ldap !== undefined) return ldapReferences(ldap);
  return oidc === undefined ? [] : oidcReferences(oidc);
}

/** How status and tables name it: who must be convinced, one after the other. */
export function authenticationName({ authentication, proxy }: MlflowServerSpec): string {
  const { basic, kubernetes, ldap, oidc } = authentication;
  const doors = [proxy && "Proxy", basic && "Basic", ldap && "LDAP", oidc && "OIDC", kubernetes && "Kubernetes"];
  const shut = doors.filter((door) => door !== undefined);
  return shut.length === 0 ? "Disabled" : shut.join("+");
}
