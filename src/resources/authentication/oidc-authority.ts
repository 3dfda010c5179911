import type { Oidc } from "../../api/fields/oidc.ts";
import { authorityFile, type Mounted } from "../pod/mounted.ts";

/** Where the certificates of the issuer's authority are. */
export const oidcAuthorityPath = "/etc/mlflow/ca/oidc/ca.crt";

/** The authority of the plugin's issuer, where it is not a public one. */
export function oidcAuthority(oidc: Oidc | undefined): Mounted[] {
  return oidc?.ca === undefined ? [] : [authorityFile("ca-oidc", oidc.ca, oidcAuthorityPath)];
}
