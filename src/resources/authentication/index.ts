import { choose } from "../../api/choose.ts";
import type { MlflowServerSpec } from "../../api/spec.ts";
import type { Reference } from "../../features/common/reference.ts";
import { externalAddressOf } from "../../model/exposure.ts";
import type { Inputs } from "../../model/inputs.ts";
import { isProxied } from "../../model/serving-port.ts";
import { signInPage, signInPageName } from "../proxy/sign-in-page.ts";
import type { Authentication } from "./authentication.ts";
import { basicAuthentication, basicReferences } from "./basic.ts";
import { kubernetesAuthentication } from "./kubernetes.ts";
import { ldapAuthentication, ldapReferences } from "./ldap.ts";
import { oidcAuthentication, oidcReferences } from "./oidc.ts";

/** Returns the settings of the authentication method of the spec. */
export function authenticationOf(inputs: Inputs): Authentication {
  const { server } = inputs;
  const method = methodOf(inputs);
  const outside = externalAddressOf(server);
  if (outside === undefined || outside.prefix === "" || !isProxied(server.spec)) return method;
  return { ...method, files: { ...method.files, [signInPageName]: signInPage(outside) } };
}

const plain: Authentication = { application: "plain", env: [], files: {}, mounted: [] };

function methodOf(inputs: Inputs): Authentication {
  return choose(inputs.server.spec.authentication, "spec.authentication", {
    basic: (basic): Authentication => basicAuthentication(inputs, basic),
    kubernetes: () => kubernetesAuthentication(inputs),
    ldap: (ldap) => ldapAuthentication(inputs, ldap),
    oidc: (oidc) => oidcAuthentication(inputs, oidc),
    oauth2Proxy: ({ authorization }) =>
      choose(authorization, "spec.authentication.oauth2Proxy.authorization", {
        allAuthenticatedUsers: () => plain,
        kubernetes: () => kubernetesAuthentication(inputs),
      }),
    none: () => plain,
  });
}

/** Returns the Secrets and ConfigMaps that it references. */
export function authenticationReferences({ authentication }: MlflowServerSpec): Reference[] {
  return choose(authentication, "spec.authentication", {
    basic: (basic): Reference[] => basicReferences(basic),
    kubernetes: () => [],
    ldap: (ldap) => ldapReferences(ldap),
    oidc: (oidc) => oidcReferences(oidc),
    // Those of oauth2-proxy are listed by proxyReferences.
    oauth2Proxy: () => [],
    none: () => [],
  });
}

/** Returns the name of the authentication method in status and tables. */
export function authenticationName({ authentication }: MlflowServerSpec): string {
  return choose(authentication, "spec.authentication", {
    basic: (): string => "Basic",
    kubernetes: () => "Kubernetes",
    ldap: () => "LDAP",
    oidc: () => "OIDC",
    oauth2Proxy: ({ authorization }) =>
      choose(authorization, "spec.authentication.oauth2Proxy.authorization", {
        allAuthenticatedUsers: () => "OAuth2Proxy",
        kubernetes: () => "OAuth2Proxy+Kubernetes",
      }),
    none: () => "None",
  });
}
