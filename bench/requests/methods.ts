import type { MlflowServerSpec } from "../../src/api/spec.ts";
import type { OidcIssuer } from "../../test/support/oidc/oidc-issuer.ts";

/** A measured configuration. `plain` is MLflow as its image starts it, with the same settings and without the operator. */
export interface Method {
  readonly name: string;
  readonly isPlain?: boolean;
  readonly authentication: MlflowServerSpec["authentication"];
  readonly user: "none" | "password" | "token";
}

export const clientID = "mlflow";
export const person = "bench@example.com";

export function methods(issuer: OidcIssuer): readonly Method[] {
  return [
    { name: "plain", isPlain: true, authentication: { none: {} }, user: "none" },
    { name: "none", authentication: { none: {} }, user: "none" },
    { name: "basic", authentication: { basic: {} }, user: "password" },
    {
      name: "oidc",
      authentication: {
        oidc: {
          discoveryURL: `${issuer.url}/.well-known/openid-configuration`,
          clientID,
          clientSecretRef: { name: "client", key: "secret" },
          userGroup: "users",
          adminGroup: "admins",
        },
      },
      user: "token",
    },
  ];
}
