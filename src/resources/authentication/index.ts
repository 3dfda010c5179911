import type { MlflowServerSpec } from "../../api/spec.ts";
import { choose } from "../choose.ts";
import { outsideOf } from "../exposure.ts";
import type { Inputs } from "../inputs.ts";
import { signInPage, signInPageName } from "../proxy/sign-in-page.ts";
import type { Reference } from "../reference.ts";
import type { Authentication } from "./authentication.ts";
import { basicAuthentication, basicReferences } from "./basic.ts";
import { kubernetesAuthentication } from "./kubernetes.ts";
import { ldapAuthentication, ldapReferences } from "./ldap.ts";
import { oidcAuthentication, oidcReferences } from "./oidc.ts";

/** What the way of authentication that the spec names brings to the server. */
export function authenticationOf(inputs: Inputs): Authentication {
  const { server } = inputs;
  const method = methodOf(inputs);
  const outside = outsideOf(server);
  if (outside === undefined || outside.prefix === "" || server.spec.proxy === undefined) return method;
  return { ...method, files: { ...method.files, [signInPageName]: signInPage(outside) } };
}

function methodOf(inputs: Inputs): Authentication {
  return choose(inputs.server.spec.authentication, "spec.authentication", {
    basic: (basic): Authentication => basicAuthentication(inputs, basic),
    kubernetes: () => kubernetesAuthentication(inputs),
    ldap: (ldap) => ldapAuthentication(inputs, ldap),
    oidc: (oidc) => oidcAuthentication(inputs, oidc),
    disabled: () => ({ application: "plain", env: [], files: {}, mounted: [] }),
  });
}

/** The Secrets and ConfigMaps that it needs. */
export function authenticationReferences({ authentication }: MlflowServerSpec): Reference[] {
  return choose(authentication, "spec.authentication", {
    basic: (basic): Reference[] => basicReferences(basic),
    kubernetes: () => [],
    ldap: (ldap) => ldapReferences(ldap),
    oidc: (oidc) => oidcReferences(oidc),
    disabled: () => [],
  });
}

/** How status and tables name it: who must be convinced, one after the other. */
export function authenticationName({ authentication, proxy }: MlflowServerSpec): string {
  const method = choose(authentication, "spec.authentication", {
    basic: (): string | undefined => "Basic",
    kubernetes: () => "Kubernetes",
    ldap: () => "LDAP",
    oidc: () => "OIDC",
    disabled: () => undefined,
  });
  const methods = [proxy && "Proxy", method].filter((each) => each !== undefined);
  return methods.length === 0 ? "Disabled" : methods.join("+");
}
