import { choose } from "../../api/choose.ts";
import type { MlflowServer } from "../../api/server.ts";
import type { MlflowServerSpec } from "../../api/spec.ts";
import { type Administrator, type AuthenticationMethod, noMethod, type TokenIssuer } from "./authentication.ts";
import { basicMethod } from "./basic.ts";
import { kubernetesMethod } from "./kubernetes.ts";
import { ldapMethod } from "./ldap.ts";
import { oauth2ProxyMethod } from "./oauth2-proxy.ts";
import { oidcMethod } from "./oidc.ts";

/** The methods, by the field of `authentication` that selects them. */
const methods = {
  basic: basicMethod,
  kubernetes: kubernetesMethod,
  ldap: ldapMethod,
  oidc: oidcMethod,
  oauth2Proxy: oauth2ProxyMethod,
  none: noMethod,
} as const;

/** Returns the authentication method of a spec. */
export function authenticationMethod({
  authentication,
}: Pick<MlflowServerSpec, "authentication">): AuthenticationMethod {
  return choose<MlflowServerSpec["authentication"], keyof typeof methods, AuthenticationMethod>(
    authentication,
    "spec.authentication",
    methods,
  );
}

/** Returns the first administrator of a server; undefined if MLflow stores no users. */
export function administratorOf({
  metadata,
  spec,
}: Pick<MlflowServer, "metadata" | "spec">): Administrator | undefined {
  return authenticationMethod(spec).administrator?.(metadata.name);
}

/** Returns the discovery URL of an issuer. */
export function discoveryURLOf({ issuer, discovery }: TokenIssuer): string {
  return discovery ?? `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
}
