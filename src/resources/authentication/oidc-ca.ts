import type { Oidc } from "../../api/fields/oidc.ts";
import { caFileVolume, type Mounted } from "../../features/common/mounted-volume.ts";

/** The path of the issuer's CA bundle. */
export const oidcCaPath = "/etc/mlflow/ca/oidc/ca.crt";

/** Returns the CA bundle of the plugin's issuer, if the spec has one. */
export function oidcCaFiles(oidc: Oidc | undefined): Mounted[] {
  return oidc?.ca === undefined ? [] : [caFileVolume("ca-oidc", oidc.ca, oidcCaPath)];
}
