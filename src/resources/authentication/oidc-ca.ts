import type { Oidc } from "../../api/fields/oidc.ts";
import { caFileVolume, type Mounted } from "../pod/mounted-volume.ts";

/** Where the certificates of the issuer's authority are. */
export const oidcCaPath = "/etc/mlflow/ca/oidc/ca.crt";

/** The authority of the plugin's issuer, where it is not a public one. */
export function oidcCaFiles(oidc: Oidc | undefined): Mounted[] {
  return oidc?.ca === undefined ? [] : [caFileVolume("ca-oidc", oidc.ca, oidcCaPath)];
}
